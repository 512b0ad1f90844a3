"""The lines of the log."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.server import log
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk

from .harness import BODY, KEY, ask, log_in_memory, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def written(loggers: None) -> io.StringIO:
    return log_in_memory()


def test_lines_have_the_time_that_the_standard_formatter_writes(written: io.StringIO) -> None:
    standard = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    expected = []
    for created in (1790000000.0, 1790000000.75, 1790000000.9996, 1790000001.25, 1790000061.5):
        record = log.logger.makeRecord("x", logging.INFO, "file", 1, "a request", (), None)
        record.created, record.msecs = created, int(created % 1 * 1000)
        log.logger.handle(record)
        expected.append(standard.format(record))
    lines = written.getvalue().splitlines()
    assert lines == expected
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO a request", line) for line in lines)


async def refused(request: Request, connection: Connection) -> None:
    await connection.whole(400, {"error": {"type": "invalid_request_error", "message": f"no room for {KEY}"}})


async def cut(request: Request, connection: Connection) -> None:
    await connection.head(200, content_type="text/event-stream")
    await connection.event(text_chunk("hello"))
    connection.reset()


async def failing(request: Request, connection: Connection) -> None:
    """In whichever format is due, after the beginning."""
    await connection.head(200, content_type="text/event-stream")
    if "messages" in request.path:
        start = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}}
        for event in (start, {"type": "error", "error": {"type": "api_error", "message": "out of memory"}}):
            await connection.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    else:
        await connection.event(text_chunk("hello"))
        await connection.event({"error": {"message": "out of memory"}})
    await connection.end()


@pytest.mark.parametrize(
    ("script", "protocol", "stream", "says"),
    [
        (refused, "openai", False, r" 400 .*error: .*no room for "),
        (refused, "openai", True, r" 400 .*error: .*no room for "),
        (refused, "anthropic", False, r" 400 .*error: no room for "),
        (cut, "openai", True, r" 200 .*error: "),
        (cut, "anthropic", True, r" 200 .*error: "),
        (failing, "openai", True, r" 200 .*error: .*out of memory"),
        (failing, "anthropic", True, r" 200 .*error: api_error: out of memory"),
        (say_hello, "openai", True, r" 200 (?!.*error)"),
    ],
)
async def test_a_line_says_what_went_wrong(
    written: io.StringIO, script: Any, protocol: str, stream: bool, says: str
) -> None:
    async with running_upstream(script) as upstream:
        entries = [model(upstream.base, format=protocol)]
        async with running_proxy(entries, max_retries=0) as proxy:
            await ask(proxy, BODY | {"stream": stream})
    (line,) = [line for line in written.getvalue().splitlines() if "/v1/messages" in line]
    assert re.search(says, line), line
    assert KEY not in line


async def test_a_wrong_name_is_said(written: io.StringIO) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        await ask(proxy, BODY | {"model": "mm"})
    assert re.search(r" mm 404 .*error: model: mm is not configured", written.getvalue())


def test_levels_count(written: io.StringIO) -> None:
    log.configure("warning")
    assert not log.logger.isEnabledFor(logging.INFO)


def test_a_log_that_nobody_reads_stops_no_request(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    written.close()
    log.logger.info("a request")


@pytest.fixture
def pipe(loggers: None) -> Iterator[int]:
    """The reading end of a pipe that is the log; the kernel's buffer is all that it holds."""
    reading, writing = os.pipe()
    log.configure("info")
    handler = log.logger.handlers[0]
    assert isinstance(handler, log.Handler)
    with os.fdopen(writing, "w") as stream:
        handler.setStream(stream)
        yield reading
    os.close(reading)


