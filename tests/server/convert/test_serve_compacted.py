"""Compaction by the model itself: with the official SDK as the client, and a provider that follows a script."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from claude_code_proxy.core.compaction.summary import INSTRUCTIONS, NO_TOOLS
from claude_code_proxy.core.request.read import GO_ON
from claude_code_proxy.server.gateway import Gateway
from tests.server.byte_upstream import Connection, Request, Upstream, running_upstream
from tests.server.harness import KEY, Client, Proxy, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from claude_code_proxy.server.records.exchange_record import ExchangeRecord

LONG = "word " * 90_000
EDIT: dict[str, Any] = {
    "type": "compact_20260112",
    "trigger": {"type": "input_tokens", "value": 50_000},
}
TOOLS = [{"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}]
ON_DEMAND, THRESHOLD = "compact-2026-09-04", "compact-2026-01-12"
SUMMARY_TEXT = "<conversation-summary>\nall of it\n</conversation-summary>"


def chat(text: str, reason: str = "stop", calls: list[Any] | None = None, prompt: int = 60_000) -> list[Any]:
    """The chunks of an answer."""
    delta: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        delta["tool_calls"] = calls
    usage = {"prompt_tokens": prompt, "completion_tokens": 7, "total_tokens": prompt + 7}
    usage["prompt_tokens_details"] = {"cached_tokens": prompt // 2}  # type: ignore[assignment]
    return [
        {"choices": [{"index": 0, "delta": delta}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
    ]


CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}


class Provider:
    """Writes `summary` where it is told to, else "done"; `asked` are the requests for summaries."""

    def __init__(self, summary: list[Any] | int | None = None, words: str = INSTRUCTIONS[:60]) -> None:
        self.summary = (
            chat("<analysis>x</analysis><summary>\nall of it\n</summary>") if summary is None else summary
        )
        self.words = words
        self.asked: list[Request] = []
        self.answered: list[Request] = []
        self.answers: list[list[Any]] = []
        self.waits = asyncio.Event()
        self.waits.set()
        self.left = False

    async def __call__(self, request: Request, connection: Connection) -> None:
        if self.words in json.dumps(request.json["messages"][-1], ensure_ascii=False):
            self.asked.append(request)
            if not self.waits.is_set():
                waiting = asyncio.create_task(self.waits.wait())
                leaving = asyncio.create_task(connection.left())
                await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
                self.left = leaving.done()
                waiting.cancel()
                leaving.cancel()
                if self.left:
                    return
            await self._say(request, connection, self.summary)
        else:
            self.answered.append(request)
            prompt = 90_000 if len(request.body) > len(LONG) else 900
            await self._say(
                request, connection, self.answers.pop(0) if self.answers else chat("done", prompt=prompt)
            )

    async def _say(self, request: Request, connection: Connection, said: list[Any] | int) -> None:
        if isinstance(said, int):
            await connection.whole(said, {"error": {"message": f"no {said}", "type": "x"}})
        elif request.json.get("stream"):
            await connection.head()
            for chunk in said:
                await connection.event(chunk)
            await connection.chunk(b"data: [DONE]\n\n")
            await connection.end()
        else:
            message = {**said[0]["choices"][0]["delta"]}
            reason = said[-1]["choices"][0]["finish_reason"]
            choice = {"index": 0, "message": message, "finish_reason": reason}
            await connection.whole(200, {"choices": [choice], "usage": said[-1]["usage"]})


@asynccontextmanager
async def world(
    provider: Provider, settings: dict[str, Any] | None = None, **own: Any
) -> AsyncIterator[tuple[Proxy, anthropic.AsyncAnthropic, Upstream]]:
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(running_upstream(provider))
        proxy = await stack.enter_async_context(
            running_proxy([model(upstream.base, **own)], max_retries=0, **(settings or {}))
        )
        sdk = anthropic.AsyncAnthropic(base_url=proxy.base, api_key=KEY, max_retries=0)
        yield proxy, await stack.enter_async_context(sdk), upstream


def request(messages: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    said = messages or [{"role": "user", "content": LONG}, {"role": "user", "content": "go"}]
    return {"model": "m", "max_tokens": 500, "messages": said, **more}


def edited(**more: Any) -> dict[str, Any]:
    return {"context_management": {"edits": [{**EDIT, **more}]}}


async def create(sdk: anthropic.AsyncAnthropic, body: dict[str, Any], *, stream: bool) -> Any:
    betas = [ON_DEMAND if "compaction" in body else THRESHOLD]
    if not stream:
        return await sdk.beta.messages.create(betas=betas, **body)
    async with sdk.beta.messages.stream(betas=betas, **body) as events:
        return await events.get_final_message()


def kinds(message: Any) -> list[str]:
    return [block.type for block in message.content]


def iterations(message: Any) -> list[tuple[str, int, int, int]]:
    return [
        (one.type, one.input_tokens, one.cache_read_input_tokens, one.output_tokens)
        for one in message.usage.iterations
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("own", [{}, {"can_stream": False}, {"api": "chat", "streams_only": True}])
async def test_a_long_conversation_is_summarized_and_answered(own: dict[str, Any], stream: bool) -> None:
    provider = Provider()
    async with world(provider, **own) as (proxy, sdk, _):
        message = await create(sdk, request(tools=TOOLS, **edited()), stream=stream)
        following = [
            {"role": "user", "content": "forgotten"},
            {"role": "assistant", "content": message.to_dict()["content"]},
            {"role": "user", "content": "and now?"},
        ]
        again = await create(sdk, request(following, **edited()), stream=stream)
        stats = (await ask(proxy, None, method="GET", path="/v1/stats")).json
    assert kinds(message) == ["compaction", "text"]
    assert message.content[0].content == "all of it"
    assert (message.content[1].text, message.stop_reason) == ("done", "end_turn")
    assert iterations(message) == [("compaction", 30_000, 30_000, 7), ("message", 450, 450, 7)]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (450, 7)
    (asked,) = provider.asked
    first, last = provider.answered
    texts = json.dumps(asked.json["messages"])
    assert LONG.strip() in texts
    assert NO_TOOLS in texts
    assert asked.json["tools"] == first.json["tools"]
    assert asked.json["max_tokens"] == 8192
    (said,) = first.json["messages"]
    assert said["role"] == "user"
    assert said["content"] == f"{SUMMARY_TEXT}\n\n{GO_ON}"
    assert [part["content"] for part in last.json["messages"]] == [SUMMARY_TEXT, "done", "and now?"]
    assert kinds(again) == ["text"]
    assert iterations(again) == [("message", 450, 450, 7)]
    assert stats["model_usage_count"] == {"m": 3}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_prompt_for_the_summary_begins_as_the_conversation_did(stream: bool) -> None:
    provider = Provider()
    turns: list[Any] = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]},
    ]
    same: dict[str, Any] = {
        "system": "be brief",
        "tools": TOOLS,
        "tool_choice": {"type": "any"},
        "stop_sequences": ["#"],
    }
    async with world(provider) as (_, sdk, _):
        await create(sdk, request(turns, **same), stream=stream)
        await create(sdk, request(turns, **same, **edited()), stream=stream)
    (asked,), (before, after) = provider.asked, provider.answered
    assert asked.json["messages"][: len(before.json["messages"])] == before.json["messages"]
    assert asked.json["tools"] == before.json["tools"]
    assert "tool_choice" not in asked.json
    assert "stop" not in asked.json
    assert after.json["tool_choice"] == before.json["tool_choice"] == "required"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_pause_ends_the_answer_and_the_next_request_goes_on(stream: bool) -> None:
    provider = Provider(words="keep the names")
    body = request(**edited(pause_after_compaction=True, instructions=" keep the names "))
    async with world(provider) as (_, sdk, _):
        message = await create(sdk, body, stream=stream)
        said = [*body["messages"], {"role": "assistant", "content": message.to_dict()["content"]}]
        resumed = await create(sdk, {**body, "messages": said}, stream=stream)
    assert (kinds(message), message.stop_reason) == (["compaction"], "compaction")
    assert message.content[0].content == "all of it"
    assert iterations(message) == [("compaction", 30_000, 30_000, 7)]
    assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)
    assert INSTRUCTIONS[:60] not in provider.asked[0].body.decode()
    assert NO_TOOLS not in provider.asked[0].body.decode()
    assert (kinds(resumed), resumed.stop_reason) == (["text"], "end_turn")
    assert GO_ON in provider.answered[0].body.decode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("summary", "why"),
    [
        (chat("", "tool_calls", [CALL]), "called a tool"),
        (chat("<summary>half", "length"), "output limit"),
        (chat(" "), "wrote none"),
        (chat("", "content_filter"), "refused"),
        (401, "no 401"),
        (500, "no 500"),
    ],
)
async def test_without_a_summary_the_whole_conversation_is_answered(
    summary: Any, why: str, stream: bool
) -> None:
    provider = Provider(summary)
    body = request(tools=TOOLS, **edited(pause_after_compaction=True))
    async with world(provider) as (proxy, sdk, _):
        message = await create(sdk, body, stream=stream)
        reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
    assert kinds(message) == ["compaction", "text"]
    assert (message.content[0].content, message.content[1].text) == (None, "done")
    assert LONG.strip() in provider.answered[0].body.decode()
    counted = [one[0] for one in iterations(message)]
    assert counted == (["message"] if isinstance(summary, int) else ["compaction", "message"])
    assert {"compaction_emulated", "compaction_failed"} <= set(reply.headers["x-proxy-notices"].split(","))
    assert reply.json["content"][0] == {"type": "compaction", "content": None}


class Records:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.kept: list[ExchangeRecord] = []

    def add(self, record: ExchangeRecord) -> None:
        self.kept.append(record)


async def test_each_request_has_a_record_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records()
    monkeypatch.setattr(Gateway, "sinks", property(lambda _: [records], lambda *_: None))
    async with world(Provider()) as (_, sdk, _):
        await create(sdk, request(**edited()), stream=True)
        await create(sdk, request(compaction={"type": "summarize"}), stream=True)
        await eventually(lambda: len(records.kept) == 4)
    written = [(one.request_class, one.model, one.status, one.outcome) for one in records.kept]
    assert written == [("compaction", "m", 200, "ok"), ("", "m", 200, "ok")] * 2
    usage = [one.usage and (one.usage.input_tokens, one.usage.output_tokens) for one in records.kept]
    assert usage == [(30_000, 7), (450, 7), (30_000, 7), None]
    assert [one.attempts for one in records.kept] == [1, 1, 1, 0]


async def test_what_asks_for_no_summary_costs_none() -> None:
    provider = Provider()
    short = [{"role": "user", "content": "hi"}]
    block = {"type": "compaction", "content": LONG}
    async with world(provider) as (_, sdk, _):
        unreached = await create(sdk, request(short, **edited()), stream=False)
        await create(sdk, request([{"role": "assistant", "content": [block]}], **edited()), stream=False)
        plain = await create(sdk, request(), stream=False)
        await create(sdk, request(context_management={"edits": []}), stream=False)
        warming = await create(sdk, {**request(**edited()), "max_tokens": 0}, stream=False)
    assert provider.asked == []
    assert (kinds(unreached), plain.usage.iterations) == (["text"], None)
    assert iterations(unreached) == [("message", 450, 450, 7)]
    assert warming.content == []


@pytest.mark.parametrize("stream", [False, True])
async def test_on_demand_the_summary_is_the_answer(stream: bool) -> None:
    provider = Provider()
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    async with world(provider) as (proxy, sdk, _):
        message = await create(sdk, request(said, compaction={"type": "summarize"}), stream=stream)
        kept = [
            {"role": "assistant", "content": message.to_dict()["content"]},
            *said,
            {"role": "user", "content": "c"},
        ]
        await create(sdk, request(kept), stream=stream)
        raw = await ask(proxy, {**request(said), "stream": True, "compaction": {"type": "summarize"}})
    assert (kinds(message), message.stop_reason) == (["compaction"], "compaction")
    assert message.content[0].content == "all of it"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)
    assert iterations(message) == [("compaction", 30_000, 30_000, 7)]
    said_then = [part["content"] for part in provider.answered[0].json["messages"]]
    assert said_then == [f"{SUMMARY_TEXT}\n\na", "b", "c"]
    assert raw.types == [
        "message_start", "ping", "content_block_start", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert raw.events[2]["content_block"] == {"type": "compaction", "content": "all of it"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        (chat("x", "tool_calls", [CALL]), "tool_use"),
        (chat("<summary>half", "length"), "max_tokens"),
        (chat(" "), "end_turn"),
        (chat("", "content_filter"), "refusal"),
    ],
)
async def test_on_demand_no_summary_is_an_empty_answer(summary: Any, reason: str, stream: bool) -> None:
    async with world(Provider(summary)) as (proxy, sdk, _):
        body = request(tools=TOOLS, compaction={"type": "summarize"})
        message = await create(sdk, body, stream=stream)
        reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
    assert reply.headers["x-proxy-notices"] == "compaction_emulated,compaction_failed"
    assert (message.content, message.stop_reason) == ([], reason)
    assert [one[0] for one in iterations(message)] == ["compaction"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_on_demand_a_failure_is_an_error(status: int, kind: Any, stream: bool) -> None:
    async with world(Provider(status)) as (_, sdk, _):
        with pytest.raises(kind, match=f"no {status}"):
            await create(sdk, request(compaction={"type": "summarize"}), stream=stream)


async def test_a_model_may_be_kept_from_summarizing() -> None:
    provider = Provider()
    async with world(provider, compaction=False) as (proxy, sdk, _):
        reply = await ask(proxy, request(**edited()), headers={"x-proxy-report": "1"})
        with pytest.raises(anthropic.BadRequestError, match="compaction"):
            await create(sdk, request(compaction={"type": "summarize"}), stream=False)
        count = await sdk.beta.messages.count_tokens(
            model="m", messages=[{"role": "user", "content": "hi"}], compaction={"type": "summarize"}
        )
        told = await sdk.beta.models.retrieve("m", betas=[ON_DEMAND])
    assert provider.asked == []
    assert reply.headers["x-proxy-notices"] == "context_edit"
    assert count.input_tokens < 50
    assert told.capabilities is not None
    shown: Any = told.capabilities.to_dict()
    assert shown["compaction"]["supported"] is False
    assert shown["context_management"]["compact_20260112"] == {"supported": False}


async def test_a_dry_run_shows_what_is_asked_first() -> None:
    async with world(Provider()) as (proxy, _, _):
        path = "/v1/messages/test_conversion?dry_run=1"
        said = [{"role": "user", "content": "hi"}]
        plain = (await ask(proxy, request(said, **edited()), path=path)).json
        demanded = (await ask(proxy, request(said, compaction={"type": "summarize"}), path=path)).json
    assert plain["upstream_request"]["messages"] == [{"role": "user", "content": "hi"}]
    assert plain["notices"] == []
    assert INSTRUCTIONS in demanded["upstream_request"]["messages"][0]["content"]


@pytest.mark.parametrize("extra", [edited(), {"compaction": {"type": "summarize"}}])
async def test_the_client_hears_pings_while_it_waits(extra: dict[str, Any]) -> None:
    provider = Provider()
    provider.waits.clear()
    settings = {"hold": 0.05, "ping_interval": 0.05, "progress_interval": 0.1}
    async with world(provider, settings) as (proxy, _, _):
        client = await Client.connect(proxy)
        await client.send({**request(**extra), "stream": True})
        status, _ = await client.head()
        heard = b""
        while heard.count(b"event: ping") < 3 or b"output_tokens" not in heard.partition(b"event: ping")[2]:
            heard += await client.chunk()
        provider.waits.set()
        while part := await client.chunk():
            heard += part
        client.close()
    assert status == 200
    assert heard.count(b"event: message_start") == 1
    assert heard.index(b"event: message_start") < heard.index(b'"type":"compaction"')
    starts = [
        json.loads(line[6:])
        for line in heard.split(b"\n")
        if line.startswith(b'data: {"type":"content_block_start"')
    ]
    assert [start["index"] for start in starts] == list(range(len(starts)))
    assert starts[0]["content_block"]["type"] == "compaction"
    assert heard.rstrip().endswith(b'{"type":"message_stop"}')


@pytest.mark.parametrize("extra", [edited(), {"compaction": {"type": "summarize"}}])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_cancels_the_summary(stream: bool, extra: dict[str, Any]) -> None:
    provider = Provider()
    provider.waits.clear()
    async with world(provider, {"hold": 0.05}) as (proxy, _, upstream):
        client = await Client.connect(proxy)
        await client.send({**request(**extra), "stream": stream})
        await eventually(lambda: provider.asked)
        client.close()
        await eventually(lambda: provider.left)
        assert provider.answered == []
        await eventually(lambda: upstream.open_connections == 0)


@pytest.mark.parametrize("extra", [edited(), {"compaction": {"type": "summarize"}}])
async def test_a_failure_after_the_stream_has_begun_is_an_error_event(extra: dict[str, Any]) -> None:
    provider = Provider(500)
    provider.answers = [500]  # type: ignore[list-item]
    provider.waits.clear()
    async with world(provider, {"hold": 0.05}) as (proxy, _, _):
        client = await Client.connect(proxy)
        await client.send({**request(**extra), "stream": True})
        await client.head()
        heard = await client.chunk()
        provider.waits.set()
        while part := await client.chunk():
            heard += part
        client.close()
    assert heard.count(b"event: message_start") == 1
    last = heard.rstrip().rsplit(b"\n\n", 1)[-1]
    assert last.startswith(b"event: error")
    assert b"no 500" in last


async def test_the_tool_runner_compacts_on_demand() -> None:
    """As the SDK's own tests do it: the summary replaces the history, and the runner carries on."""
    provider = Provider()
    provider.answers = [chat("", "tool_calls", [CALL]), chat("", "tool_calls", [{**CALL, "id": "c2"}])]
    ran: list[str] = []

    @anthropic.beta_async_tool
    async def Bash(command: str = "") -> str:  # noqa: N802
        """Run a command."""
        ran.append(command)
        return "ok"

    async with world(provider) as (_, sdk, _):
        runner = sdk.beta.messages.tool_runner(
            model="m", max_tokens=500, tools=[Bash], betas=[ON_DEMAND],
            messages=[{"role": "user", "content": "start"}],
        )  # fmt: skip
        seen = []
        async for message in runner:
            seen.append(message.stop_reason)
            if len(seen) == 1:
                runner.compact_before_next_turn()
        final = await runner.until_done()
    assert seen == ["tool_use", "compaction", "tool_use", "end_turn"]
    assert final.content[0].text == "done"  # type: ignore[union-attr]
    assert len(ran) == 2
    assert len(provider.asked) == 1
    assert "ok" in json.dumps(provider.asked[0].json["messages"])
    assert "start" not in json.dumps(provider.answered[-1].json["messages"])
    assert "all of it" in json.dumps(provider.answered[-1].json["messages"])


async def test_the_tool_runner_resumes_after_a_pause() -> None:
    provider = Provider()

    @anthropic.beta_async_tool
    async def Bash() -> str:  # noqa: N802
        """Run a command."""
        return "ok"

    async with world(provider) as (_, sdk, _):
        runner = sdk.beta.messages.tool_runner(
            model="m", max_tokens=500, tools=[Bash], betas=[THRESHOLD],
            messages=[{"role": "user", "content": LONG}],
            **edited(pause_after_compaction=True),
        )  # fmt: skip
        seen = [message.stop_reason async for message in runner]
    assert seen == ["compaction", "end_turn"]
    assert len(provider.asked) == 1
