"""The log: one line per request, never a key, a header or a body."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from claude_code_proxy.core import wire
from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.records.exchange_record import Shown, record_of

logger = logging.getLogger("claude_code_proxy")

_MAX_SESSIONS = 1024
_MAX_SHOWN = 200
_MOST_WAITING = 10_000  # lines
_BATCH_SECONDS = 0.02
_BUSY_BATCH_SECONDS = 0.2  # the thread takes turns with the event loop, which costs a busy server a tenth
_BUSY = 25  # batches without a pause between them
_LAST_WAIT = 0.5  # seconds


def configure(level: str, form: str = "text") -> None:
    """Write this program's log at `level` and above to standard error; `form` is text or json."""
    handler = Handler(_JsonForm() if form == "json" else _TextForm("%(asctime)s %(levelname)s %(message)s"))
    for name in ("claude_code_proxy", "uvicorn.error"):
        target = logging.getLogger(name)
        target.handlers[:] = [handler]
        target.propagate = False
        target.setLevel(logging.WARNING if name == "uvicorn.error" else level.upper())
    # asyncio may quote what a peer sent; what matters of it is in our own errors
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


class Handler(logging.StreamHandler[TextIO]):
    """Writes to the standard error stream, and never waits for whoever reads it or for its disk.

    Lines go out by way of a thread, those of `_BATCH_SECONDS` at once, and more of a busy server's. What
    that cannot get rid of in time is lost, and counted.
    """

    def __init__(self, form: _TextForm | _JsonForm) -> None:
        super().__init__()
        self.setFormatter(form)
        self._form = form
        self._sink = _Sink()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self._write(line)

    def write_request(self, call: Call, line: str) -> None:
        """Write the line of a request, at level INFO: `emit` for what a busy server writes most."""
        self._write(self._form.of_request(call, line))

    def _write(self, line: str) -> None:
        line += "\n"
        try:
            descriptor = self.stream.fileno()
        except (AttributeError, OSError, ValueError):  # no file: something in memory, or closed
            with suppress(AttributeError, OSError, ValueError):
                self.stream.write(line)
        else:
            self._sink.write(descriptor, line.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Give what waits a moment to be written."""
        self._sink.flush(_LAST_WAIT)


class _Sink:
    """Lines on their way to a file."""

    def __init__(self) -> None:
        self._lost = 0  # lines that did not get there since that was last said
        self._waiting: list[bytes] = []
        self._descriptor = -1
        self._lock = threading.Lock()
        self._due = threading.Event()  # something waits: set once a batch, not for each line
        self._hurry = threading.Event()
        self._written = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, descriptor: int, line: bytes) -> None:
        """Have a line written soon."""
        with self._lock:
            self._descriptor = descriptor
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(line)
            else:
                self._lost += 1
            if not self._due.is_set():
                self._written.clear()
                self._due.set()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                    self._thread.start()

    def flush(self, seconds: float) -> None:
        """Wait until nothing waits, but not for long."""
        if self._due.is_set():
            self._hurry.set()
            self._written.wait(seconds)

    def _run(self) -> None:
        batches = 0
        while True:
            if not self._due.wait(_BATCH_SECONDS):
                batches = 0
                self._due.wait()
            self._hurry.wait(_BATCH_SECONDS if batches < _BUSY else _BUSY_BATCH_SECONDS)
            batches += 1
            with self._lock:
                lines, self._waiting = self._waiting, []
                lost, self._lost = self._lost, 0
            said = b"%d lines of the log were lost\n" % lost if lost else b""
            done = _write(self._descriptor, b"".join(lines) + said)
            with self._lock:
                self._lost += 0 if done else lost + len(lines)
                if not self._waiting:
                    self._hurry.clear()
                    self._due.clear()
                    self._written.set()


def _write(descriptor: int, data: bytes) -> bool:
    """Write all of `data`; False where that fails."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return False
    return True


class _TextForm(logging.Formatter):
    """As `logging.Formatter`, but that the date and time are written once per second."""

    _second = 0
    _shown = ""

    def of_request(self, call: Call, line: str) -> str:  # noqa: ARG002
        """The line of a request that has just ended."""
        return f"{self._time(time.time())} INFO {line}"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Date, time and milliseconds of `record`."""
        return self._time(record.created)

    def _time(self, created: float) -> str:
        second = int(created)
        if second != self._second:
            self._second = second
            self._shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"{self._shown},{int(created % 1 * 1000):03}"


class _JsonForm(logging.Formatter):
    """One JSON object a line: time, level, message, and the facts of a request where it is one's line."""

    def of_request(self, call: Call, line: str) -> str:
        """The line of a request that has just ended."""
        return wire.dumps_text(_line_of(time.time(), "info", line) | {"request": _facts(call)})

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        line = _line_of(record.created, record.levelname.lower(), record.getMessage())
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return wire.dumps_text(line)


def _line_of(created: float, level: str, message: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    return {"time": at, "level": level, "message": message}


def _facts(call: Call) -> dict[str, Any]:
    """What the record of a request says, as JSON; texts from outside as in the line."""
    facts = record_of(call).facts()
    del facts["ended"]
    return {key: _shown(call, value) if isinstance(value, str) else value for key, value in facts.items()}


class RequestLog:
    """Writes the line of each request, and each notice code once per client session as a warning."""

    def __init__(self) -> None:
        self._warned: BoundedMap[str, set[str]] = BoundedMap(_MAX_SESSIONS)

    def write(self, call: Call, shown: Shown) -> None:
        """Log a request that is over, as far as it may be `shown`."""
        level = logger.getEffectiveLevel()
        if level > logging.WARNING:
            return
        if shown.notices:
            self._warn_of_notices(call, shown)
        if level <= logging.INFO:
            line = _line(call, shown)
            match logger.handlers:
                case [Handler() as handler]:
                    handler.write_request(call, line)
                case _:
                    logger.info("%s", line)
        if level <= logging.DEBUG and call.report is not None:
            for notice in call.report.notices:
                logger.debug(
                    "%s %s %s at %s: %s",
                    call.request_id,
                    notice.code,
                    notice.action,
                    _shown(call, notice.path),
                    _shown(call, notice.reason),
                )

    def _warn_of_notices(self, call: Call, shown: Shown) -> None:
        warned = self._warned.get(call.session_id)
        if warned is None:
            warned = self._warned[call.session_id] = set()
        self._warned.touch(call.session_id)
        if call.report is None or warned.issuperset(shown.notices):
            return
        for notice in call.report.loud:
            if notice.code not in warned:
                warned.add(notice.code)
                logger.warning(
                    "%s: %s %s at %s: %s",
                    _plain(shown.model),
                    notice.code,
                    notice.action,
                    _shown(call, notice.path),
                    _shown(call, notice.reason),
                )


def _line(call: Call, shown: Shown) -> str:
    elapsed = (call.clock() - call.began) * 1000
    status = "gone" if call.gone else call.status
    line = f"{call.method} {_plain(shown.path)} {_plain(shown.model) or '-'} {status} {elapsed:.0f}ms"
    if call.first_byte is not None and call.model:
        line += f" ttft={(call.first_byte - call.began) * 1000:.0f}ms"
    if (usage := call.usage) is not None:
        cached = usage.cache_read_input_tokens
        prompt = usage.input_tokens + cached + usage.cache_creation_input_tokens
        line += f" in={prompt} cached={cached} out={usage.output_tokens}"
    if shown.notices:
        line += f" notices={','.join(shown.notices)}"
    line += f" {call.request_id}"
    if shown.upstream_id:
        line += f" upstream={_plain(shown.upstream_id)}"
    if shown.failure and not call.gone:
        # The last word of the line: it may have any characters in it.
        line += f" error: {_plain(shown.failure)}"
    return line


def _shown(call: Call, text: str) -> str:
    """Text from outside as `_plain`, and without the caller's key."""
    return _plain(call.without_keys(text)[0])


def _plain(text: str) -> str:
    """Text from outside: its beginning, on one line, and nothing that colours the terminal."""
    if len(text) > _MAX_SHOWN:
        text = text[:_MAX_SHOWN] + "..."
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
