"""Streams that never lie and never hang, over real sockets."""

import asyncio
import itertools
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from claude_code_proxy.server.upstream import exchange
from tests.server.byte_upstream import Connection, Request, Script, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, Client, ask, eventually, model, running_proxy

STREAM = {**BODY, "stream": True}


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_FIRST_DELAY", 0.01)


def after_failures(count: int, fail: Script) -> Script:
    """Fail `count` times, then answer well."""
    tries = itertools.count()

    async def script(request: Request, connection: Connection) -> None:
        await (fail if next(tries) < count else say_hello)(request, connection)

    return script


async def reset(request: Request, connection: Connection) -> None:
    connection.reset()


def answers(status: int, **headers: str) -> Script:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(status, b"<html><title>bad gateway</title></html>", **headers)

    return script


async def stay_silent(request: Request, connection: Connection) -> None:
    await connection.left()


async def begin_then_stay_silent(request: Request, connection: Connection) -> None:
    await connection.head()
    await connection.event(text_chunk("Hel"))
    await connection.left()


# --- retries ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fail", [answers(502), answers(503), answers(504), reset])
@pytest.mark.parametrize("stream", [False, True])
async def test_failures_before_the_first_byte_are_tried_again(fail: Script, stream: bool) -> None:
    async with (
        running_upstream(after_failures(2, fail)) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        reply = await ask(proxy, {**BODY, "stream": stream})
    assert reply.status == 200
    assert len(upstream.requests) == 3
    assert len({request.body for request in upstream.requests}) == 1


async def test_retries_end() -> None:
    async with (
        running_upstream(answers(503)) as upstream,
        running_proxy([model(upstream.base)], max_retries=1) as proxy,
    ):
        reply = await ask(proxy, STREAM)
    assert (reply.status, reply.json["error"]["type"]) == (529, "overloaded_error")
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("fail", [answers(500), answers(429), answers(400), answers(503, retry_after="60")])
async def test_other_failures_are_not_tried_again(fail: Script) -> None:
    async with running_upstream(fail) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, STREAM)
    assert reply.status >= 400
    assert len(upstream.requests) == 1


async def test_nothing_listens() -> None:
    async with running_upstream(say_hello) as upstream:
        pass
    async with running_proxy([model(upstream.base)], max_retries=1) as proxy:
        reply = await ask(proxy, STREAM)
    assert (reply.status, reply.json["error"]["type"]) == (502, "api_error")
    assert "127.0.0.1" in reply.json["error"]["message"]


@pytest.mark.parametrize(("retries", "status"), [(2, 200), (0, 502)])
async def test_a_kept_connection_that_is_dead_costs_no_wait(
    retries: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_FIRST_DELAY", 60.0)
    requests = itertools.count()

    async def script(request: Request, connection: Connection) -> None:
        await (reset if next(requests) == 1 else say_hello)(request, connection)

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base)], max_retries=retries) as proxy,
    ):
        assert (await ask(proxy)).status == 200
        assert (await asyncio.wait_for(ask(proxy), 5)).status == status
    assert upstream.connections == len(upstream.requests) - 1


# --- silence ------------------------------------------------------------------------------------------
async def test_the_hold_limit_begins_the_answer_and_pings_keep_it_alive() -> None:
    async with (
        running_upstream(stay_silent) as upstream,
        running_proxy([model(upstream.base)], hold=0.1, ping_interval=0.1) as proxy,
    ):
        client = await Client.connect(proxy)
        await client.send(STREAM)
        status, headers = await client.head()
        chunks = [await client.chunk() for _ in range(4)]
        client.close()
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert chunks[0].startswith(b"event: message_start\n")
    assert [chunk for chunk in chunks[1:] if b'"ping"' not in chunk] == []


async def test_a_failure_after_the_hold_limit_is_an_error_event_and_not_tried_again() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await asyncio.sleep(0.3)
        await connection.whole(503, {"error": {"message": "too busy"}})

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base)], hold=0.1) as proxy,
    ):
        reply = await ask(proxy, STREAM)
    assert reply.status == 200
    assert reply.types[0] == "message_start"
    assert reply.types[-1] == "error"
    assert "message_stop" not in reply.types
    assert reply.events[-1]["error"]["type"] == "overloaded_error"
    assert len(upstream.requests) == 1


