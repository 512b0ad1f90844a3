"""Connections to upstreams: one HTTP client for all, one thin client per key and request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from claude_code_proxy import http1
from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.config.models_yaml.model_table import names_claude
from claude_code_proxy.config.models_yaml.models_file import FixedModels, ModelsFile
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.errors.api import ApiError, invalid_request
from claude_code_proxy.core.event_stream import CONTENT_TYPE as EVENT_STREAM
from claude_code_proxy.core.hosts import is_loopback, is_private
from claude_code_proxy.core.report import Report
from claude_code_proxy.server.upstream import failures
from claude_code_proxy.server.upstream import forwarded_headers as headers
from claude_code_proxy.server.upstream.event_stream_response import EventStreamResponse
from claude_code_proxy.transports import MissingExtraError, make_transport
from claude_code_proxy.transports.protocol import Response, Transport

_KEY_HEADERS = ("authorization", "x-api-key", "api-key")


@dataclass(slots=True)
class UpstreamClient:
    """One key and one model's upstream. Lives as long as one request."""

    config: ModelConfig
    url: str
    headers: http1.Headers
    http: Transport
    connect_timeout: float
    socks: bool
    """Whether the transport can use SOCKS proxies."""
    whose: int
    """Whose connections it uses: 0 where they are shared."""
    resends: bool
    """Whether a request goes out again at once when its connection, a kept one, turns out to be dead."""

    def change_key(self, old: str, new: str) -> None:
        """Send `new` from now on where `old` was sent."""
        for name in _KEY_HEADERS:
            if value := self.headers.get(name):
                self.headers[name] = value.replace(old, new)

    def carry(self, further: Mapping[str, str], base: str) -> UpstreamClient:
        """The same with what belongs to its key: `further` headers, the scheme and host of `base`, if any."""
        self.headers.update(further)
        return replace(self, url=moved(self.url, base)) if base else self

    async def post(self, body: bytes) -> Response:
        """Send `body`; return the response when its headers are there. Never follows a redirect.

        Raises `ApiError` when no response comes (`retryable` where another try makes sense).
        """
        _, proxy = _route(self.url.partition("?")[0], socks=self.socks)
        try:
            response = await self.http.request(
                "POST",
                self.url,
                self.headers,
                body,
                proxy=proxy,
                connect_timeout=self.connect_timeout,
                resend=self.resends,
                whose=self.whose,
            )
        except http1.HttpError as error:
            raise failures.connect_error(error, self.config.api_base) from None
        if 300 <= response.status < 400:
            response.close()
            location = response.headers.get("location") or ""
            raise failures.redirect_error(response.status, location, self.config.api_base)
        return EventStreamResponse(response) if response.content_type == EVENT_STREAM else response


