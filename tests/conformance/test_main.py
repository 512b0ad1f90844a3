"""The command, against gateways in this process that lie, hang and break."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from claude_code_proxy.conformance import __main__ as command
from claude_code_proxy.conformance import behaviour, scripted_upstream
from claude_code_proxy.conformance.requester import Target, run
from claude_code_proxy.conformance.script import read_reply
from tests.conformance.test_judge import GOOD, HI, encode, stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CASES = behaviour.cases(behaviour.load())


async def say_hi(request: web.Request) -> web.StreamResponse:
    """Whatever happens upstream: a clean turn."""
    if (await request.json())["stream"]:
        return web.Response(body=encode(GOOD), content_type="text/event-stream")
    return web.json_response(
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Hi"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def truncate(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await response.write(encode(GOOD[:3]))
    assert request.transport is not None
    request.transport.close()
    return response


async def verdicts(handler: Handler, cases: list[behaviour.Case], limit: float) -> set[str]:
    app = web.Application()
    app.router.add_post("/v1/messages", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        target = Target(base_url=f"http://{host}:{port}", model="m", key="k", limit=limit)
        return {result.judgement.verdict for result in await run(cases, target)}
    finally:
        await runner.cleanup()


async def test_a_gateway_that_always_ends_well_lies() -> None:
    assert await verdicts(say_hi, CASES, 30.0) == {"LIES"}


async def test_a_gateway_that_says_nothing_hangs() -> None:
    assert await verdicts(hang, CASES[:4], 0.2) == {"HANGS"}


async def test_a_gateway_that_drops_the_connection_breaks() -> None:
    streamed = [case for case in CASES if case.mode == "stream"][:4]
    assert await verdicts(truncate, streamed, 30.0) == {"BREAKS"}


def test_the_judge_needs_the_gateway_to_be_reachable() -> None:
    target = Target(base_url="http://127.0.0.1:9", model="m", key="k", limit=10.0)
    (result,) = asyncio.run(run(CASES[:1], target))
    assert result.judgement.verdict == "BREAKS"


def test_it_passes_our_own_proxy(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--self", "--only", "text.p*", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"ok": len(document["results"]), "LIES": 0, "HANGS": 0, "BREAKS": 0}
    assert {row["id"] for row in document["results"]} >= {"text.plain", "text.parts"}


@pytest.mark.parametrize("form", [[], ["--markdown"]])
def test_it_fails_what_does_not_answer(form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--base-url", "http://127.0.0.1:9", "--only", "text.plain", *form]
    assert command.main(arguments) == 1
    said = capsys.readouterr()
    assert "api_base: http://127.0.0.1:" in said.err
    assert "BREAKS" in said.out


def test_list_and_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert "text.plain" in capsys.readouterr().out
    assert command.main(["--config", "--upstream-port", "9900", "--model", "m"]) == 0
    assert "api_base: http://127.0.0.1:9900/v1" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--only", "nothing.*"], ["--bogus"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2


def test_every_behaviour_can_be_told_apart() -> None:
    rows = behaviour.load()
    assert len({row.id for row in rows}) == len(rows) >= 110
    assert len({row.what for row in rows}) == len(rows)


def test_the_upstream_serves_no_other_endpoint() -> None:
    async def status_of(path: str, text: str) -> int:
        async with scripted_upstream.serving(behaviour.load()) as address:
            host, port = address.removeprefix("http://").removesuffix("/v1").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            body = json.dumps({"messages": [{"content": text}]})
            writer.write(f"POST {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            head = await reader.readline()
            writer.close()
            return int(head.split()[1])

    assert asyncio.run(status_of("/v1/responses", "behaviour: text.plain")) == 404
    assert asyncio.run(status_of("/v1/chat/completions", "hello")) == 400
    assert asyncio.run(status_of("/v1/chat/completions", "behaviour: text.plain")) == 200


@pytest.mark.parametrize("bad", [["stop"], [{"sya": "x"}], {"sned": []}, [3]])
def test_a_bad_notation_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"not an item|unknown options"):
        read_reply(bad, "text/event-stream")


def test_hi_is_what_the_judge_takes_it_for() -> None:
    assert HI[0].content == (("text", "Hi"),)
    assert stream(GOOD).status == 200
