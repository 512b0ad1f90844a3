"""What is noted of a request is bounded."""

from claude_code_proxy.core.report import Report


def test_endless_notices_are_not_kept() -> None:
    report = Report()
    for _ in range(10_100):
        report.dropped("a", "x", "again")
    report.changed("b", "x", "once")
    report.emulated("c", "x", "once")
    assert len(report.notices) == 10_000
    assert report.codes == ["a"]
