"""Simulated hosts of Claude: Vertex AI, Bedrock (both ways) and Foundry. Each refuses what it does not know."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import json
import re
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.frames import chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.byte_upstream import Connection, Request, Script

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-of-the-cloud",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 2},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
]
VERTEX = "/v1/projects/p/locations/global/publishers/anthropic"
EVENT_STREAM = "application/vnd.amazon.eventstream"


def anyone(request: Request) -> bool:
    return True


async def _stream(connection: Connection) -> None:
    await connection.head()
    for event in EVENTS:
        await connection.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    await connection.end()


def vertex(allows: Callable[[Request], bool] = anyone) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        path, body = request.path, request.json
        if not allows(request):
            error = {"code": 401, "message": "Request had invalid credentials.", "status": "UNAUTHENTICATED"}
            await connection.whole(401, json.dumps([{"error": error}]).encode())
        elif not str(body.get("anthropic_version")).startswith(("vertex-2023", "2026-")):
            await invalid(connection, "anthropic_version: Field required")
        elif path == f"{VERTEX}/models/count-tokens:rawPredict" and "model" in body:
            await connection.whole(200, {"input_tokens": 42})
        elif "model" in body or not path.startswith(f"{VERTEX}/models/claude-"):
            await invalid(connection, "model: Extra inputs are not permitted")
        elif path.endswith(":streamRawPredict") and body.get("stream") is True:
            await _stream(connection)
        elif path.endswith(":rawPredict") and not body.get("stream"):
            await connection.whole(200, MESSAGE)
        else:
            await invalid(connection, "the path and the body do not agree")

    return script


async def invalid(connection: Connection, message: str) -> None:
    error = {"type": "invalid_request_error", "message": message}
    await connection.whole(400, {"type": "error", "error": error})


def invoke(allows: Callable[[Request], bool] = anyone) -> Script:
    """Bedrock's InvokeModel, whose stream comes in frames, cut where no frame ends."""

    async def script(request: Request, connection: Connection) -> None:
        path, body = unquote(request.path), request.json
        if not allows(request):
            message = "The security token included in the request is invalid."
            await connection.whole(
                403, {"message": message}, x_amzn_errortype="UnrecognizedClientException:http://x"
            )
        elif not str(body.get("anthropic_version")).startswith(("bedrock-2023", "2026-")):
            await connection.whole(400, {"message": "anthropic_version: Field required"})
        elif {"model", "stream"} & body.keys() or not path.startswith("/model/us.anthropic.claude-"):
            await connection.whole(400, {"message": "extraneous key is not permitted"})
        elif path.endswith("/invoke-with-response-stream"):
            await connection.head(kind=EVENT_STREAM)
            data = b"".join(chunk(json.dumps(event).encode()) for event in EVENTS)
            for start in range(0, len(data), 100):
                await connection.chunk(data[start : start + 100])
            await connection.end()
        else:
            await connection.whole(200, MESSAGE)

    return script


def messages(allows: Callable[[Request], bool] = anyone, status: int = 401, refusal: Any = None) -> Script:
    """Anthropic's own paths, as on Foundry and at Bedrock's newer addresses."""

    async def script(request: Request, connection: Connection) -> None:
        if not allows(request):
            await connection.whole(
                status, refusal or {"statusCode": 401, "message": "Unauthorized. Token expired."}
            )
        elif (
            request.path.partition("?")[0] != "/anthropic/v1/messages"
            or request.header("anthropic-version") is None
        ):
            await connection.whole(404, {"error": {"code": "404", "message": "Resource not found"}})
        elif request.json.get("stream"):
            await _stream(connection)
        else:
            await connection.whole(200, MESSAGE)

    return script


SECRET = "planted-secret"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-west-1"}
PROOF = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<scope>(?P<day>\d{8})/[\w-]+/[\w-]+/aws4_request), "
    r"SignedHeaders=(?P<names>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class Checker:
    """What AWS does with a signature (written after its documentation), by a clock that may be wrong."""

    def __init__(self, script: Callable[[Callable[[Request], bool]], Script], ahead: float = 0.0) -> None:
        self.secrets = {"AKIDEXAMPLE": SECRET}
        self.tokens: dict[str, str] = {}
        self.ahead = ahead
        self.refusal = "UnrecognizedClientException"
        self._script = script(lambda request: True)

    async def __call__(self, request: Request, connection: Connection) -> None:
        said = self.fault(request)
        if not said:
            await self._script(request, connection)
            return
        headers = {
            "x-amzn-ErrorType": f"{said}:http://internal",
            "date": formatdate(time.time() + self.ahead, usegmt=True),
        }
        await connection.whole(403, {"message": f"{said} planted words"}, **headers)

    def fault(self, request: Request) -> str:
        found = PROOF.fullmatch(request.header("authorization") or "")
        if found is None or found["key"] not in self.secrets:
            return self.refusal
        if self.tokens.get(found["key"]) != request.header("x-amz-security-token"):
            return "ExpiredTokenException"
        moment = request.header("x-amz-date") or ""
        here = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + self.ahead))
        if abs(_seconds(moment) - _seconds(here)) > 300:
            return "InvalidSignatureException"
        if found["scope"].split("/")[1:3] != ["eu-west-1", "bedrock"]:
            return "InvalidSignatureException"
        names = found["names"].split(";")
        assert {"host", "x-amz-date", "content-type"} <= set(names)
        path, _, query = request.path.partition("?")
        lines = "".join(f"{name}:{request.header(name)}\n" for name in names)
        quoted = path.replace("%", "%25").replace(":", "%3A")
        canonical = "\n".join(
            ("POST", quoted, query, lines, found["names"], hashlib.sha256(request.body).hexdigest())
        )
        key = f"AWS4{self.secrets[found['key']]}".encode()
        for part in found["scope"].split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = "\n".join(
            ("AWS4-HMAC-SHA256", moment, found["scope"], hashlib.sha256(canonical.encode()).hexdigest())
        )
        good = hmac.digest(key, text.encode(), "sha256").hex() == found["signature"]
        return "" if good else "InvalidSignatureException"


def _seconds(moment: str) -> float:
    return calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
