"""How a connection is made: a name becomes an address, then TCP, a proxy's tunnel, TLS."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import aiohappyeyeballs

from claude_code_proxy.http1.resolver import AddressInfo, Names
from claude_code_proxy.http1.tls import Tls, make_context

from .address import Origin, Place, Proxy
from .connection import Connection
from .errors import ConnectError, ConnectTimeoutError, DnsError, HttpError, NoFilesError, TlsError

_HEAD_START = 0.25  # seconds that the first address has before the next is tried too (RFC 8305 5)


class Dialer:
    """Makes connections."""

    def __init__(self, tls: Tls, allows: Callable[[str], bool] | None = None) -> None:
        """`allows` says whether a connection to an IP address may be made."""
        self._tls = tls
        self._allows = allows
        self._names = Names()
        self._context: ssl.SSLContext | None = None

    async def dial(self, origin: Origin, seconds: float, lost: Callable[[Connection], None]) -> Connection:
        """A connection to `origin`, ready for a request, within `seconds`. Raises `ConnectError`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._connect(origin, lost)
        except TimeoutError:
            raise ConnectTimeoutError(f"no connection within {seconds:g} s") from None
        except socket.gaierror as error:
            raise DnsError(error.strerror or str(error)) from None
        except ssl.SSLError as error:
            raise TlsError(error.strerror or str(error)) from None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise NoFilesError(error.strerror) from None
            raise ConnectError(error.strerror or str(error) or type(error).__name__) from None

    async def _connect(self, origin: Origin, lost: Callable[[Connection], None]) -> Connection:
        loop = asyncio.get_running_loop()
        if origin.proxy is None:
            return await self._open(origin.server, Connection(loop, origin, lost))
        if not origin.is_tunnel:
            return await self._open(origin.proxy.place, Connection(loop, origin, lost))
        context = await self._secure()
        outer = await self._open(origin.proxy.place, Connection(loop, origin, lambda _: None))
        tunnel = await _tunnel(outer, origin.server, origin.proxy)
        connection = Connection(loop, origin, lost)
        host = origin.server.host.rstrip(".")
        try:
            transport = await loop.start_tls(tunnel, connection, context, server_hostname=host)
        except TypeError as error:  # CPython 3.11.7 and 3.12.1 stumble over a failure of TLS within TLS
            raise error.__context__ or error from None
        if transport is None:  # what asyncio returns when the proxy leaves meanwhile
            raise ConnectionResetError("the proxy closed the connection")
        connection.connection_made(transport)
        return connection

    async def _open(self, place: Place, connection: Connection) -> Connection:
        """Let `connection` have a transport to `place`."""
        loop = asyncio.get_running_loop()
        context = await self._secure() if place.secure else None
        addresses = await self._names.find(place.host, place.port)
        if self._allows is not None:
            addresses = [found for found in addresses if self._allows(found[4][0])]
            if not addresses:
                raise OSError("the host has no address that may be asked")
        try:
            sock = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_HEAD_START, loop=loop, socket_factory=_make_socket
            )
        except OSError:
            self._names.forget(place.host, place.port)
            raise
        host = place.host.rstrip(".") if context else None  # the dot is for DNS, no certificate has it
        await loop.create_connection(lambda: connection, sock=sock, ssl=context, server_hostname=host)
        return connection

    async def _secure(self) -> ssl.SSLContext:
        """The system's certificate authorities, read once; it takes long enough to do it in a thread."""
        if self._context is None:
            self._context = await asyncio.to_thread(make_context, self._tls, ("http/1.1",))
        return self._context


def _make_socket(info: AddressInfo) -> socket.socket:
    sock = socket.socket(*info[:3])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def _tunnel(connection: Connection, server: Place, proxy: Proxy) -> asyncio.Transport:
    """Have the proxy connect to `server` (RFC 9110 9.3.6). Raises `ConnectError`."""
    head = f"CONNECT {server.authority} HTTP/1.1\r\nHost: {server.authority}\r\n"
    if proxy.authorization:
        head += f"Proxy-Authorization: {proxy.authorization}\r\n"
    try:
        await connection.ask(f"{head}\r\n".encode("ascii"), b"")
        status, spoke = connection.status, connection.has_unread
        if 200 <= status < 300 and not spoke:
            return connection.hand_over()
    except HttpError as error:
        raise ConnectError(f"the proxy {proxy.place.authority} did not answer CONNECT: {error}") from None
    connection.close()
    what = f"answered {status}" if not 200 <= status < 300 else "sent more than its answer"
    raise ConnectError(f"the proxy {proxy.place.authority} {what} to CONNECT")
