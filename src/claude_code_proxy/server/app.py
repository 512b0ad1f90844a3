"""The ASGI application: which path goes where, and what becomes of an error."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from functools import partial

from claude_code_proxy.config.models_yaml.models_file import FixedModels, ModelsFile
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.errors.api import ApiError, let_go
from claude_code_proxy.server.caller.body import ClientGoneError
from claude_code_proxy.server.caller.call import Call, Receive, Scope, Send
from claude_code_proxy.server.caller.session_keys import SessionKeys
from claude_code_proxy.server.records.exchange_record import record_of, shown_of
from claude_code_proxy.server.routes import page, status
from claude_code_proxy.server.routes.count_tokens import count_tokens
from claude_code_proxy.server.routes.dry_run import test_conversion
from claude_code_proxy.server.routes.messages import messages
from claude_code_proxy.server.routes.models import list_models, show_model
from claude_code_proxy.server.routes.reachability import test_connection
from claude_code_proxy.transports.protocol import Transport

from .gateway import Gateway
from .log import logger

Handler = Callable[[Gateway, Call], Awaitable[None]]

ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": status.hello},
    "/api/hello": {"GET": status.hello},
    "/health": {"GET": status.health},
    "/ready": {"GET": status.ready},
    "/test-connection": {"GET": test_connection},
    "/metrics": {"GET": status.metrics},
    "/ui": {"GET": page.show},
    "/ui/events": {"GET": page.events},
    "/ui/line": {"GET": page.line},
    "/ui/request": {"GET": page.request},
    "/v1/stats": {"GET": status.stats},
    "/v1/sessions": {"GET": status.sessions},
    "/v1/models": {"GET": list_models},
    "/v1/messages": {"POST": messages},
    "/v1/messages/count_tokens": {"POST": count_tokens},
    "/v1/messages/test_conversion": {"POST": test_conversion},
}
"""Every path and method. A GET answers HEAD too; all paths exist again under `/anthropic`."""

_UNLIMITED = frozenset(("/health", "/ready"))
"""What answers however busy the server is."""
_GREETINGS = frozenset(("/", "/api/hello"))
"""What tells everybody whose server this is, and no more."""
_ADMIN = frozenset(
    ("/metrics", "/test-connection", "/v1/stats", "/v1/sessions", "/v1/messages/test_conversion")
)
"""What tells of others' requests, dials, or works without a key: for this machine and admins.

With `admin_listen` they answer there only, as `_UNLIMITED` does too.
"""

_SMALL = frozenset(("/metrics", "/v1/stats", "/v1/sessions"))
"""What counts as no request where only administrators ask."""

_PAGE = "/ui/"
"""The page, but for the last slash, and all below it: for those too, and without a client token, which a
browser does not have."""

_PREFIX = "/anthropic"
_MODEL = "/v1/models/"
_MOST_SHOWN = 200  # characters of a path


class App:
    """The application for one process. `settings` is all it is made of until the server starts it.

    So it can be handed to worker processes. A bad models or hooks file is a start that failed.
    With `models` it serves those; `session_keys` are those of the one session with which it ends.
    `transport` is asked in the place of upstreams.
    """

    def __init__(
        self,
        settings: ServerSettings,
        models: FixedModels | None = None,
        session_keys: SessionKeys | None = None,
        *,
        transport: Transport | None = None,
    ) -> None:
        self.settings = settings
        self._models = models
        self._session_keys = session_keys
        self._transport = transport
        self._gateway: Gateway | None = None

    @property
    def gateway(self) -> Gateway:
        """What the requests share; made when it is first needed."""
        if self._gateway is None:
            models = self._models or ModelsFile(self.settings.models, logger.warning)
            private = self._session_keys is not None
            self._gateway = Gateway(self.settings, models, private=private, transport=self._transport)
        return self._gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the server, as ASGI says."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        gateway = self._gateway or self.gateway
        call = Call(scope, receive, send)
        if self._session_keys is not None:
            call.session_keys = self._session_keys
            call.is_private = self._models is not None
        if gateway.metrics is not None:
            call.gaps = array("d")
        if gateway.feed is not None:
            gateway.feed.begin(call)
        try:
            await _dispatch(gateway, call)
        except ClientGoneError:
            call.gone = True
        except ApiError as error:
            call.failure, call.error_type = error.message, error.type
            if not call.started:
                await call.respond_error(error)
            let_go(error)
        except asyncio.CancelledError as error:
            if not call.gone:
                raise
            let_go(error)
        except Exception:
            logger.exception("%s failed", call.request_id)
            call.failure = "an internal error of the proxy"
            if not call.started:
                await call.respond_error(ApiError(500, "api_error", "an internal error of the proxy"))
        finally:
            _write_down(gateway, call)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        watch: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    _ = self.gateway
                except ConfigError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                watch = asyncio.create_task(_tell_metrics(self.gateway))
                await send({"type": "lifespan.startup.complete"})
            else:
                if watch is not None:
                    watch.cancel()
                await self.gateway.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _write_down(gateway: Gateway, call: Call) -> None:
    """Tell whoever wants to know of it that a request is over."""
    shown, feed = shown_of(call), gateway.feed
    if call.status >= 400 or not f"{call.path}/".startswith(_PAGE):  # who looks would fill the log
        gateway.log.write(call, shown)
    needed = call.model and (gateway.sinks or feed is not None)
    record = record_of(call, shown) if needed else None
    if record is not None:
        for sink in gateway.sinks:
            sink.add(record)
    if feed is not None:
        feed.end(call, record, shown.loud)
    if call.capture is not None and gateway.captures is not None:
        facts = (record or record_of(call, shown)).facts()
        gateway.captures.keep(call.capture, facts, call.notices)


async def _tell_metrics(gateway: Gateway) -> None:
    """Keep the metrics' figures of now: another worker may be the one that answers."""
    while gateway.metrics is not None:
        gateway.metrics.now(gateway.admission.calls)
        await asyncio.sleep(1)