async def test_an_answer_after_the_hold_limit_goes_on_as_one_message() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await asyncio.sleep(0.3)
        await say_hello(request, connection)

    for can_stream in (True, False):
        async with running_upstream(script) as upstream:
            entry = model(upstream.base, can_stream=can_stream)
            async with running_proxy([entry], hold=0.1) as proxy:
                reply = await ask(proxy, STREAM)
        assert reply.types.count("message_start") == 1
        assert reply.types[-1] == "message_stop"
        assert reply.events[-2]["usage"]["input_tokens"] == 11


async def test_silence_mid_stream_gets_pings_and_progress_between_whole_events() -> None:
    async with (
        running_upstream(begin_then_stay_silent) as upstream,
        running_proxy([model(upstream.base)], ping_interval=0.05, progress_interval=0.2) as proxy,
    ):
        client = await Client.connect(proxy)
        await client.send(STREAM)
        await client.head()
        seen: list[dict[str, Any]] = []
        while sum(event["type"] == "content_block_delta" for event in seen) < 3:
            blocks = (await client.chunk()).decode().split("\n\n")
            seen += [json.loads(block.split("data: ", 1)[1]) for block in blocks if block]
        client.close()
    deltas = [event["delta"] for event in seen if event["type"] == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas) == "Hel"
    assert sum(event["type"] == "ping" for event in seen) >= 4


async def test_too_long_before_the_first_byte() -> None:
    for stream in (False, True):
        async with running_upstream(stay_silent) as upstream:
            entry = model(upstream.base, first_byte_timeout=0.2)
            async with running_proxy([entry]) as proxy:
                reply = await ask(proxy, {**BODY, "stream": stream})
                await eventually(lambda: upstream.open_connections == 0)
        assert (reply.status, reply.json["error"]["type"]) == (504, "timeout_error")
        assert len(upstream.requests) == 1


async def test_too_long_between_bytes() -> None:
    async with (
        running_upstream(begin_then_stay_silent) as upstream,
        running_proxy([model(upstream.base, idle_timeout=0.2)]) as proxy,
    ):
        reply = await ask(proxy, STREAM)
        await eventually(lambda: upstream.open_connections == 0)
    assert reply.types[-1] == "error"
    assert reply.events[-1]["error"]["type"] == "timeout_error"
    assert "message_stop" not in reply.types


async def test_comments_keep_an_upstream_alive() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        for _ in range(8):
            await connection.chunk(b": still working\n\n")
            await asyncio.sleep(0.1)
        await connection.event(text_chunk("Hello", finish="stop"))
        await connection.end()

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base, idle_timeout=0.4)], hold=5) as proxy,
    ):
        reply = await ask(proxy, STREAM)
    assert reply.types[-1] == "message_stop"


async def test_an_upstream_that_is_done_and_leaves_its_connection_open() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hello", finish="stop"))
        await connection.left()

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base)], ping_interval=0.1, settle_timeout=0.2) as proxy,
    ):
        reply = await ask(proxy, STREAM)
        await eventually(lambda: upstream.open_connections == 0)
    assert reply.types[-1] == "message_stop"


# --- cuts ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["end", "reset", "half"])
async def test_a_cut_mid_stream_is_an_error_and_never_an_end(how: str) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hel"))
        await asyncio.sleep(0.05)
        if how == "end":
            await connection.end()
        elif how == "half":
            await connection.raw(b"ff\r\ndata: {")
            connection.reset()
        else:
            connection.reset()

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, STREAM)
    assert reply.status == 200
    assert reply.types[-1] == "error"
    assert "message_stop" not in reply.types
    assert "message_delta" not in reply.types
    assert reply.events[-1]["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize("body", [b"", b"<html><title>Sorry</title></html>"])
@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_useful_in_a_200_is_an_http_error(body: bytes, stream: bool) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(200, body, content_type="text/html")

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "stream": stream})
    assert reply.status >= 500
    assert reply.json["error"]["type"] == "api_error"


