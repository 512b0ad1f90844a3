"""The embedded provider over real HTTP, with the official OpenAI client where it helps."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest

from claude_code_proxy.demo.provider import Provider
from claude_code_proxy.demo.replies import Chunk, Reply
from tests import paths
from tests.replies import error_reply, json_reply, stream_reply
from tests.serving import running, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REFUSALS = json.loads((paths.CASES / "demo/refusals.json").read_text())
BASH: Any = {"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}
HELLO: Any = [{"role": "user", "content": "say hello you"}]


@pytest.fixture
def app() -> Provider:
    return Provider()


@pytest.fixture
async def url(app: Provider) -> AsyncIterator[str]:
    async with running(app) as base_url:
        yield base_url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as connected:
        yield connected


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer k"}) as connected:
        yield connected


async def _streamed(client: openai.AsyncOpenAI, **request: Any) -> list[Any]:
    stream = await client.chat.completions.create(stream=True, **request)
    return [chunk async for chunk in stream]


async def test_refusals(session: aiohttp.ClientSession, url: str) -> None:
    for case in REFUSALS:
        async with session.post(f"{url}/v1/chat/completions", json=case["request"]) as response:
            answer = await response.json()
            assert response.status == case["status"], case["name"]
            if case["status"] != 200:
                assert case["message"] in answer["error"]["message"], case["name"]


async def test_whole_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="demo", messages=HELLO)
    assert answer.choices[0].message.content == "hello you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 2


async def test_streamed_answer_says_the_same(client: openai.AsyncOpenAI) -> None:
    chunks = await _streamed(client, model="demo", messages=HELLO, stream_options={"include_usage": True})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "hello you"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 2
    without = await _streamed(client, model="demo", messages=HELLO)
    assert all(chunk.choices for chunk in without)


@pytest.mark.parametrize("stream", [False, True])
async def test_parallel_calls_and_reasoning(client: openai.AsyncOpenAI, stream: bool) -> None:
    text = "run: echo a and also run echo b"
    request: Any = {"model": "demo-reason", "messages": [{"role": "user", "content": text}], "tools": [BASH]}
    arguments = {0: "", 1: ""}
    ids: dict[int, str] = {}
    reasoning = ""
    if stream:
        chunks = await _streamed(client, **request)
        for chunk in chunks:
            delta = chunk.choices[0].delta
            reasoning += getattr(delta, "reasoning_content", "")
            for call in delta.tool_calls or ():
                arguments[call.index] += call.function.arguments
                ids[call.index] = ids.get(call.index) or call.id
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
    else:
        answer = await client.chat.completions.create(**request)
        message: Any = answer.choices[0].message
        reasoning = message.reasoning_content
        for index, call in enumerate(message.tool_calls):
            arguments[index] = call.function.arguments
            ids[index] = call.id
        assert answer.choices[0].finish_reason == "tool_calls"
    assert [json.loads(arguments[index])["command"] for index in (0, 1)] == ["echo a", "echo b"]
    assert len(set(ids.values())) == 2
    assert reasoning


async def test_limits_and_stops(client: openai.AsyncOpenAI) -> None:
    count: Any = [{"role": "user", "content": "count to 100"}]
    cut = await client.chat.completions.create(model="demo", messages=count, max_tokens=3)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("1 2 3", "length")
    stopped = await client.chat.completions.create(model="demo", messages=count, stop=["5", " 4"])
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("1 2 3", "stop")
    alone = await client.chat.completions.create(model="demo", messages=count, stop="2")
    assert alone.choices[0].message.content == "1 "


async def test_a_repeated_prefix_counts_as_cached(client: openai.AsyncOpenAI) -> None:
    first: Any = [{"role": "user", "content": "say " + "word " * 400}]
    more: Any = [*first, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "say x"}]
    other: Any = [{"role": "user", "content": "something else " * 100}]
    cached = []
    for messages in (first, more, other):
        answer = await client.chat.completions.create(model="demo", messages=messages)
        assert answer.usage is not None
        assert answer.usage.prompt_tokens_details is not None
        cached.append(answer.usage.prompt_tokens_details.cached_tokens)
    assert cached[0] == 0
    assert cached[1] is not None
    assert cached[1] >= 448
    assert cached[2] == 0


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert "demo-reason" in [model.id async for model in client.models.list()]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer bad"}, {"authorization": "Basic k"}])
@pytest.mark.parametrize("method_and_path", ["POST /v1/chat/completions", "GET /v1/models"])
async def test_keys(url: str, headers: dict[str, str], method_and_path: str) -> None:
    method, path = method_and_path.split()
    async with aiohttp.request(method, url + path, headers=headers) as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "invalid_api_key"


async def test_no_such_endpoint_and_no_json(session: aiohttp.ClientSession, url: str, app: Provider) -> None:
    async with session.get(f"{url}/v1/nothing") as answer:
        assert answer.status == 404
    async with session.post(f"{url}/v1/chat/completions", data=b"{") as answer:
        assert answer.status == 400
    assert app.requests[-1].body == b"{"


async def test_requests_are_recorded(client: openai.AsyncOpenAI, app: Provider) -> None:
    await client.chat.completions.create(model="demo", messages=HELLO)
    request = app.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer k"
    assert request.body["messages"] == HELLO
    assert request.done
    assert not request.disconnected


async def test_one_failure_then_normal(client: openai.AsyncOpenAI, app: Provider) -> None:
    app.script.add(
        error_reply(
            429, "slow down", type="rate_limit_error", code="rate_limited", headers={"retry-after": "7"}
        )
    )
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="demo", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.code == "rate_limited"
    answer = await client.chat.completions.create(model="demo", messages=HELLO)
    assert answer.choices[0].message.content == "hello you"


async def test_a_reply_waits_for_its_request(client: openai.AsyncOpenAI, app: Provider) -> None:
    app.script.add(error_reply(500, "broken", contains="needle"))
    await client.chat.completions.create(model="demo", messages=HELLO)
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "needle"}])
    assert not app.script.queue


CONTENT = {"choices": [{"index": 0, "delta": {"content": "x"}}]}


async def test_scripted_stream(client: openai.AsyncOpenAI, app: Provider) -> None:
    app.script.add(stream_reply([CONTENT, CONTENT], delay=0.001))
    assert len(await _streamed(client, model="demo", messages=HELLO)) == 2


async def test_cut(session: aiohttp.ClientSession, url: str, app: Provider) -> None:
    app.script.add(stream_reply([CONTENT], end="cut"))
    async with session.post(f"{url}/v1/chat/completions", json={}) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def _until_done(app: Provider) -> None:
    async with asyncio.timeout(10):
        while not (app.requests and app.requests[-1].done):  # noqa: ASYNC110 - the provider has no event for it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "reply",
    [stream_reply([CONTENT], end="stall"), stream_reply([CONTENT, CONTENT], delay=60)],
    ids=["stall", "slow"],
)
async def test_the_caller_goes_away_in_a_stream(
    session: aiohttp.ClientSession, url: str, app: Provider, reply: Reply
) -> None:
    app.script.add(reply)
    async with session.post(f"{url}/v1/chat/completions", json={}) as answer:
        assert answer.status == 200
    await _until_done(app)
    assert app.requests[-1].disconnected


async def test_the_caller_goes_away_before_the_status(
    session: aiohttp.ClientSession, url: str, app: Provider
) -> None:
    app.script.add(Reply(delay=60))
    limit = aiohttp.ClientTimeout(total=0.2)
    with pytest.raises(TimeoutError):
        await session.post(f"{url}/v1/chat/completions", json={}, timeout=limit)
    await _until_done(app)
    assert app.requests[-1].disconnected


async def test_script_over_http(
    session: aiohttp.ClientSession, url: str, client: openai.AsyncOpenAI, app: Provider
) -> None:
    chunks = [{"text": "data: [DONE]\n\n"}]
    replies = [{"status": 200, "headers": {"content-type": "text/event-stream"}, "chunks": chunks}]
    async with session.post(f"{url}/demo/script", json={"replies": replies}) as answer:
        assert await answer.json() == {"queued": 1}
    async with session.post(f"{url}/demo/script", json={"replies": [{"statos": 1}]}) as answer:
        assert answer.status == 400
        assert "statos" in (await answer.json())["error"]["message"]
    assert await _streamed(client, model="demo", messages=HELLO) == []


async def test_raw_bytes_pass_unchanged(session: aiohttp.ClientSession, url: str, app: Provider) -> None:
    half = "é".encode()[:1]
    app.script.add(Reply(chunks=(Chunk(data=half), Chunk(data=b"\xff"))))
    async with session.post(f"{url}/v1/chat/completions", json={}) as answer:
        assert await answer.read() == half + b"\xff"


async def test_chunks_come_apart(session: aiohttp.ClientSession, app: Provider) -> None:
    app.delay = 0.02
    async with running(app) as url:
        request = {"model": "demo", "stream": True, "messages": HELLO}
        async with session.post(f"{url}/v1/chat/completions", json=request) as answer:
            reads = [data async for data in answer.content.iter_any()]
    assert len(reads) > 2


def test_in_a_thread() -> None:
    app = Provider()
    app.script.add(json_reply(200, {"choices": []}))
    with (
        serve_in_thread(app) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client,
    ):
        assert client.chat.completions.create(model="demo", messages=HELLO).choices == []
    with pytest.raises(openai.APIConnectionError):
        openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0).models.list()