async def _dispatch(gateway: Gateway, call: Call) -> None:
    gateway.access.check(call)
    path = call.path if call.path in ROUTES else _normal(call.path)
    if gateway.settings.admin_listen is not None:
        _check_listener(path, call)
    if path in _UNLIMITED or (call.is_at_admin and path in _SMALL):
        if call.is_spare:
            call.extra_headers["connection"] = "close"
        await _handler(gateway, call, path)(gateway, call)
        return
    if call.is_spare:
        raise ApiError(
            529,
            "overloaded_error",
            "the proxy is at its limit of connections (max_connections, max_connections_per_address)",
            headers={"connection": "close"},
        )
    if f"{path}/".startswith(_PAGE):
        gateway.access.check_admin(call)
        if gateway.private:
            await asyncio.to_thread(gateway.access.check_owner, call)
        # Who looks is no load that requests would have to wait for.
        await _handler(gateway, call, path)(gateway, call)
        return
    if call.session_keys is None:
        if not call.is_at_admin:
            gateway.access.check_client(call)
    elif path not in _GREETINGS:
        call.session_keys.admit(call.headers)
    try:
        gateway.admission.enter(call)
        await _handler(gateway, call, path)(gateway, call)
    finally:
        gateway.admission.leave(call)


def _check_listener(path: str, call: Call) -> None:
    """Raises `ApiError` 404 for what the other listener answers."""
    is_for_admins = path in _ADMIN or f"{path}/".startswith(_PAGE)
    if call.is_at_admin and not is_for_admins and path not in _UNLIMITED:
        known = ", ".join((*_UNLIMITED, *_ADMIN, "/ui"))
        raise ApiError(404, "not_found_error", f"this listener answers {known}")
    if not call.is_at_admin and is_for_admins:
        raise ApiError(404, "not_found_error", f"{path} answers at the address of --admin-listen")


def _handler(gateway: Gateway, call: Call, path: str) -> Handler:
    """What answers a request for `path`. Raises `ApiError` 403, 404 and 405."""
    methods = ROUTES.get(path)
    if methods is None and path.startswith(_MODEL):
        methods = {"GET": partial(show_model, model_id=path.removeprefix(_MODEL))}
    if methods is None and path.startswith(_PAGE):
        methods = {"GET": page.asset}
    if methods is None:
        known = ", ".join(ROUTES)
        asked = call.path[:_MOST_SHOWN]
        raise ApiError(404, "not_found_error", f"no such path: {asked}; there are {known}")
    handler = methods.get("GET" if call.method == "HEAD" else call.method)
    if handler is None:
        allowed = ", ".join(methods)
        raise ApiError(
            405,
            "invalid_request_error",
            f"{call.path[:_MOST_SHOWN]} takes {allowed}, not {call.method}",
            headers={"allow": allowed},
        )
    if path in _ADMIN:
        gateway.access.check_admin(call)
    return handler


def _normal(path: str) -> str:
    """The path without what users put before and after it: the prefix, a second `/v1`, a slash at the end."""
    if path == _PREFIX or path.startswith(_PREFIX + "/"):
        path = path[len(_PREFIX) :]
    if path.startswith("/v1/v1/"):
        path = path[len("/v1") :]
    return path.rstrip("/") or "/"
