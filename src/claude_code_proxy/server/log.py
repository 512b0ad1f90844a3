"""The log: one line per request, never a key, a header or a body."""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from claude_code_proxy.core import wire
from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.server.records.exchange_record import record_of

if TYPE_CHECKING:
    from claude_code_proxy.server.caller.call import Call
    from claude_code_proxy.server.records.exchange_record import Shown

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
    handler = Handler()
    handler.setFormatter(
        JsonFormatter() if form == "json" else _Formatter("%(asctime)s %(levelname)s %(message)s")
    )
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

    def __init__(self) -> None:
        super().__init__()
        self._sink = _Sink()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            descriptor = self.stream.fileno()
        except (AttributeError, OSError, ValueError):  # no file: something in memory, or closed
            super().emit(record)
            return
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._sink.write(descriptor, (line + "\n").encode("utf-8", "backslashreplace"))

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


class _Formatter(logging.Formatter):
    """As `logging.Formatter`, but that the date and time are written once per second."""

    _second = 0
    _shown = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        if "call" in record.__dict__:  # a request's: its message is there, and there is no exception
            return f"{self.formatTime(record)} {record.levelname} {record.msg}"
        return super().format(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Date, time and milliseconds of `record`."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"{self._shown},{record.msecs:03.0f}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, and the facts of a request where it is one's line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if (call := getattr(record, "call", None)) is not None:
            line |= {"request": _facts(call)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return wire.dumps_text(line)


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
            logger.handle(_record(call, _line(call, shown)))
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
        warned = self._warned.get(call.session_id, set())
        self._warned[call.session_id] = warned
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


_REQUEST = vars(logging.LogRecord(logger.name, logging.INFO, "", 0, "", (), None))
"""What is the same in the log record of each request."""


def _record(call: Call, line: str) -> logging.LogRecord:
    """A log record, without a search for the place in the program and the thread that it comes from."""
    record = logging.LogRecord.__new__(logging.LogRecord)
    now = time.time()
    record.__dict__.update(_REQUEST, msg=line, created=now, msecs=now % 1 * 1000, call=call)
    return record


def _line(call: Call, shown: Shown) -> str:
    elapsed = (call.clock() - call.began) * 1000
    words = [
        call.method,
        _plain(shown.path),
        _plain(shown.model) or "-",
        "gone" if call.gone else str(call.status),
        f"{elapsed:.0f}ms",
    ]
    if call.first_byte is not None and call.model:
        words.append(f"ttft={(call.first_byte - call.began) * 1000:.0f}ms")
    if call.usage is not None:
        usage = call.usage
        cached = usage.cache_read_input_tokens
        words.append(f"in={usage.input_tokens + cached + usage.cache_creation_input_tokens}")
        words.append(f"cached={cached}")
        words.append(f"out={usage.output_tokens}")
    if shown.notices:
        words.append("notices=" + ",".join(shown.notices))
    words.append(call.request_id)
    if shown.upstream_id:
        words.append("upstream=" + _plain(shown.upstream_id))
    if shown.failure and not call.gone:
        # The last word of the line: it may have any characters in it.
        words.append("error: " + _plain(shown.failure))
    return " ".join(words)


def _shown(call: Call, text: str) -> str:
    """Text from outside as `_plain`, and without the caller's key."""
    return _plain(call.without_keys(text)[0])


def _plain(text: str) -> str:
    """Text from outside: its beginning, on one line, and nothing that colours the terminal."""
    text = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
