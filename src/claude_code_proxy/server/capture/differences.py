"""How two captures of one request differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

from claude_code_proxy.core import sse, wire
from claude_code_proxy.server.capture.capture import chunk_bytes

_IDS = re.compile(r"\b(msg|toolu|srvtoolu|req)_[0-9A-Za-z]{20,}")
_TEXTS = ("text", "thinking", "partial_json")


def answer_of(flow: Mapping[str, Any]) -> Any:
    """What the client got, as JSON that is the same for each run: {status, events} or {status, body}.

    Pieces of one text are joined, pings left out, ids numbered, and so is the count of the prompt before the
    upstream has said it.
    """
    data = b"".join(map(chunk_bytes, flow["chunks"]))
    answer: dict[str, Any] = {"status": flow["status"]}
    if "text/event-stream" in flow["headers"].get("content-type", ""):
        decoder = sse.Decoder()
        events = [wire.loads(event.data) for event in (*decoder.feed(data), *decoder.close())]
        answer["events"] = _merged(events)
    else:
        try:
            answer["body"] = wire.loads(data)
        except wire.WireError:
            answer["body"] = data.decode("utf-8", "replace")
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"{found[1]}_{len(numbers) + 1}")

    return json.loads(_IDS.sub(number, wire.dumps_text(answer)))


def _merged(events: list[Any]) -> list[Any]:
    out: list[Any] = []
    for event in events:
        kind = event.get("type")
        if kind == "ping":
            continue
        if kind == "message_start":
            event["message"].pop("usage", None)
        if kind == "content_block_delta" and out and out[-1]["type"] == kind:
            was, now = out[-1], event
            field = next((name for name in _TEXTS if name in now["delta"] and name in was["delta"]), None)
            if field is not None and was["index"] == now["index"]:
                was["delta"][field] += now["delta"][field]
                continue
        out.append(event)
    return out


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The lines of a unified diff of the notices, the requests that went upstream, and the answer."""
    lines: list[str] = []
    for what, was, now in (
        ("notices", _notices(before), _notices(after)),
        *(
            (f"request {number + 1}", _sent(before, number), _sent(after, number))
            for number in range(max(len(before["upstream"]), len(after["upstream"])))
        ),
        ("answer", answer_of(before["answer"]), answer_of(after["answer"])),
    ):
        lines += unified_diff(
            _pretty(was), _pretty(now), f"{what} as captured", f"{what} now", lineterm="", n=2
        )
    return lines


def _notices(capture: Mapping[str, Any]) -> list[str]:
    return [f"{one['action']} {one['code']} at {one['path']}: {one['reason']}" for one in capture["notices"]]


def _sent(capture: Mapping[str, Any], number: int) -> Any:
    sent = capture["upstream"]
    return sent[number]["body"] if number < len(sent) else None


def _pretty(value: Any) -> list[str]:
    return json.dumps(value, indent=1, ensure_ascii=False).splitlines()
