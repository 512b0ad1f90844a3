"""A passed-through stream as bytes: the model's name goes back into any shape of its first event, in linear time."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.server.passthrough.native_stream import NativeStream

MIB = 1 << 20


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ('data: {"type":"message_start","message":{"model":"real"}}', "m"),
        ('event: message_start\ndata:{"type": "message_start", "message": {"model" :\t"real"}}', "m"),
        ('data: {"model":"other","message":{"model":"re\\u0061l"},"type":"message_start"}', "m"),
        ('data: {"type":"message_start","message":{"model":["real"]}}', None),
        ('data: {"type":"message_start","message":{}}', None),
        ('data: ["message_start"]', None),
        ('data: {"message_start"', None),
        (': "message_start"', None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_clients_name_of_the_model(event: str, expected: str | None, newline: str) -> None:
    raw = f"{event}\n\n".replace("\n", newline).encode()
    shown = NativeStream("m", "r").feed(raw)
    if expected is None:
        assert shown == raw
    else:
        start = raw.index(b'"re')
        assert shown == raw[:start] + b'"m"' + raw[raw.index(b'l"', start) + 2 :]


@pytest.mark.parametrize(
    "event",
    [
        b'x: "message_start"\n' + b"data: {" * (MIB // 7),
        b"data: {" + b'"message_start"' * (MIB // 15),
        b'data: {"type":"message_start","message":{"model":"' + b"a" * MIB + b'"}}',
        b'data: {"type":"message_start","message":{"a":"' + b'\\"model\\"  ' * (MIB // 11) + b'"}}',
        b'data: {"type":"message_start","message":{"model":' + b" " * MIB + b'"b"}}',
    ],
)
def test_no_event_takes_long(event: bytes) -> None:
    began = time.thread_time()
    NativeStream("m", "r").feed(event + b"\n\n")
    assert time.thread_time() - began < 1


def test_counts_of_any_name_take_no_memory() -> None:
    stream = NativeStream(None, "r")
    tracemalloc.start()
    try:
        for number in range(200):
            usage = ",".join(f'"k{number}_{at}":{at + 1}' for at in range(200))
            stream.feed(b'data: {"type":"message_delta","usage":{%b}}\n\n' % usage.encode())
        stream.feed(b'data: {"type":"message_delta","usage":{"output_tokens":7,"input_tokens":0}}\n\n')
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert stream.usage == Usage(0, 7)
    assert taken < 1 << 20
