"""What is sent and what is answered: Claude Code's requests, and streams as providers send them."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FIXTURE = Path(__file__).parent.parent / "tests" / "fixtures" / "01_first_turn_unknown_model.json"
MODEL = "bench"
NATIVE_MODEL = "bench-native"
FIRST = "QUARK"
"""The first word of every answer: where it arrives, the first token has arrived."""

_SENTENCE = "the quick brown fox jumps over a lazy dog and then reads one more file before it answers"
_WORDS = _SENTENCE.split(" ")


# --- requests -----------------------------------------------------------------------------------------


@cache
def _fixture() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(FIXTURE.read_text())["body"]
    return body


def request(size: int | None = None, *, stream: bool = True, model: str = MODEL) -> bytes:
    """A Messages request: Claude Code's first turn (84 kB), or a conversation of about `size` bytes."""
    body = {**_fixture(), "model": model, "stream": stream}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    if size is not None:
        turns: list[dict[str, Any]] = []
        missing = size - len(data)
        while missing > 0:
            turns += _turn(len(turns))
            missing -= _turn_size()
        data = json.dumps(
            {**body, "messages": [*body["messages"], *turns]}, ensure_ascii=False, separators=(",", ":")
        ).encode()
    return data


@cache
def _turn_size() -> int:
    return len(json.dumps(_turn(100_000), separators=(",", ":")))


def _turn(number: int) -> list[dict[str, Any]]:
    """One tool call and its result, a source file of 4 kB."""
    call = f"toolu_{number:08d}"
    path = f"/home/user/project/src/module_{number}.py"
    listing = "\n".join(
        f'{line:6}\tdef step_{line}(self) -> "str":  # {_words(line)}' for line in range(1, 51)
    )
    said = {"type": "text", "text": f"Step {number}: I'll read the next file. {_words(number)}"}
    used = {"type": "tool_use", "id": call, "name": "Read", "input": {"file_path": path}}
    result = {"type": "tool_result", "tool_use_id": call, "content": listing}
    return [{"role": "assistant", "content": [said, used]}, {"role": "user", "content": [result]}]


def _words(seed: int) -> str:
    return " ".join(_WORDS[(seed + offset) % len(_WORDS)] for offset in range(5))


# --- answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What the upstream writes, piece by piece, and what a client must find in it."""

    pieces: tuple[bytes, ...]
    chunks: int
    text: str
    """All text or tool arguments of the answer, for checking that a proxy delivers it."""

    def dump(self) -> bytes:
        """In the load program's format."""
        return b"".join(struct.pack("=I", len(piece)) + piece for piece in self.pieces)


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req-1\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
_USAGE = {"prompt_tokens": 21034, "completion_tokens": 64, "total_tokens": 21098}


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _streamed(chunks: int, text: str, events: list[bytes]) -> Answer:
    """The head goes out with the first event, the end of the body with the last."""
    coded = [_chunked(event) for event in events]
    return Answer((_STREAM_HEAD + coded[0], *coded[1:-1], coded[-1] + b"0\r\n\r\n"), chunks, text)


def _pieces(chunks: int) -> list[str]:
    words = [FIRST, *(_WORDS[number % len(_WORDS)] for number in range(chunks - 1))]
    return [word + " " for word in words]


def _chat_chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    chunk = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "upstream-model",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _chat_end(finish: str) -> list[bytes]:
    """One piece: converters have nothing to write for the first of these, which would look like a gap."""
    return [_chat_chunk({}, finish) + _chat_chunk({}, choices=[], usage=_USAGE) + b"data: [DONE]\n\n"]


def chat_text(chunks: int) -> Answer:
    """A Chat Completions stream with a text in `chunks` pieces."""
    texts = _pieces(chunks)
    events = [_chat_chunk({"role": "assistant", "content": ""})]
    events += [_chat_chunk({"content": text}) for text in texts]
    return _streamed(chunks, "".join(texts), events + _chat_end("stop"))


def chat_tool(chunks: int) -> Answer:
    """A Chat Completions stream with one tool call whose arguments come in `chunks` pieces."""
    texts = ['{"command": "', *_pieces(chunks - 2), '"}']
    start = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": ""}}
    events = [_chat_chunk({"role": "assistant", "content": None, "tool_calls": [start]})]
    events += [_chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}) for text in texts]
    return _streamed(chunks, "".join(texts), events + _chat_end("tool_calls"))


def native_text(chunks: int) -> Answer:
    """An Anthropic stream with a text in `chunks` pieces."""
    texts = _pieces(chunks)
    usage = {"input_tokens": 21034, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "msg_0123456789",
        "type": "message",
        "role": "assistant",
        "model": "upstream-model",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    payloads: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
            for text in texts
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 64},
        },
        {"type": "message_stop"},
    ]
    return _streamed(
        chunks,
        "".join(texts),
        [
            f"event: {payload['type']}\ndata: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()
            for payload in payloads
        ],
    )


def chat_whole() -> Answer:
    """A whole Chat Completions answer."""
    text = "".join(_pieces(64))
    body = json.dumps(
        {
            "id": "chatcmpl-0123456789abcdef",
            "object": "chat.completion",
            "created": 1790000000,
            "model": "upstream-model",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            ],
            "usage": _USAGE,
        }
    ).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    )
    return Answer((head + body,), 1, text)
