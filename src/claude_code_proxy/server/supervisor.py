"""Several server processes on one address: started, replaced when they die or are to be, ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import NamedTuple

import uvicorn

from .drain import Admin, Server, end, refuse_new
from .log import logger

_START = 60.0  # seconds for a process to begin to listen
_PAUSE = 1.0  # seconds after one that failed to
_HANG_UP = getattr(signal, "SIGHUP", -1)
_SIGNALS = [signal.SIGTERM, signal.SIGINT, *([_HANG_UP] if _HANG_UP >= 0 else [])]
_SPAWN = multiprocessing.get_context("spawn")


class _Worker(NamedTuple):
    process: SpawnProcess
    ready: connection.Connection
    """Readable once it listens, and when it ends."""


class Supervisor:
    """Runs `count` processes of a server. They share the sockets, which are listening.

    One that dies is replaced; SIGHUP replaces all, each once the next one listens, so that nobody is refused.
    """

    def __init__(
        self, config: uvicorn.Config, listeners: Sequence[socket.socket], admin: Admin | None, patience: float
    ) -> None:
        self._work = config, listeners, admin
        self._sockets = [*listeners, *([admin.listener] if admin else [])]
        self._count = config.workers
        self._patience = patience  # seconds for a process to end
        self._workers: list[_Worker] = []
        self._retired: list[SpawnProcess] = []
        self._signals: list[int] = []
        self._woken, self._wake = socket.socketpair()

    def run(self) -> int:
        """Run until SIGTERM (0) or SIGINT (130); 1 when the processes cannot start."""
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._note)
        self._workers = [self._started() for _ in range(self._count)]
        listening = [self._listens(worker) for worker in self._workers]
        code = 0 if any(listening) or self._ending else 1
        while not code and not self._ending:
            if _HANG_UP in self._signals:  # perhaps since before the processes listened
                while _HANG_UP in self._signals:
                    self._signals.remove(_HANG_UP)
                self._replace_all()
                continue
            self._wait([worker.process.sentinel for worker in self._workers])
            self._replace_the_dead()
        self._end()
        signal.set_wakeup_fd(-1)
        self._woken.close()
        self._wake.close()
        return 130 if signal.SIGINT in self._signals else code

    @property
    def _ending(self) -> bool:
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's
        self._signals.append(number)

    def _started(self) -> _Worker:
        ready, tell = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_serve, args=(*self._work, tell))
        process.start()
        tell.close()
        return _Worker(process, ready)

    def _listens(self, worker: _Worker) -> bool:
        """Wait until a new process listens; False when it ends before, or takes too long."""
        deadline = time.monotonic() + _START
        while not self._ending and time.monotonic() < deadline:
            self._wait([worker.ready], deadline - time.monotonic())
            if worker.ready.poll():
                try:
                    worker.ready.recv_bytes()
                except EOFError:
                    break
                return True
        if not self._ending:
            logger.error("the server process %s did not start", worker.process.pid)
        return False

    def _wait(self, what: list[int | connection.Connection], seconds: float | None = None) -> None:
        """Wait for any of `what`, or for a signal."""
        if self._woken in connection.wait([*what, self._woken], seconds):
            self._woken.recv(4096)

    def _replace_the_dead(self) -> None:
        for at, worker in enumerate(self._workers):
            if self._ending or worker.process.is_alive():
                continue
            logger.warning(
                "the server process %s ended (%s): replaced", worker.process.pid, worker.process.exitcode
            )
            self._workers[at] = new = self._started()
            if not self._listens(new):
                self._stop(new.process)
                self._wait([], _PAUSE)
        self._retired = [process for process in self._retired if process.is_alive()]

    def _replace_all(self) -> None:
        for at, worker in enumerate(self._workers):
            new = self._started()
            if not self._listens(new):
                self._stop(new.process)
                return
            self._workers[at] = new
            _terminate(worker.process)
            self._retired.append(worker.process)

    def _end(self) -> None:
        """Stop listening, and let each process answer whoever is connected."""
        refuse_new(self._sockets[0])
        for one in self._sockets:
            one.close()
        processes = [*self._retired, *(worker.process for worker in self._workers)]
        for process in processes:
            _terminate(process)
        deadline = time.monotonic() + self._patience
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0.0))
            self._stop(process)

    def _stop(self, process: SpawnProcess) -> None:
        if process.is_alive():
            process.kill()
        process.join()


def _terminate(process: SpawnProcess) -> None:
    with suppress(ProcessLookupError):
        process.terminate()


def _serve(
    config: uvicorn.Config,
    listeners: list[socket.socket],
    admin: Admin | None,
    tell: connection.Connection,
) -> None:
    """What a process does. It ends as it is told, and with its supervisor."""
    config.configure_logging()
    signal.signal(signal.SIGTERM, end)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None
    threading.Thread(target=_end_with, args=(supervisor.sentinel,), daemon=True).start()

    def ready() -> None:
        with suppress(OSError):  # the supervisor is gone
            tell.send_bytes(b"ready")

    with suppress(KeyboardInterrupt):
        Server(config, admin, ready).run(sockets=listeners)


def _end_with(supervisor: int) -> None:
    """Wait for the supervisor to end, however it went, and end this process as it would have done."""
    connection.wait([supervisor])
    os.kill(os.getpid(), signal.SIGTERM)
