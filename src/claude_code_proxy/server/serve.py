"""Run the server until it is told to stop."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace

import uvicorn

from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.hosts import is_loopback
from claude_code_proxy.server.caller.token_file import TokenFile
from claude_code_proxy.server.capture.capture_folder import open_capture_folder
from claude_code_proxy.server.hooks.user_hooks import compile_hooks
from claude_code_proxy.server.records.metrics import Metrics, shared_counts

from . import log
from .app import App
from .certificate import Certificate, check_certificate
from .connections import Connections
from .drain import Admin, Server, end
from .supervisor import Supervisor

_BACKLOG = 2048
# uvloop takes one connection from each listener in a turn of its loop (libuv/libuv#3696). A turn of a busy
# server takes 10 ms: of 256 clients that come at once the last ones would wait for more than a second.
# On Windows there is no uvloop, and a listener that is doubled cannot wait for connections twice.
_MORE_LISTENERS = 0 if sys.platform == "win32" else 15
_OBJECTS_BEFORE_COLLECTION = 20_000  # docs/performance.md
_TURN = 0.001  # seconds for which a thread that works on a large body keeps the interpreter from the loop
_FILES = 65_536
_OWN_FILES = 48  # an idle process has about 30 open
_TO_END = 5.0  # seconds that a process takes to end beside those for its requests
_KEEP_ALIVE = 75  # seconds; longer than clients and load balancers keep idle connections


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM (0) or SIGINT (130); running requests may end within `drain_timeout`.

    Prints the address on standard output once it is bound, with the real port where 0 was asked for. Returns
    the process's exit code: 1 when the address cannot be bound. Raises `ConfigError` for a bad models file,
    and for an address that other machines can reach without `allow_remote`.
    """
    for flag, address in (("host", settings.host), ("admin-listen", (settings.admin_listen or [""])[0])):
        if address and not settings.allow_remote and not is_loopback(address):
            raise ConfigError(
                f"--{flag} {address}: other machines could reach this server; --allow-remote allows that "
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
    if settings.capture is not None:
        open_capture_folder(settings.capture)
    if settings.hooks is not None:
        compile_hooks(settings.hooks)
    if settings.metrics:
        Metrics()
    most = _most_connections()
    settings = replace(settings, max_connections=min(settings.max_connections, most))
    config = Config(App(settings), settings)
    listener = _listener("port", settings.host, settings.port)
    if listener is None:
        return 1
    admin: Admin | None = None
    if settings.admin_listen is not None:
        admin_listener = _listener("admin-listen", *settings.admin_listen)
        if admin_listener is None:
            listener.close()
            return 1
        admin = Admin(admin_listener, Connections(settings, for_admins=True).protocol)
    url = _url(settings, listener, settings.host)
    signal.signal(signal.SIGTERM, end)
    if hasattr(signal, "SIGHUP") and not _has_terminal():
        # Files are read again by themselves; a terminal that is closed ends what runs in it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _say(f"claude-code-proxy listening on {url}")
    log.configure(settings.log_level, settings.log_format)
    where = url
    if admin is not None:
        where = _url(settings, admin.listener, settings.admin_listen[0] if settings.admin_listen else "")
        log.logger.info("health, statistics and metrics at %s", where)
    if settings.max_connections == most:
        log.logger.warning("at most %d clients at once: the limit of open files (ulimit -n) is low", most)
    log.logger.info("%d models of %s; Claude Code connects with:", len(table.models), settings.models)
    named = default or next((model.model_id for model in table.models if not model.is_wildcard), "MODEL")
    log.logger.info("ANTHROPIC_BASE_URL=%s ANTHROPIC_AUTH_TOKEN=KEY ANTHROPIC_MODEL=%s claude", url, named)
    if settings.ui:
        log.logger.info("what happens is shown at %s/ui", where)
    listeners = [listener, *(listener.dup() for _ in range(_MORE_LISTENERS))]
    try:
        if settings.workers > 1:
            with shared_counts() if settings.metrics else nullcontext():
                return Supervisor(config, listeners, admin, settings.drain_timeout + _TO_END).run()
        Server(config, admin).run(sockets=listeners)
    except KeyboardInterrupt:
        return 130
    finally:
        for one in (*listeners, *([admin.listener] if admin else [])):
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
        """Load the application; called in each process before it serves.

        One request makes and drops thousands of JSON objects, which reference counts free. Python's defaults
        would let the garbage collector walk everything that lives for each few hundred of them.
        """
        super().load()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, 20, 20)
        sys.setswitchinterval(_TURN)

    def configure_logging(self) -> None:
        """Set up our own log instead of uvicorn's; called in each process."""
        log.configure(str(self.log_level), self._log_format)


def _listener(flag: str, host: str, port: int) -> socket.socket | None:
    """A socket that listens; None where that fails, which the log says."""
    try:
        return _bind(host, port)
    except OSError as error:
        hint = f" (hint: what uses it may be a server of an earlier try; another port: --{flag})"
        log.logger.error(
            "cannot listen on %s port %d: %s%s",
            host,
            port,
            error.strerror or error,
            hint if error.errno == errno.EADDRINUSE else "",
        )
        return None


def _say(line: str) -> None:
    """Print a line; where the disk is full or nobody reads on, it and what follows goes nowhere."""
    try:
        print(line, flush=True)  # noqa: T201
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _url(settings: ServerSettings, listener: socket.socket, host: str) -> str:
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{listener.getsockname()[1]}"


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


def _most_connections() -> int:
    """How many clients the limit of open files allows, 1024 on many systems, raised as far as it may be.

    A third for clients, a third for their upstreams, a third for health checks and files.
    """
    if sys.platform == "win32":
        return _FILES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # some systems have a lower limit of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    files = _FILES if soft == resource.RLIM_INFINITY else soft
    return max((files - _OWN_FILES) // 3, 1)
