"""Where a request goes: a URL taken apart once, for every request that goes there."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from .errors import RequestError

_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[\x21-\x7e]*")
_SENDABLE = re.compile(r"[^\x00-\x20\x7f]*")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Place(NamedTuple):
    """One end of a connection."""

    secure: bool
    """Whether TLS is spoken there."""
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int

    @property
    def authority(self) -> str:
        """`host:port`, as in CONNECT (RFC 9110 9.3.6)."""
        return f"{_bracketed(self.host)}:{self.port}"


class Proxy(NamedTuple):
    """An HTTP proxy. `authorization` is the value of `Proxy-Authorization`, "" for none."""

    place: Place
    authorization: str

    def __repr__(self) -> str:
        return f"<Proxy: {self.place.authority}>"


class Origin(NamedTuple):
    """What connections are alike in: the server, and the proxy on the way to it."""

    server: Place
    proxy: Proxy | None

    @property
    def is_tunnel(self) -> bool:
        """Whether the proxy only passes bytes on (RFC 9110 9.3.6)."""
        return self.proxy is not None and self.server.secure


@dataclass(frozen=True, slots=True)
class Target:
    """An address without its query, ready for the head of a request."""

    origin: Origin
    path: str
    """The request target (RFC 9112 3.2): the path, or the whole URL where a proxy is to fetch it."""
    fields: str = field(repr=False)
    """The lines of `Host` and `Proxy-Authorization`."""


@lru_cache(maxsize=256)
def locate(url: str, proxy: str | None) -> Target:
    """The target of `url`, which has no query: queries are the caller's and not remembered.

    Raises `RequestError`.
    """
    parts, place = _split(url, "the URL")
    if parts.username is not None or parts.password is not None:
        raise RequestError("the URL contains a user name or a password")
    default = place.port == _PORTS[parts.scheme]
    host = _bracketed(place.host) if default else place.authority
    path = sendable(parts.path) or "/"
    fields = f"Host: {host}\r\n"
    if proxy is None:
        return Target(Origin(place, None), path, fields)
    through = _proxy(proxy)
    if not place.secure:
        path = f"http://{host}{path}"
        if through.authorization:
            fields += f"Proxy-Authorization: {through.authorization}\r\n"
    return Target(Origin(place, through), path, fields)


def sendable(text: str) -> str:
    """A path or query as it goes out: unchanged, but what is not ASCII percent-encoded (RFC 3987 3.1).

    Raises `RequestError` for white space and control characters, which would break the request line.
    """
    if _VISIBLE.fullmatch(text):
        return text
    if not _SENDABLE.fullmatch(text):
        raise RequestError("the URL contains white space or a control character")
    return quote(text, safe=_PRINTABLE)


def _proxy(url: str) -> Proxy:
    parts, place = _split(url, "the proxy's URL")
    if parts.username is None:
        return Proxy(place, "")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return Proxy(place, f"Basic {base64.b64encode(login).decode()}")  # RFC 7617


def _split(url: str, what: str) -> tuple[SplitResult, Place]:
    # urlsplit drops line breaks and tabs, which here are a mistake or an attack
    if not _SENDABLE.fullmatch(url):
        raise RequestError(f"{what} contains white space or a control character")
    try:
        parts = urlsplit(url)
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError:  # UnicodeError is one
        raise RequestError(f"{what} has no valid host or port") from None
    if parts.scheme not in _PORTS or not host:
        raise RequestError(f"{what} is not http or https, or has no host")
    return parts, Place(parts.scheme == "https", host, port or _PORTS[parts.scheme])


def _ascii(host: str) -> str:
    """A host name as DNS and TLS want it; raises `UnicodeError`."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
