"""An answer on its way to the client that waits, before its end, for the verdicts on its tool calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from claude_code_proxy.core import sse, wire
from claude_code_proxy.core.auto_mode.tool_uses import ToolUse, ToolUses
from claude_code_proxy.server.caller.call import Message, Send

_BEGINS, _ENDS = b"content_block_start", b"message_delta"


class GuardedAnswer:
    """An ASGI `send` before another: the same answer, and `safeguard_results` in it.

    What the client gets is what is judged: the calls are read from the bytes that go out. All but the end
    goes out at once; keep-alive events may pass while `judge` works. An answer that fails gets no results.
    """

    def __init__(self, send: Send, judge: Callable[[list[ToolUse]], Awaitable[list[Any]]]) -> None:
        self._send = send
        self._judge = judge
        self._uses = ToolUses()
        self._start: Message | None = None  # of a whole answer, whose length is not known yet
        self._whole = bytearray()
        self._streams = False

    async def __call__(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            self._streams = message["status"] == 200 and kind.startswith(b"text/event-stream")
            if message["status"] == 200 and kind.startswith(b"application/json"):
                self._start = message
                return
        elif message["type"] == "http.response.body":
            if self._start is not None:
                await self._take_whole(message)
                return
            if self._streams and (data := message["body"]):
                data = await self._events(data)
                message = {**message, "body": data}
        await self._send(message)

    async def _events(self, data: bytes) -> bytes:
        """What is still to be sent of a piece of a stream."""
        if not self._uses.is_open and _BEGINS not in data and _ENDS not in data:
            return data
        out: list[bytes] = []
        start = 0
        for found in sse.END_OF_EVENT.finditer(data):
            raw = data[start : found.end()]
            start = found.end()
            event = _event(raw)
            self._uses.event(event)
            if _is_end(event):
                if out:
                    await self._send({"type": "http.response.body", "body": b"".join(out), "more_body": True})
                    out.clear()
                event["delta"]["safeguard_results"] = await self._judge(self._uses.found)
                raw = sse.encode(event)
            out.append(raw)
        return b"".join([*out, data[start:]])

    async def _take_whole(self, message: Message) -> None:
        assert self._start is not None
        self._whole += message["body"]
        if message.get("more_body"):
            return
        data = bytes(self._whole)
        try:
            answer = wire.loads_bounded(data)
        except wire.WireError:
            answer = None
        if isinstance(answer, dict) and answer.get("type") == "message":
            self._uses.message(answer)
            data = wire.dumps({**answer, "safeguard_results": await self._judge(self._uses.found)})
        headers = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        headers.append((b"content-length", b"%d" % len(data)))
        await self._send({**self._start, "headers": headers})
        await self._send({**message, "body": data})


def _event(raw: bytes) -> Any:
    try:
        return wire.loads_bounded(sse.data_of(raw))
    except wire.WireError:
        return None


def _is_end(event: Any) -> bool:
    """Whether it says why the answer stopped: the last `message_delta`, and no keep-alive."""
    match event:
        case {"type": "message_delta", "delta": {"stop_reason": str()}}:
            return True
    return False
