"""The transport on httpx2: HTTP/2 and SOCKS proxies, at fifteen times the processor time of `http1`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import h2.exceptions
import httpx2

from claude_code_proxy import http1
from claude_code_proxy.http1 import Headers, Options
from claude_code_proxy.http1.coding import Decoder
from claude_code_proxy.http1.tls import make_context

_NO_HTTP = "no HTTP"
_ENDED = "the server closed the connection"


class Httpx2Response:
    """A response of httpx2 in the form that the server reads."""

    def __init__(self, response: httpx2.Response, closing: set[asyncio.Task[None]]) -> None:
        self._closing = closing
        self.status = response.status_code
        self.headers = http1.Headers.received(response.headers.raw)
        self._response = response
        self._pieces: AsyncIterator[bytes] = response.aiter_raw()
        # The library's own decoders take a cut body for a whole one.
        coding = self.headers.get("content-encoding")
        self._decoder = Decoder(coding) if coding else None
        self._ended = False

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "application/octet-stream" if none is given."""
        value = self.headers.get("content-type") or "application/octet-stream"
        return value.partition(";")[0].strip().lower()

    @property
    def at_end(self) -> bool:
        """Whether the body was read to its end."""
        return self._ended

    async def read(self) -> bytes:
        """What arrived since the last read; b"" at the end. Raises `CutError` and `AnswerError`."""
        if self._ended:
            return b""
        data = await (self._raw() if self._decoder is None else self._decoder.read(self._raw))
        self._ended = not data
        return data

    async def _raw(self) -> bytes:
        try:
            async for piece in self._pieces:
                if piece:
                    return piece
        except Exception as error:
            raise _reading(error) from None
        return b""

    def close(self) -> None:
        """Be done with the response."""
        task = asyncio.get_running_loop().create_task(self._response.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        """A connection that fails while it is closed is closed all the same."""
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()


class Httpx2Client:
    """One httpx2 client for each proxy, since httpx2 binds its proxy to the client."""

    def __init__(self, options: Options) -> None:
        self._context = make_context(options.tls, ("h2", "http/1.1"))
        self._proxy_context = make_context(options.tls, ("http/1.1",))
        self._clients: dict[str | None, httpx2.AsyncClient] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: Headers,
        body: bytes = b"",
        *,
        proxy: str | None = None,
        connect_timeout: float = 30.0,
        resend: bool = False,
        whose: int = 0,  # noqa: ARG002 - httpx2 shares its connections
    ) -> Httpx2Response:
        """As `Transport.request`."""
        headers.encode()  # refuses what cannot be sent, in words without any value
        client = self._client(proxy)
        timeout = httpx2.Timeout(None, connect=connect_timeout, pool=connect_timeout)
        try:
            request = httpx2.Request(
                method,
                url,
                headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
                content=body if method == "POST" else None,
                extensions={"timeout": timeout.as_dict()},
            )
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise http1.RequestError(f"the address is not one: {type(error).__name__}") from None
        for again in (resend, False):
            try:
                response = await client.send(request, stream=True, follow_redirects=False)
            except Exception as error:
                failure = _asking(error, connect_timeout)
                if not (again and isinstance(failure, http1.ResetError)):
                    raise failure from None
            else:
                return _checked(Httpx2Response(response, self._closing))
        raise AssertionError("the second try returns or raises")

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, proxy: str | None) -> httpx2.AsyncClient:
        client = self._clients.get(proxy)
        if client is None:
            client = self._clients[proxy] = httpx2.AsyncClient(
                verify=self._context,
                http2=True,
                trust_env=False,
                proxy=self._hop(proxy),
                # An idle connection may hold bytes that nobody asked for; over HTTP/1.1 the next request
                # would take them for its response.
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            )
            client.headers.clear()  # nothing that says who we are, and no accept-encoding
        return client

    def _hop(self, proxy: str | None) -> httpx2.Proxy | None:
        """The proxy, with our own authorities where the way to it is encrypted."""
        if proxy is None:
            return None
        return httpx2.Proxy(proxy, ssl_context=self._proxy_context if proxy.startswith("https:") else None)


def _checked(response: Httpx2Response) -> Httpx2Response:
    """The response, if HTTP/1.1 could have brought its head; HTTP/2 can more. Raises `AnswerError`."""
    if 200 <= response.status <= 599 and response.headers.is_strict:
        return response
    response.close()
    raise http1.AnswerError(_NO_HTTP)


def _asking(error: Exception, seconds: float) -> http1.HttpError:
    """What went wrong before the head of a response, in the words of `http1.errors`."""
    words = _words(error)
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return http1.ConnectTimeoutError(f"no connection within {seconds:g} s")
        case httpx2.LocalProtocolError() if any(
            isinstance(of, h2.exceptions.H2Error) for of in _causes(error)
        ):
            # so it calls what the server does wrong too; all requests of the connection hear of it
            return http1.ResetError(_ENDED) if "CLOSED" in words else http1.AnswerError(_NO_HTTP)
        case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol():
            return http1.RequestError(words)
        case httpx2.RemoteProtocolError() if "disconnected" not in words:
            return http1.AnswerError(_NO_HTTP)  # the library's own words quote what came
        case httpx2.ReadError() | httpx2.WriteError() | httpx2.RemoteProtocolError() | httpx2.CloseError():
            return http1.ResetError(words or _ENDED)
        case httpx2.HTTPError() | OSError():
            *_, cause = _causes(error)
            if isinstance(cause, ssl.SSLError):
                return http1.TlsError(words)
            return http1.DnsError(words) if isinstance(cause, socket.gaierror) else http1.ConnectError(words)
        case _:
            return http1.AnswerError(_NO_HTTP)  # a status that is no number, for one


def _reading(error: Exception) -> http1.HttpError:
    """What went wrong within a response."""
    match error:
        case httpx2.DecodingError():
            return http1.AnswerError(_words(error))
        case httpx2.HTTPError():
            return http1.CutError(_words(error) or _ENDED)
        case RuntimeError():  # it was closed meanwhile
            return http1.CutError("the response was closed")
        case _:
            return http1.AnswerError(_NO_HTTP)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and the reasons that it gives, the innermost last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
