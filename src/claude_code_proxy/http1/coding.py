"""Bodies that come compressed although nobody asked for it (RFC 9110 8.4.1)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable

from .errors import AnswerError, CutError

_STEP = 256 << 10  # bytes unpacked at once, so that a small answer cannot become a large one in memory
_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class Decoder:
    """Unpacks a body of one coding: gzip, or deflate with or without the wrapper that belongs to it."""

    __slots__ = ("_coding", "_inflate", "_packed")

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower().removeprefix("x-")
        self._packed = b""
        self._inflate: zlib._Decompress | None = None

    async def read(self, source: Callable[[], Awaitable[bytes]]) -> bytes:
        """The next unpacked bytes of what `source` gives; b"" at the end.

        Raises `AnswerError` for what cannot be unpacked, `CutError` for a stream without its end.
        """
        try:
            while True:
                if self._packed:
                    await asyncio.sleep(0)  # others have their turn
                else:
                    self._packed = await source()
                    if not self._packed:
                        return self._finish()
                if data := self._unpack():
                    return data
        except zlib.error:
            raise AnswerError(f"the body is not {self._coding}") from None

    def _unpack(self) -> bytes:
        inflate = self._inflate
        if inflate is None or inflate.eof:  # gzip may come in several members (RFC 1952 2.2)
            inflate = self._inflate = zlib.decompressobj(self._window_bits())
        data = inflate.decompress(self._packed, _STEP)
        self._packed = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        return data

    def _finish(self) -> bytes:
        """What is left when nothing more comes."""
        if self._inflate is None or self._inflate.eof:
            return b""
        data = self._inflate.flush()
        if not data and not self._inflate.eof:
            raise CutError(f"the {self._coding} body has no end")
        return data

    def _window_bits(self) -> int:
        if self._coding == "gzip":
            return _GZIP
        if self._coding == "deflate":
            return _ZLIB if self._packed[0] & 0x0F == 8 else _RAW  # RFC 1950 2.2
        raise AnswerError(f"the body is encoded as {self._coding[:20]!a}, which nobody asked for")
