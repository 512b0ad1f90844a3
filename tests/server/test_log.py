"""The lines of the log."""

from __future__ import annotations

import io
import logging
import re

import pytest

from claude_code_proxy.server import log


@pytest.fixture
def written(loggers: None) -> io.StringIO:
    """What a server writes that was configured as `serve` does it."""
    log.configure("info")
    stream = io.StringIO()
    handler = log.logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    return stream


def test_lines_have_the_time_that_the_standard_formatter_writes(written: io.StringIO) -> None:
    standard = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    expected = []
    for created in (1790000000.0, 1790000000.75, 1790000001.25, 1790000061.5):
        record = log.logger.makeRecord("x", logging.INFO, "file", 1, "a request", (), None)
        record.created, record.msecs = created, created % 1 * 1000
        log.logger.handle(record)
        expected.append(standard.format(record))
    lines = written.getvalue().splitlines()
    assert lines == expected
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO a request", line) for line in lines)


def test_levels_count(written: io.StringIO) -> None:
    log.configure("warning")
    assert not log.logger.isEnabledFor(logging.INFO)


def test_a_log_that_nobody_reads_stops_no_request(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    written.close()
    log.logger.info("a request")
