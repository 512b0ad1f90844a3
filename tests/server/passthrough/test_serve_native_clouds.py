"""Claude on Vertex AI, Bedrock and Foundry: what goes out, judged by the official SDK's own clients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import anthropic
import pytest

from tests.frames import chunk, exception
from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.clouds import EVENT_STREAM, EVENTS, VERTEX, invoke, messages, vertex
from tests.server.harness import BODY, KEY, ask, model, running_proxy

if TYPE_CHECKING:
    from tests.server.byte_upstream import Script

ASK: dict[str, Any] = {
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hi \u2615"}],
    "tools": [{"name": "t", "input_schema": {"type": "object", "properties": {"model": {"type": "string"}}}}],
}
BETAS = ["context-1m-2025-08-07", "interleaved-thinking-2025-05-14"]
MODELS = {"vertex": "claude-opus-4-1@20250805", "bedrock": "us.anthropic.claude-x-v1:0", "azure": "claude-x"}
BASES = {"vertex": VERTEX, "bedrock": "/model", "azure": "/anthropic"}
SCRIPTS = {"vertex": vertex(), "bedrock": invoke(), "azure": messages()}


def theirs(name: str, base: str) -> Any:
    """The SDK's client of the host `name`."""
    if name == "vertex":
        return anthropic.AsyncAnthropicVertex(
            region="global", project_id="p", access_token=KEY, base_url=f"{base}/v1", max_retries=0
        )
    if name == "bedrock":
        return anthropic.AsyncAnthropicBedrock(
            api_key=KEY, aws_region="us-east-1", base_url=base, max_retries=0
        )
    return anthropic.AsyncAnthropicFoundry(api_key=KEY, base_url=f"{base}/anthropic/", max_retries=0)


async def speak(sdk: Any, name: str) -> None:
    message = await sdk.beta.messages.create(model=name, betas=BETAS, **ASK)
    assert message.content[0].text == "Hello"
    stream = await sdk.messages.create(model=name, stream=True, **ASK)
    assert [event.type async for event in stream] == [event["type"] for event in EVENTS]


def wire(request: Request) -> dict[str, Any]:
    """What the host sees of a request."""
    body = request.json
    version = body.pop("anthropic_version", None)  # the SDK sends a newer one
    # Not api-key: for Foundry the SDK sends the key under that name too, "for backwards compatibility".
    keys = {name: request.header(name) for name in ("authorization", "x-api-key")}
    betas = (
        set(str(request.header("anthropic-beta") or "").split(",")) if "anthropic_beta" not in body else ()
    )
    return {
        "path": unquote(request.path),
        "version": version is not None,
        "body": body,
        "keys": keys,
        "betas": sorted(betas),
    }


@pytest.mark.parametrize("name", BASES)
async def test_the_host_gets_what_its_own_sdk_sends(name: str) -> None:
    async with running_upstream(SCRIPTS[name]) as upstream:
        entry = model(upstream.base + BASES[name], format="anthropic", profile=name, model_name=MODELS[name])
        async with theirs(name, upstream.base) as sdk:
            await speak(sdk, MODELS[name])
        expected = [wire(request) for request in upstream.requests]
        upstream.requests.clear()
        async with (
            running_proxy([entry]) as proxy,
            anthropic.AsyncAnthropic(base_url=proxy.base, api_key=KEY, max_retries=0) as sdk,
        ):
            await speak(sdk, "m")
        got = [wire(request) for request in upstream.requests]
    for one in (*expected, *got):
        one["path"] = one["path"].removesuffix("?beta=true")
    assert got == expected


async def test_tokens_are_counted_by_vertex_and_estimated_for_bedrock() -> None:
    async with running_upstream(vertex()) as upstream, running_upstream(invoke()) as other:
        entries = [
            model(upstream.base + VERTEX, format="anthropic", profile="vertex", model_name="claude-x"),
            model(other.base + "/model", format="anthropic", profile="bedrock") | {"model_id": "b"},
        ]
        async with running_proxy(entries) as proxy:
            counted = await ask(proxy, BODY, path="/v1/messages/count_tokens?beta=true")
            own = await ask(proxy, {**BODY, "model": "b"}, path="/v1/messages/count_tokens")
    assert counted.json == {"input_tokens": 42}
    assert upstream.requests[0].path == f"{VERTEX}/models/count-tokens:rawPredict"
    assert upstream.requests[0].json["model"] == "claude-x"
    assert other.requests == []
    assert own.json["input_tokens"] > 0


async def test_what_the_client_says_itself_stays() -> None:
    body = {**BODY, "anthropic_version": "bedrock-2023-05-31-new", "anthropic_beta": ["own"]}
    async with running_upstream(invoke()) as upstream:
        entry = model(
            upstream.base + "/model",
            format="anthropic",
            profile="bedrock",
            model_name="us.anthropic.claude-x",
        )
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy, body, headers={"anthropic-beta": "other"})
    assert reply.status == 200
    sent = upstream.requests[0]
    assert (sent.json["anthropic_version"], sent.json["anthropic_beta"]) == (
        "bedrock-2023-05-31-new",
        ["own"],
    )
    assert sent.header("anthropic-beta") is None
    assert reply.json["model"] == "m"


