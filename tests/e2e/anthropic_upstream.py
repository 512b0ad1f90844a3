"""An upstream in the Anthropic format: `python -m tests.e2e.anthropic_upstream FOLDER PORT DELAY`.

Each request becomes lines of FOLDER/requests.jsonl, as `recording_provider` writes them. "do N steps" has the
model think and call Bash N times, one call a turn; anything else gets a short answer. Thinking carries a
signature as opaque as a real one, made from the turn's number.

It is Vertex AI and Bedrock's InvokeModel too, at their paths, with few betas and without newer fields.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_code_proxy.demo.serving import serve_until_stopped
from tests.frames import chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from claude_code_proxy.demo.provider import Receive, Send


def signature(step: int) -> str:
    """What signs the thinking of a step."""
    seeds = (hashlib.sha512(f"{step}:{part}".encode()).digest() for part in range(20))
    return base64.b64encode(b"".join(seeds)).decode()


def thinking(step: int) -> str:
    """What the model thinks in a step."""
    return f"Step {step} — é ü \u2028 \\n stays as it is."


def _answer(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked = re.search(r"do (\d+) steps", json.dumps(request["messages"]))
    done = json.dumps(request["messages"]).count('"type": "tool_result"')
    more = asked is not None and bool(request.get("tools")) and done < int(asked[1])
    usage = {"input_tokens": 100 + done, "output_tokens": 1}
    message = {"id": f"msg_{done}", "type": "message", "role": "assistant", "model": request["model"]}
    yield {
        "type": "message_start",
        "message": {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage},
    }
    yield from _block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": thinking(done)},
        {"type": "signature_delta", "signature": signature(done)},
    )
    if more:
        call = {"type": "tool_use", "id": f"toolu_{done:024}", "name": "Bash", "input": {}}
        command = json.dumps({"command": f"echo step-{done}"})
        yield from _block(1, call, {"type": "input_json_delta", "partial_json": command})
    else:
        text = {"type": "text_delta", "text": f"{done} steps done."}
        yield from _block(1, {"type": "text", "text": ""}, text)
    delta = {"stop_reason": "tool_use" if more else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 20}}
    yield {"type": "message_stop"}


def _block(index: int, block: dict[str, Any], *deltas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": block}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


_CLOUD = re.compile(
    r"/model/(?P<bedrock>[^/]+)/invoke-with-response-stream"
    r"|/v1/projects/p/locations/l/publishers/anthropic/models/(?P<vertex>[^/]+):streamRawPredict"
)
_BETAS = {"claude-code-20250219", "interleaved-thinking-2025-05-14"}


def _refusal(request: dict[str, Any], flags: set[str], *, names: bool) -> str:
    """What a host of Claude says of a request that only Anthropic itself takes; it `names` the betas or not."""
    if unknown := flags - _BETAS:
        listed = ", ".join(f"`{flag}`" for flag in sorted(unknown))
        return (
            f"Unexpected value(s) {listed} for the `anthropic-beta` header." if names else "invalid beta flag"
        )
    for number, tool in enumerate(request.get("tools", ())):
        if "defer_loading" in tool:
            return f"tools.{number}.custom.defer_loading: Extra inputs are not permitted"
    gone = next((name for name in ("model", "context_management") if name in request), "")
    return f"{gone}: Extra inputs are not permitted" if gone else ""


class Upstream:
    """The ASGI app; its record is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "requests.jsonl").open("a", buffering=1)
        self._count = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self._count += 1
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        self._write(event="request", path=scope["path"], headers=headers, body=body.decode())
        cloud = _CLOUD.fullmatch(scope["path"])
        if scope["path"] != "/v1/messages" and cloud is None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            self._write(event="over", status=404)
            return
        request = json.loads(body)
        framed = cloud is not None and cloud["bedrock"] is not None
        if cloud is not None:
            flags = request.get("anthropic_beta") or headers.get("anthropic-beta", "").split(",")
            if said := _refusal(request, {flag for flag in flags if flag}, names=not framed):
                told = {"message": said} if framed else {"error": {"code": 400, "message": said}}
                await send({"type": "http.response.start", "status": 400, "headers": []})
                await send({"type": "http.response.body", "body": json.dumps(told).encode()})
                self._write(event="over", status=400)
                return
            request["model"] = cloud["bedrock"] or cloud["vertex"]
        media = b"application/vnd.amazon.eventstream" if framed else b"text/event-stream"
        kind = [(b"content-type", media), (b"request-id", b"req_upstream")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        for event in _answer(request):
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            if framed:
                data = chunk(json.dumps(event).encode())
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self._write(event="over", status=200)

    def _write(self, **record: Any) -> None:
        self._file.write(json.dumps({"number": self._count, "time": time.monotonic(), **record}) + "\n")


if __name__ == "__main__":
    serve_until_stopped(
        Upstream(Path(sys.argv[1])), int(sys.argv[2]), lambda url: print(f"listening on {url}", flush=True)
    )