class Upstreams:
    """Every upstream of the models file, over one connection pool."""

    def __init__(
        self,
        models: ModelsFile | FixedModels,
        settings: ServerSettings,
        transport: Transport | None = None,
    ) -> None:
        self._models = models
        self._settings = settings
        self._http = transport or _transport(settings)
        self._socks = settings.transport == "http2"

    def create_openai_client(
        self, model: str | ModelConfig, api_key: str, *, stream: bool = True
    ) -> UpstreamClient:
        """A client for the Chat Completions or Responses endpoint of a model, given by name or whole.

        Raises `ApiError` 404 for a name that is not configured.
        """
        config = self.resolve(model) if isinstance(model, str) else model
        return self._client(
            config, config.chat_url, headers.converted_request(config, api_key, stream=stream)
        )

    def create_claude_client(
        self,
        model: str | ModelConfig,
        api_key: str,
        *,
        url: str = "",
        request_headers: http1.Headers | None = None,
    ) -> UpstreamClient:
        """A client for the Anthropic Messages endpoint of a configured model, given by name or whole.

        `url` is another endpoint of the same upstream, `request_headers` what a client sent. Raises
        `ApiError` 404 for a name that is not configured.
        """
        config = self.resolve(model) if isinstance(model, str) else model
        if request_headers is None:
            sent = {"x-api-key": api_key}
            raw = [(b"anthropic-version", b"2023-06-01")]
            request_headers = headers.native_request(raw, sent, config, api_key, Report())
        return self._client(config, url or config.messages_url, request_headers)

    def resolve(self, model_id: str) -> ModelConfig:
        """The configuration behind a name.

        Raises `ApiError` 404 in the words that clients look for, and 400 for a name that is too long.
        """
        if len(model_id) > self._settings.max_name_length:
            raise invalid_request(
                f"model: must have at most {self._settings.max_name_length} characters "
                "(server setting max_name_length)"
            )
        table = self._models.table
        config = table.resolve(model_id)
        if config is None and self._settings.default_model and names_claude(model_id):
            config = table.resolve(self._settings.default_model)
        if config is None:
            near = table.near(model_id)
            hint = (
                f"did you mean {' or '.join(map(repr, near))}?"
                if near
                else "`claude-code-proxy models` lists the configured ones"
            )
            raise ApiError(
                404, "not_found_error", f"model: {model_id} is not configured in models.yaml; {hint}"
            )
        return config

    def _client(self, config: ModelConfig, url: str, request_headers: http1.Headers) -> UpstreamClient:
        """A client for any endpoint of `config`'s upstream. Raises `ApiError` 403."""
        self._check_secret(url, request_headers)
        connect = config.connect_timeout or self._settings.connect_timeout
        resends = self._settings.max_retries > 0
        whose = 0
        if self._settings.separate_connections:  # by a hash that only this process can make
            whose = hash(tuple(map(request_headers.get, _KEY_HEADERS)))
        return UpstreamClient(config, url, request_headers, self._http, connect, self._socks, whose, resends)

    async def get(
        self, url: str, request_headers: http1.Headers, *, seconds: float, limit: int
    ) -> tuple[int, bytes]:
        """Status and body of a GET that is no model's: within `seconds`, at most `limit` bytes of body.

        Never follows a redirect. Raises `ApiError` when no whole answer comes.
        """
        self._check_secret(url, request_headers)
        address, proxy = _route(url.partition("?")[0], socks=self._socks)  # what is asked is nobody's to keep
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.request("GET", url, request_headers, proxy=proxy, resend=True)
                try:
                    return response.status, (await _read(response, limit))[:limit]
                finally:
                    response.close()
        except http1.HttpError as error:
            raise failures.connect_error(error, address) from None
        except TimeoutError:
            late = f"{address} did not respond within {seconds:g} s"
            raise ApiError(504, "timeout_error", late) from None

    def _check_secret(self, url: str, sent: http1.Headers) -> None:
        """Raises `ApiError` 403 for a key that whoever is on the way could read."""
        if self._settings.allow_plain_http or not url.startswith("http:"):
            return
        private, host = _host(url.partition("?")[0])
        if not private and any(sent.get(name) for name in _KEY_HEADERS):
            raise ApiError(
                403,
                "permission_error",
                f"the key would go to {host} over http://, where others can read it: write https:// in "
                "models.yaml, or start the server with --allow-plain-http",
                headers={"x-should-retry": "false"},
            )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


def moved(url: str, base: str) -> str:
    """`url` with the scheme and the host of `base`; itself where that is ""."""
    there = urlsplit(base)
    return urlunsplit(urlsplit(url)._replace(scheme=there.scheme, netloc=there.netloc)) if base else url


async def _read(response: Response, limit: int) -> bytes:
    """The body, but not much more of it than `limit` bytes."""
    data = bytearray()
    while len(data) < limit and (piece := await response.read()):
        data += piece
    return bytes(data)


@lru_cache(maxsize=1024)
def _host(url: str) -> tuple[bool, str]:
    """Whether the host of `url` is this machine or in a private network, and its name."""
    host = urlsplit(url).hostname or ""
    return is_private(host), host


@lru_cache(maxsize=1024)
def _route(url: str, *, socks: bool) -> tuple[str, str | None]:
    """The address of `url` and the proxy from the environment, never one for a loopback address.

    `socks`: the transport can use SOCKS proxies. Raises `ApiError` for a proxy of another kind.
    """
    target = urlsplit(url)
    host = target.hostname or ""
    address = f"{target.scheme}://{target.netloc}"
    found = "" if is_loopback(host) or proxy_bypass(host) else getproxies().get(target.scheme, "")
    if not found:
        return address, None
    proxy = found if "://" in found else f"http://{found}"
    kind = urlsplit(proxy).scheme
    if kind in ("http", "https") or (socks and kind in ("socks5", "socks5h")):
        return address, proxy
    hint = "; a SOCKS proxy needs --transport http2" if kind.startswith("socks") and not socks else ""
    raise ApiError(502, "api_error", f"the proxy for {host} is of kind {kind}, which is not supported{hint}")


def _transport(settings: ServerSettings) -> Transport:
    if settings.separate_connections and settings.transport != "http1":
        raise ConfigError("--separate-connections: only --transport http1 can do that")
    tls = http1.Tls(settings.ca_bundle, settings.client_certificate)
    options = http1.Options(
        age_seconds=settings.connection_age, connections=settings.upstream_connections, tls=tls
    )
    try:
        return make_transport(settings.transport, options)
    except (MissingExtraError, OSError) as error:
        raise ConfigError(str(error)) from error
