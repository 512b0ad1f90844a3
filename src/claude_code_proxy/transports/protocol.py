"""What the server asks of an HTTP client. The errors are those of `http1.errors`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, Protocol

from claude_code_proxy.http1 import Headers


class Response(Protocol):
    """A response whose head is there. `close` it when done: read to its end, its connection is kept."""

    status: int
    headers: Headers

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""

    @property
    def at_end(self) -> bool:
        """Whether the whole body has arrived, read or not."""

    def read(self) -> Coroutine[Any, Any, bytes]:
        """What arrived since the last read; b"" at the end. Raises `CutError` and `AnswerError`."""

    def close(self) -> None:
        """Be done with the response: a connection on which it has not ended is closed at once."""


class Transport(Protocol):
    """Sends requests over connections that it keeps.

    It follows no redirect, keeps no cookie, and adds no header but `Host`, `Content-Length` and
    `Proxy-Authorization`.
    """

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
        whose: int = 0,
    ) -> Response:
        """Send a request; returns when the head of the response is there, of whatever status.

        Connections are not shared between requests with another `whose`, where the transport can do that.
        `resend`: it goes out once more when a kept connection turns out to be dead. Cancelling it closes the
        connection. Raises `RequestError`, `ConnectError`, `ResetError` and `AnswerError`.
        """

    async def close(self) -> None:
        """Close every connection."""