async def test_json_where_a_stream_was_asked_for_and_the_reverse() -> None:
    async def script(request: Request, connection: Connection) -> None:
        swapped = {**request.json, "stream": not request.json.get("stream")}
        await say_hello(Request("POST", "", [], json.dumps(swapped).encode()), connection)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        streamed = await ask(proxy, STREAM)
        whole = await ask(proxy)
    assert streamed.types[-1] == "message_stop"
    assert "Hello" in streamed.body.decode()
    assert whole.json["content"] == [{"type": "text", "text": "Hello"}]


# --- the client leaves --------------------------------------------------------------------------------
@pytest.mark.parametrize("script", [stay_silent, begin_then_stay_silent])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_the_upstream(script: Script, stream: bool) -> None:
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        tasks = len(asyncio.all_tasks())
        client = await Client.connect(proxy)
        await client.send({**BODY, "stream": stream})
        await eventually(lambda: upstream.open_connections == 1)
        await asyncio.sleep(0.05)
        client.close()
        await eventually(lambda: upstream.open_connections == 0, within=1)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks, within=1)
        assert proxy.gateway.in_flight == 0


async def test_two_hundred_clients_leave_at_once() -> None:
    async with (
        running_upstream(begin_then_stay_silent) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
    ):
        tasks = len(asyncio.all_tasks())
        clients = [await Client.connect(proxy) for _ in range(200)]
        await asyncio.gather(*(client.send(STREAM) for client in clients))
        await asyncio.gather(*(client.head() for client in clients))
        assert upstream.open_connections == 200
        for client in clients:
            client.close()
        await eventually(lambda: upstream.open_connections == 0, within=3)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks, within=3)
        assert proxy.gateway.in_flight == 0
        reply = await ask(proxy, {**BODY, "max_tokens": 0})
    assert reply.status == 200


async def test_leaving_during_a_retry_ends_the_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_FIRST_DELAY", 30.0)
    async with running_upstream(answers(503)) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send(STREAM)
        await eventually(lambda: len(upstream.requests) == 1)
        client.close()
        await eventually(lambda: proxy.gateway.in_flight == 0, within=1)


# --- backpressure -------------------------------------------------------------------------------------
async def test_a_slow_reader_costs_bounded_memory() -> None:
    sent = 0

    def flood() -> Iterator[bytes]:
        event = b"data: " + json.dumps(text_chunk("x" * 8000)).encode() + b"\n\n"
        while True:
            yield event * 8

    async def script(request: Request, connection: Connection) -> None:
        nonlocal sent
        await connection.head()
        for data in flood():
            await connection.chunk(data)
            sent += len(data)

    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send(STREAM)
        await client.head()
        tracemalloc.start()
        for _ in range(20):
            await client.reader.read(1000)
            await asyncio.sleep(0.05)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        client.close()
        await eventually(lambda: upstream.open_connections == 0)
    assert sent < 32 << 20  # what fits into the sockets and the proxy, not what a second would bring
    assert held < 4 << 20


async def test_a_client_that_never_reads_is_given_up() -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.head()
        while True:
            await connection.event(text_chunk("x" * 60_000))

    async with (
        running_upstream(script) as upstream,
        running_proxy([model(upstream.base)], hold=0.2, client_stall_timeout=0.3) as proxy,
    ):
        client = await Client.connect(proxy)
        await client.send(STREAM)
        await eventually(lambda: upstream.open_connections == 1)
        await eventually(lambda: upstream.open_connections == 0, within=10)
        assert proxy.gateway.in_flight == 0
        client.close()


# --- the server stops ---------------------------------------------------------------------------------
async def test_shutting_down_ends_a_stream_with_an_error() -> None:
    async with running_upstream(begin_then_stay_silent) as upstream:
        async with running_proxy([model(upstream.base)]) as proxy:
            client = await Client.connect(proxy)
            await client.send(STREAM)
            reading = asyncio.create_task(client.reply())
            await eventually(lambda: upstream.open_connections == 1)
            await asyncio.sleep(0.1)
        # the proxy is gone, the upstream is not
        reply = await reading
        client.close()
    assert reply.types[-1] == "error"
    assert reply.events[-1]["error"]["type"] == "overloaded_error"
