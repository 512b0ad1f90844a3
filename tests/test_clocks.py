"""Which clock each file asks. The time of day jumps; what waits, expires or cools down asks the monotonic one."""

from __future__ import annotations

import re

from tests.paths import REPOSITORY

SOURCE = REPOSITORY / "src" / "claude_code_proxy"

TIME_OF_DAY = {
    "cli/ccproxy": "days and dates that people read",
    "cli/server_command/show_sessions.py": "how long ago a session's last request ended",
    "cli/server_command/show_usage.py": "days that people name",
    "cli/server_command/top.py": "what the server sends as dates",
    "config/watched_file.py": "the age of a file, as a hint only: the monotonic clock decides in the end",
    "credentials": "until when a token is good, which its issuer says as a date",
    "demo/provider.py": "when a response was made, as its format says",
    "server/capture": "when an exchange was captured",
    "server/convert/serve_converted.py": "a date in Retry-After",
    "server/fallback.py": "a date in Retry-After",
    "server/page_fetcher.py": "when a page was fetched, as Anthropic's format says",
    "server/routes/page.py": "what the page compares dates with",
    "server/upstream/key_proof.py": "the date of a signature",
    "server/records": "when a request ended, for people",
    "server/log.py": "the time of a line",
}
"""Where the time of day is asked for, and why it must be."""
_ASKS = re.compile(
    r"\btime\.time(?:_ns)?\(|\btime\.time\b(?!_)|datetime\.(?:now|today|utcnow)\(|date\.today\("
)


def test_the_time_of_day_is_asked_where_a_date_is_meant() -> None:
    asking = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if _ASKS.search(path.read_text("utf-8"))
    }
    assert {path for path in asking if not any(path.startswith(known) for known in TIME_OF_DAY)} == set()
