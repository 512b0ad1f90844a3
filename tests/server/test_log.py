"""The lines of the log, however they are written."""

from __future__ import annotations

import io
import logging
import re
import time

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


def test_lines_of_requests_look_like_all_others(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for now in (1790000000.0, 1790000000.75, 1790000001.25, 1790000061.5):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        monkeypatch.setattr(time, "time_ns", lambda now=now: round(now * 1e9))  # records, since Python 3.13
        log._info("a request")
        log.logger.info("a request")
    lines = written.getvalue().splitlines()
    assert len(lines) == 8
    assert lines[::2] == lines[1::2]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO a request", line) for line in lines)


def test_a_log_that_nobody_reads_stops_no_request(written: io.StringIO) -> None:
    written.close()
    log._info("a request")