def test_a_pipe_that_nobody_reads_stops_nobody_and_what_is_lost_is_counted(
    pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_MOST_WAITING", 500)
    began = time.monotonic()
    for number in range(5000):
        log.logger.info("request %d %s", number, "x" * 150)
    log.logger.info("%s", "y" * 100_000)
    assert time.monotonic() - began < 5
    text = b""
    while text.count(b"INFO request") + _lost(text) + text.count(b"INFO yyy") < 5001:
        text += os.read(pipe, 1 << 16)
    assert _lost(text) > 1000
    assert [int(n) for n in re.findall(rb"request (\d+) ", text)][:500] == list(range(500))
    handler = log.logger.handlers[0]
    handler.flush()
    log.logger.info("after")
    handler.flush()
    assert os.read(pipe, 1 << 16).endswith(b"INFO after\n")


def _lost(text: bytes) -> int:
    return sum(map(int, re.findall(rb"(\d+) lines of the log were lost", text)))


def test_long_and_odd_lines_come_whole(pipe: int) -> None:
    # not by way of the logger: what pytest itself captures has to be UTF-8
    record = log.logger.makeRecord("x", logging.INFO, "file", 1, "é\ud800" * 10_000, (), None)
    log.logger.handlers[0].emit(record)
    text = b""
    while not text.endswith(b"\n"):
        text += os.read(pipe, 1 << 16)
    assert text.count("é\\ud800".encode()) == 10_000


def test_a_log_that_is_gone_stops_nobody(pipe: int) -> None:
    os.close(pipe)
    for _ in range(10):
        log.logger.info("a request")
    log.logger.info("%s", "y" * 100_000)
    log.logger.handlers[0].flush()
    os.dup2(os.open(os.devnull, os.O_RDONLY), pipe)


def written_to(path: str | Path) -> logging.Handler:
    """The log, going to `path`."""
    log.configure("info")
    handler = log.logger.handlers[0]
    assert isinstance(handler, log.Handler)
    handler.setStream(open(path, "a"))  # noqa: PTH123, SIM115 - closed with the test
    return handler


def test_a_slow_disk_holds_nobody_up(loggers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, slow = os.write, threading.Event()

    def write(descriptor: int, data: bytes) -> int:
        slow.wait(20)
        return real(descriptor, data)

    handler = written_to(tmp_path / "log")
    monkeypatch.setattr(log, "_MOST_WAITING", 500)
    monkeypatch.setattr(os, "write", write)
    began = time.monotonic()
    for number in range(2000):
        log.logger.info("request %d", number)
    assert time.monotonic() - began < 5
    slow.set()
    handler.flush()
    log.logger.info("request 2000")
    handler.flush()
    assert isinstance(handler, log.Handler)
    handler.stream.close()
    lines = (tmp_path / "log").read_text().splitlines()
    lost = [int(line.split()[0]) for line in lines if line.endswith("lines of the log were lost")]
    assert lost
    assert sum(lost) + sum("INFO request" in line for line in lines) == 2001


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_lines_for_a_full_disk_are_counted(loggers: None, tmp_path: Path) -> None:
    handler = written_to("/dev/full")
    assert isinstance(handler, log.Handler)
    for _ in range(10):
        log.logger.info("a request")
    log.logger.info("%s", "y" * 100_000)
    handler.flush()
    assert handler._sink._lost == 11
    full, free = handler.stream, (tmp_path / "log").open("w")
    os.dup2(free.fileno(), full.fileno())  # there is room again
    log.logger.info("a request")
    handler.flush()
    full.close()
    free.close()
    assert re.search(r"INFO a request\n11 lines of the log were lost\n\Z", (tmp_path / "log").read_text())


def test_a_busy_server_writes_more_lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[bytes] = []

    def keep(_: int, data: bytes) -> bool:
        batches.append(data)
        return True

    monkeypatch.setattr(log, "_write", keep)
    monkeypatch.setattr(log, "_BATCH_SECONDS", 0.01)
    monkeypatch.setattr(log, "_BUSY_BATCH_SECONDS", 30.0)
    monkeypatch.setattr(log, "_BUSY", 3)
    sink = log._Sink()
    written = [b"%d\n" % number for number in range(200)]
    for line in written:
        sink.write(2, line)
        time.sleep(0.001)
    sink.flush(5)
    assert b"".join(batches) == b"".join(written)
    assert len(batches) < 10  # 20 and more where each takes a hundredth of a second
    time.sleep(0.1)
    sink.write(2, b"after a pause\n")
    ends = time.monotonic() + 20
    while batches[-1] != b"after a pause\n":
        assert time.monotonic() < ends
        time.sleep(0.005)
