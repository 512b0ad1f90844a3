"""The fast way to read a stream whose chunks repeat the one before but for a string.

Most chunks of most providers do (see `core.chunk_template`). With a plain `StreamConverter` in the place of
`RepeatingConverter` every stream gives the same bytes (`tests/core/test_repeats.py` compares them).
"""

from __future__ import annotations

from claude_code_proxy.core import sse, wire
from claude_code_proxy.core.answer import events
from claude_code_proxy.core.answer.events import Event
from claude_code_proxy.core.chunk_template import END, Template, learn
from claude_code_proxy.core.convert_answer import SendAgain, StreamConverter
from claude_code_proxy.core.deltas import Delta, ToolArguments, Usage
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.openai.chat.decode import Decoder as ChatDecoder

_MOST_ATTEMPTS = 16  # to learn a template in vain, in one stream
_MOST_READS = 64  # of single events in one read, each a copy of the rest; then that is read at once
_LONGEST_REST = 64 << 10  # bytes; longer chunks do not repeat


class _Repetition:
    """How chunks that fit `template` are read: each is another `delta`, written as another `event`.

    `arguments` is the delta where it is such a one.
    """

    def __init__(self, template: Template, delta: Delta, event: Event) -> None:
        self.template = template
        self.arguments = delta if isinstance(delta, ToolArguments) else None
        kind, field = event["delta"]["type"], [*event["delta"]][-1]
        empty = sse.encode(events.block_delta(event["index"], kind, field, ""))
        middle = empty.rindex(b'""') + 1
        self._before, self._after = empty[:middle], empty[middle:]
        self._joint = self._after + self._before

    def frame(self, texts: list[bytes]) -> bytes:
        """The events with `texts`, which are JSON strings without their quotes."""
        return self._before + self._joint.join(texts) + self._after


class RepeatingConverter:
    """A `StreamConverter` that gives the same bytes for less: chunks that repeat are not parsed.

    Of the decoder it uses `holes` and `repeated`, of the writer `passes`, `pass_arguments` and `said`.
    """

    def __init__(self, plain: StreamConverter) -> None:
        self._plain = plain
        self._reader = plain.reader
        self._said = plain.reader.writer.said
        self._read_from_start()

    def _read_from_start(self) -> None:
        decoder = self._reader.decoder
        self._decoder = decoder if isinstance(decoder, ChatDecoder) else None
        self._attempts = _MOST_ATTEMPTS if self._decoder is not None else 0
        self._repetition: _Repetition | None = None
        self._rest = b""  # the beginning of a chunk, while chunks repeat

    @property
    def started(self) -> bool:
        """As the plain one."""
        return self._reader.started

    @property
    def finished(self) -> bool:
        """As the plain one."""
        return self._reader.finished

    @property
    def ending(self) -> bool:
        """As the plain one."""
        return self._reader.ending

    @property
    def error(self) -> ApiError | None:
        """As the plain one."""
        return self._reader.error

    @property
    def usage(self) -> Usage | None:
        """As the plain one."""
        return self._reader.usage

    @property
    def again(self) -> SendAgain | None:
        """As the plain one."""
        return self._reader.again

    @property
    def committed(self) -> bool:
        """As the plain one."""
        return self._reader.committed

    def restart(self) -> None:
        """As the plain one."""
        self._plain.restart()
        self._read_from_start()

    def begin(self) -> bytes:
        """As the plain one."""
        return self._plain.begin()

    def progress(self) -> bytes:
        """As the plain one."""
        return self._plain.progress()

    def fail(self, error: ApiError) -> bytes:
        """As the plain one."""
        return self._plain.fail(error)

    def feed(self, data: bytes) -> bytes:
        """Take the next read; the bytes to send, perhaps none."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        out: list[bytes] = []
        left = _MOST_READS
        while data and not self._reader.finished:
            if self._repetition is not None:
                repeated, data = self._read_repeated(self._repetition, data)
                out.append(repeated)
                if END not in data and len(data) <= _LONGEST_REST:
                    self._rest = data
                    break
            left -= 1
            data = self._read_one(data, out, alone=left > 0)
        return b"".join(out)

    def close(self) -> bytes:
        """The upstream ended."""
        rest, self._rest = self._rest, b""
        out = self._plain.feed(rest)
        return out if self._reader.finished else out + self._plain.close()

    def _read_repeated(self, repetition: _Repetition, data: bytes) -> tuple[bytes, bytes]:
        """The events of the chunks at the start of `data` that repeat the one before, and the rest of it."""
        raw, taken = repetition.template.read(data)
        if not raw:
            return b"", data
        texts = wire.strings(raw)
        if texts is None:  # one of many, and looking for it each time would take long
            self._attempts = 0
            return b"", data
        self._attempts = _MOST_ATTEMPTS
        rest = data[taken:]
        if repetition.arguments is None:
            self._said.add("".join(texts))
        elif (written := self._write_arguments(repetition.arguments, texts)) is not None:
            return written, rest
        return repetition.frame(wire.canonical(raw, texts)), rest

    def _write_arguments(self, delta: ToolArguments, texts: list[str]) -> bytes | None:
        """The events of deltas like `delta` with `texts`; None where each text is written as it came."""
        text = "".join(texts)
        assert self._decoder is not None
        self._decoder.repeated(delta.key, text)
        if self._reader.writer.pass_arguments(delta.key, text):
            return None
        return sse.encode_all(self._reader.write([ToolArguments(delta.key, piece) for piece in texts]))

    def _read_one(self, data: bytes, out: list[bytes], *, alone: bool) -> bytes:
        """Read one event, or all of `data` where there is nothing to learn from it; the rest of `data`."""
        end = data.find(END) + len(END) if self._attempts and alone else 0
        if end < len(END):
            end = len(data)
        begun = not self._reader.framing.between
        found = self._reader.feed(data[:end])
        out.append(sse.encode_all(found))
        self._repetition = None
        if self._attempts and len(found) == 1 and not begun:
            self._attempts -= 1
            self._repetition = self._learn(data[:end], found[0])
        return data[end:]

    def _learn(self, chunk: bytes, event: Event) -> _Repetition | None:
        """How chunks that repeat `chunk` are read, which has just become `event`; None: as any other."""
        payload, deltas = self._reader.last_chunk
        self._reader.last_chunk = None, []
        if len(deltas) != 1 or event["type"] != "content_block_delta":
            return None
        assert self._decoder is not None
        holes = self._decoder.holes(payload, deltas[0])
        if not holes or not self._reader.writer.passes(deltas[0]):
            return None
        template = learn(chunk, payload, holes)
        return None if template is None else _Repetition(template, deltas[0], event)
