"""Connections to upstreams: one session for all, one thin client per key and request."""

from __future__ import annotations

import io
import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from claude_code_proxy.core.errors import ApiError
from claude_code_proxy.core.report import Report

from . import headers, transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import CIMultiDict

    from claude_code_proxy.config.model import ModelConfig
    from claude_code_proxy.config.models import FixedModels, ModelsFile
    from claude_code_proxy.config.settings import ServerSettings

READ_BUFFER = 64 << 10
"""Bytes not yet handed to the client after which reading from an upstream pauses; aiohttp doubles it."""

_KEEP_ALIVE = 30.0  # seconds; below the idle limits of common load balancers (60), so that few reuses fail
_WHOLE_WRITE = 1 << 20  # larger request bodies go out in pieces, so that the loop stays free


@dataclass(frozen=True, slots=True)
class UpstreamClient:
    """One key and one model's upstream. Lives as long as one request."""

    config: ModelConfig
    url: str
    headers: CIMultiDict[str]
    session: aiohttp.ClientSession
    connect_timeout: float

    async def post(self, body: bytes) -> aiohttp.ClientResponse:
        """Send `body`; return the response when its headers are there. Never follows a redirect.

        Raises `ApiError` when no response comes (`retryable` where another try makes sense).
        """
        url, proxy = _route(self.url)
        with transport.connecting(self.config.api_base):
            response = await self.session.request(
                "POST",
                url,
                data=body if len(body) < _WHOLE_WRITE else io.BytesIO(body),
                headers=self.headers,
                proxy=proxy,
                allow_redirects=False,
                timeout=_timeout(self.connect_timeout),
            )
        if 300 <= response.status < 400:
            response.close()
            location = response.headers.get("location", "")
            raise transport.redirect_error(response.status, location, self.config.api_base)
        return response


class Upstreams:
    """Every upstream of the models file, over one connection pool."""

    def __init__(self, models: ModelsFile | FixedModels, settings: ServerSettings) -> None:
        self._models = models
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    def create_openai_client(self, model_id: str, api_key: str) -> UpstreamClient:
        """A client for the Chat Completions endpoint of a configured model. Raises `ApiError` 404."""
        return self.openai_client(self.resolve(model_id), api_key, stream=True)

    def create_claude_client(self, model_id: str, api_key: str) -> UpstreamClient:
        """A client for the Anthropic Messages endpoint of a configured model. Raises `ApiError` 404."""
        config = self.resolve(model_id)
        form = "x-api-key" if config.native.auth == "as_sent" else config.native.auth
        sent = {"x-api-key": api_key} if form == "x-api-key" else {"authorization": f"Bearer {api_key}"}
        raw = [(b"anthropic-version", b"2023-06-01")]
        return self.client(
            config, config.messages_url, headers.native_request(raw, sent, config, api_key, Report())
        )

    def resolve(self, model_id: str) -> ModelConfig:
        """The configuration behind a name. Raises `ApiError` 404 in the words that clients look for."""
        table = self._models.table
        config = table.resolve(model_id)
        if config is None:
            near = table.near(model_id)
            hint = (
                f"did you mean {' or '.join(map(repr, near))}?"
                if near
                else "`claude-code-proxy models` lists those there are"
            )
            raise ApiError(
                404, "not_found_error", f"model: {model_id} is not configured in models.yaml; {hint}"
            )
        return config

    def openai_client(self, config: ModelConfig, api_key: str, *, stream: bool) -> UpstreamClient:
        """A client for the Chat Completions endpoint of `config`."""
        return self.client(config, config.chat_url, headers.converted_request(config, api_key, stream=stream))

    def client(self, config: ModelConfig, url: str, request_headers: CIMultiDict[str]) -> UpstreamClient:
        """A client for any endpoint of `config`'s upstream."""
        connect = config.connect_timeout or self._settings.connect_timeout
        return UpstreamClient(config, url, request_headers, self._open_session(), connect)

    async def get(
        self, url: str, request_headers: Mapping[str, str], *, seconds: float, limit: int
    ) -> tuple[int, bytes]:
        """Status and body of a GET that is no model's: within `seconds`, at most `limit` bytes of body.

        Never follows a redirect. Raises `ApiError` when no whole answer comes.
        """
        target = URL(url, encoded=True)
        address = str(target.origin())
        _, proxy = _route(address)  # only the address: what is asked is nobody's to keep
        data = bytearray()
        with transport.connecting(address):
            try:
                async with self._open_session().get(
                    target,
                    headers=request_headers,
                    proxy=proxy,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=seconds),
                ) as response:
                    while piece := await response.content.read(limit - len(data)):
                        data += piece
                    return response.status, bytes(data)
            except TimeoutError:
                late = f"{address} did not answer within {seconds:g} s"
                raise ApiError(504, "timeout_error", late) from None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                # trust_env would also read ~/.netrc and put its logins into requests
                trust_env=False,
                read_bufsize=READ_BUFFER,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            )
        return self._session


@lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    """Only connecting is limited here; the exchange's own timer watches the rest."""
    return aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=None, connect=None)


@lru_cache(maxsize=1024)
def _route(url: str) -> tuple[URL, URL | None]:
    """The parsed address and the proxy from the environment, never one for a loopback address."""
    target = URL(url, encoded=True)
    host = target.host or ""
    found = "" if _is_loopback(host) or proxy_bypass(host) else getproxies().get(target.scheme, "")
    if not found:
        return target, None
    proxy = URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in ("http", "https"):
        raise ApiError(
            502, "api_error", f"the proxy for {host} is of kind {proxy.scheme}; only http is known"
        )
    return target, proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
