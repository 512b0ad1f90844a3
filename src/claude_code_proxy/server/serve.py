"""Run the server until it is told to stop."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import uvicorn

from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.hosts import is_loopback
from claude_code_proxy.server.caller.token_file import TokenFile
from claude_code_proxy.server.hooks.user_hooks import compile_hooks
from claude_code_proxy.server.records.metrics import Metrics, shared_counts

from . import log
from .app import App
from .certificate import Certificate, check_certificate
from .connections import Connections
from .drain import Server

if TYPE_CHECKING:
    from types import FrameType

    from claude_code_proxy.config.settings import ServerSettings

_BACKLOG = 2048
# uvloop takes one connection from each listener in a turn of its loop (libuv/libuv#3696). A turn of a busy
# server takes 10 ms: of 256 clients that come at once the last ones would wait for more than a second.
# On Windows there is no uvloop, and a listener that is doubled cannot wait for connections twice.
_MORE_LISTENERS = 0 if sys.platform == "win32" else 15
_OBJECTS_BEFORE_COLLECTION = 20_000  # docs/performance.md
_TURN = 0.001  # seconds for which a thread that works on a large body keeps the interpreter from the loop
_FILES = 65_536
_KEEP_ALIVE = 75  # seconds; longer than clients and load balancers keep idle connections


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM (0) or SIGINT (130); running requests may end within `drain_timeout`.

    Prints the address on standard output once it is bound, with the real port where 0 was asked for. Returns
    the process's exit code: 1 when the address cannot be bound. Raises `ConfigError` for a bad models file,
    and for an address that other machines can reach without `allow_remote`.
    """
    if not settings.allow_remote and not is_loopback(settings.host):
        raise ConfigError(
            f"--host {settings.host}: other machines could reach this server; --allow-remote allows that "
            "(what to look after: claude-code-proxy docs security)"
        )
    table = load_models(settings.models)  # a bad file is the user's to see at once, not a failing worker's
    default = settings.default_model
    if default and table.resolve(default) is None:
        hint = ", ".join(table.near(default)) or "claude-code-proxy models lists them"
        raise ConfigError(f"--default-model: {default} is not in {settings.models} (hint: {hint})")
    for tokens in (settings.admin_tokens, settings.client_tokens):
        if tokens is not None:
            TokenFile(tokens)
    check_certificate(settings)
    if settings.hooks is not None:
        compile_hooks(settings.hooks)
    if settings.metrics:
        Metrics()
    _allow_many_files()
    config = Config(App(settings), settings)
    try:
        listener = _bind(settings.host, settings.port)
    except OSError as error:
        hint = " (hint: what uses it may be a server of an earlier try; another port: --port)"
        log.logger.error(
            "cannot listen on %s port %d: %s%s",
            settings.host,
            settings.port,
            error.strerror or error,
            hint if error.errno == errno.EADDRINUSE else "",
        )
        return 1
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{'https' if settings.tls_cert else 'http'}://{host}:{listener.getsockname()[1]}"
    print(f"claude-code-proxy listening on {url}", flush=True)  # noqa: T201
    log.configure(settings.log_level, settings.log_format)
    log.logger.info("%d models of %s; Claude Code connects with:", len(table.models), settings.models)
    named = default or next((model.model_id for model in table.models if not model.is_wildcard), "MODEL")
    log.logger.info("ANTHROPIC_BASE_URL=%s ANTHROPIC_AUTH_TOKEN=KEY ANTHROPIC_MODEL=%s claude", url, named)
    # uvicorn drains on a signal and then raises it again; for SIGTERM that is a clean end
    signal.signal(signal.SIGTERM, _ignore)
    if settings.workers == 1 and hasattr(signal, "SIGHUP") and not _has_terminal():
        # Files are read again by themselves; a terminal that is closed ends what runs in it.
        signal.signal(signal.SIGHUP, _ignore)
    listeners = [listener, *(listener.dup() for _ in range(_MORE_LISTENERS))]
    try:
        if settings.workers > 1:
            from uvicorn.supervisors import Multiprocess

            with shared_counts() if settings.metrics else nullcontext():
                Multiprocess(config, sockets=listeners).run()
        else:
            Server(config).run(sockets=listeners)
    except KeyboardInterrupt:
        return 130
    finally:
        for one in listeners:
            one.close()
    return 0


class Config(uvicorn.Config):
    """The HTTP server's configuration; can be handed to worker processes."""

    def __init__(self, app: App, settings: ServerSettings) -> None:
        self._log_format = settings.log_format
        super().__init__(
            app,
            interface="asgi3",
            lifespan="on",
            ws="none",
            loop="auto",  # uvloop where it is installed
            http=Connections(settings).protocol,  # type: ignore[arg-type] # what makes one will do
            log_level=settings.log_level,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            workers=settings.workers,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            timeout_notify=1,
            timeout_graceful_shutdown=round(settings.drain_timeout),
        )

        if settings.tls_cert is not None:
            self.callback_notify = Certificate(self, settings).look

    def load(self) -> None:
        """Load the application; called in each process before it serves. A worker ends with its supervisor.

        One request makes and drops thousands of JSON objects, which reference counts free. Python's defaults
        would let the garbage collector walk everything that lives for each few hundred of them.
        """
        super().load()
        if (supervisor := multiprocessing.parent_process()) is not None:
            threading.Thread(target=_end_with, args=(supervisor.sentinel,), daemon=True).start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, 20, 20)
        sys.setswitchinterval(_TURN)

    def configure_logging(self) -> None:
        """Set up our own log instead of uvicorn's; called in each process."""
        log.configure(str(self.log_level), self._log_format)


def _end_with(supervisor: int) -> None:
    """Wait for the supervisor to end, however it went, and end this process as it would have done."""
    multiprocessing.connection.wait([supervisor])
    os.kill(os.getpid(), signal.SIGTERM)


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # The protocol must be said: asyncio turns Nagle's algorithm off only for sockets that name TCP.
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # where it would let another program take the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _has_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _allow_many_files() -> None:
    """Raise this process's limit of open files, 1024 on many systems, as far as it may: two per request."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # some systems have a lower limit of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take the signal that uvicorn raises again after draining, or one that asks for nothing."""