REFUSALS: list[tuple[str, int, Any, int, str, str]] = [
    ("vertex", 429, [{"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}], 429, "rate_limit_error", "Quota exceeded"),
    ("vertex", 401, {"error": {"code": 401, "message": "bad token", "status": "UNAUTHENTICATED"}}, 401, "authentication_error", "bad token"),
    ("vertex", 404, {"error": {"code": 404, "message": "Publisher Model `x` was not found", "status": "NOT_FOUND"}}, 404, "not_found_error", "not found"),
    ("vertex", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "as it is"}}, 400, "invalid_request_error", "as it is"),
    ("bedrock", 403, {"message": "You don't have access to the model"}, 403, "permission_error", "access"),
    ("bedrock", 429, {"message": "Too many tokens, please wait before trying again."}, 429, "rate_limit_error", "Too many tokens"),
    ("bedrock", 400, {"Message": "Malformed input request"}, 400, "invalid_request_error", "Malformed"),
    ("bedrock", 400, {"message": "prompt is too long: 205000 tokens > 200000 maximum"}, 400, "invalid_request_error", "prompt is too long: 205000 tokens > 200000 maximum"),
    ("azure", 401, {"statusCode": 401, "message": "Unauthorized. Access token is missing"}, 401, "authentication_error", "Unauthorized"),
    ("azure", 403, {"error": {"code": "PermissionDenied", "message": "The principal lacks the role"}}, 403, "permission_error", "lacks"),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("name", "status", "body", "told", "kind", "words"), REFUSALS)
async def test_a_refusal_has_anthropics_shape(
    name: str, status: int, body: Any, told: int, kind: str, words: str, streamed: bool
) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(status, json.dumps(body).encode())

    async with running_upstream(script) as upstream:
        entry = model(upstream.base + BASES[name], format="anthropic", profile=name)
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy, {**BODY, "stream": streamed})
            counted = await ask(proxy, BODY, path="/v1/messages/count_tokens")
    assert reply.status == told
    assert reply.json["error"]["type"] == kind
    assert words in reply.json["error"]["message"]
    if counted.status != 200:  # it was asked
        assert counted.json["error"]["type"] == kind


def framed(*data: bytes) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head(kind=EVENT_STREAM)
        for part in data:
            await connection.chunk(part)
        await connection.end()

    return script


START = b"".join(chunk(json.dumps(event).encode()) for event in EVENTS[:3])
DAMAGED = bytearray(chunk(json.dumps(EVENTS[3]).encode()))
DAMAGED[-1] ^= 1
BAD_STREAMS = {
    "exception": (framed(START, exception("throttlingException", "wait")), "overloaded_error", "wait"),
    "damaged": (framed(START, bytes(DAMAGED)), "api_error", "checksum"),
    "ends inside a frame": (framed(START, bytes(DAMAGED[:20])), "api_error", "inside a frame"),
    "ends too early": (framed(START), "api_error", "before it was complete"),
}


@pytest.mark.parametrize("script, kind, words".split(", "), BAD_STREAMS.values(), ids=BAD_STREAMS)  # noqa: SIM905
async def test_a_stream_that_fails_ends_in_an_error(script: Script, kind: str, words: str) -> None:
    async with running_upstream(script) as upstream:
        entry = model(upstream.base + "/model", format="anthropic", profile="bedrock")
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy, {**BODY, "stream": True})
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.types[:2] == ["message_start", "content_block_start"]
    assert reply.events[-1]["error"]["type"] == kind
    assert words in reply.events[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("key", "name"),
    [("0123456789abcdef", "api-key"), ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "authorization")],
)
async def test_a_token_of_entra_goes_as_bearer_and_a_key_as_such(key: str, name: str) -> None:
    async with running_upstream(messages()) as upstream:
        entries = [
            model(upstream.base + "/openai/v1", profile="azure"),
            model(upstream.base + "/anthropic", format="anthropic", profile="azure") | {"model_id": "n"},
        ]
        async with running_proxy(entries) as proxy:
            await ask(proxy, key=key)
            await ask(
                proxy, {**BODY, "model": "n"}, key=None, headers={"x-api-key": key, "authorization": key}
            )
    converted, native = upstream.requests
    bearer = f"Bearer {key}"
    for request, own in ((converted, "api-key"), (native, "x-api-key")):
        expected = {"authorization": bearer} if name == "authorization" else {own: key}
        names = ("authorization", "x-api-key", "api-key")
        assert {one: value for one in names if (value := request.header(one))} == expected
