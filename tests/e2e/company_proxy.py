"""A proxy of HTTP CONNECT that is the whole internet: `python -m tests.e2e.company_proxy FOLDER PORT HOST TO`.

It opens a tunnel to HOST only, answers there with a certificate of its own, FOLDER/server.pem, and hands what
comes on to the loopback port TO. As companies have it; and a test reaches a provider's real address with it.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Hands connections for `host` on to the loopback port `to`, without TLS."""

    def __init__(self, host: str, to: int, tls: ssl.SSLContext) -> None:
        self._host = host
        self._to = to
        self._tls = tls

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until a side ends it."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.split()[:2] == [b"CONNECT", f"{self._host}:443".encode()]:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await writer.start_tls(self._tls)
                there, back = await asyncio.open_connection("127.0.0.1", self._to)
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            else:
                writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _main(folder: str, port: str, host: str, to: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(Path(folder) / "server.pem")
    server = await asyncio.start_server(Proxy(host, int(to), tls).serve_one, "127.0.0.1", int(port))
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
