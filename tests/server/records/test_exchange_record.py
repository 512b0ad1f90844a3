"""The record of a request, by what its sinks get."""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.server.gateway import Gateway
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, KEY, Client, ask, eventually, log_in_memory, model, running_proxy

if TYPE_CHECKING:
    from claude_code_proxy.server.records.exchange_record import ExchangeRecord

HEADERS = {
    "x-claude-code-session-id": "s-1",
    "x-claude-code-agent-id": "a-1",
    "x-claude-code-parent-agent-id": "a-0",
    "x-claude-code-agent-type": "Explore",
    "x-claude-code-request-class": "subagent",
}


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[ExchangeRecord] = []

    def add(self, record: ExchangeRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    sink = Kept()
    monkeypatch.setattr(Gateway, "sinks", property(lambda _: [sink], lambda *_: None))
    return sink


async def refuse(_: Request, connection: Connection) -> None:
    await connection.whole(429, {"error": {"message": f"slow down {KEY}"}})


async def break_off(_: Request, connection: Connection) -> None:
    await connection.head()
    await connection.event(text_chunk("Hel"))
    await connection.end()


@pytest.mark.parametrize(
    ("script", "stream", "expected"),
    [
        (say_hello, False, {"status": 200, "outcome": "ok", "error": "", "attempts": 1}),
        (say_hello, True, {"status": 200, "outcome": "ok", "error": "", "attempts": 1}),
        (refuse, True, {"status": 429, "outcome": "error", "error": "rate_limit_error", "attempts": 1}),
        (break_off, True, {"status": 200, "outcome": "error", "error": "api_error", "attempts": 1}),
    ],
)
async def test_one_request_one_record(
    kept: Kept, script: Any, stream: bool, expected: dict[str, Any]
) -> None:
    async with running_upstream(script) as upstream, running_proxy([model(upstream.base)]) as proxy:
        await ask(proxy, {**BODY, "stream": stream}, headers=HEADERS)
        await ask(proxy, None, method="GET", path="/v1/models")
    (record,) = kept.records
    assert {name: getattr(record, name) for name in expected} == expected
    assert (record.session_id, record.agent_id, record.request_class) == ("s-1", "a-1", "subagent")
    assert (record.parent_agent_id, record.agent_type, record.rule) == ("a-0", "Explore", "")
    assert (record.asked, record.model, record.provider) == ("m", "m", "custom")
    assert record.seconds > 0
    if expected["outcome"] == "ok":
        assert record.usage is not None
        assert record.first_byte_seconds is not None
    assert KEY not in repr(record)


async def test_a_class_that_nobody_knows_and_long_texts(kept: Kept) -> None:
    headers = {"x-claude-code-request-class": "evil", "x-claude-code-agent-type": "a" * 500}
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        await ask(proxy, BODY, headers=headers)
        await ask(proxy, {**BODY, "model": "nobody"})
    first, second = kept.records
    assert (first.request_class, len(first.agent_type)) == ("", 128)
    assert (second.asked, second.model, second.provider) == ("nobody", "", "")
    assert (second.status, second.error) == (404, "not_found_error")


async def test_a_key_where_a_name_belongs(kept: Kept) -> None:
    headers = {"x-claude-code-session-id": KEY, "x-claude-code-agent-id": f"a{KEY}"}
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        await ask(proxy, {**BODY, "model": KEY}, headers=headers)
    assert KEY not in repr(kept.records)


async def test_a_client_that_leaves(kept: Kept) -> None:
    async def talk(_: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hel"))
        await connection.left()

    async with running_upstream(talk) as upstream, running_proxy([model(upstream.base)]) as proxy:
        client = await Client.connect(proxy)
        await client.send({**BODY, "stream": True})
        await client.head()
        client.close()
        await eventually(lambda: kept.records)
    assert kept.records[0].outcome == "gone"


async def test_json_lines(loggers: None) -> None:
    written = log_in_memory("json")
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        await ask(proxy, BODY, headers=HEADERS)
    lines = list(map(json.loads, written.getvalue().splitlines()))
    (line,) = [line for line in lines if "request" in line]
    facts = line["request"]
    assert (line["level"], line["message"].split()[:4]) == ("info", ["POST", "/v1/messages", "m", "200"])
    assert (facts["model"], facts["status"], facts["session_id"]) == ("m", 200, "s-1")
    assert facts["usage"]["output_tokens"] == 5
    error = ValueError("on purpose")
    logging.getLogger("claude_code_proxy").error("%s", "m", exc_info=error)
    failed = json.loads(written.getvalue().splitlines()[-1])
    assert (failed["level"], failed["message"]) == ("error", "m")
    assert abs(datetime.fromisoformat(failed["time"]).timestamp() - time.time()) < 60
    assert "on purpose" in failed["error"]
