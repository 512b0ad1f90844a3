"""Sessions, by what the server tells of them and what the command shows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from claude_code_proxy.cli.server_command.show_sessions import cache_report, sessions
from claude_code_proxy.core.prompt_cache.cache_proof import CacheLoss
from claude_code_proxy.server.offload import offload
from claude_code_proxy.server.records.exchange_record import record_from
from claude_code_proxy.server.records.sessions import MAX_SESSIONS, Sessions
from tests.server.byte_upstream import Connection, Request, running_upstream, text_chunk
from tests.server.harness import BODY, KEY, ask, model, running_proxy
from tests.server.records.test_metrics import record

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.server.byte_upstream import Script

TOOL = {"name": "Read", "input_schema": {"type": "object"}}


def caches(*read: int) -> Script:
    """An upstream whose prompts have 50,000 tokens; `read` of them come from its cache, request by request."""
    left = list(read)

    async def script(_: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hello"))
        usage = {"prompt_tokens": 50_000, "completion_tokens": 5}
        usage_details: Any = {**usage, "prompt_tokens_details": {"cached_tokens": left.pop(0)}}
        await connection.event({**text_chunk(None, "stop"), "usage": usage_details})
        await connection.end()

    return script


async def test_what_the_running_server_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "claude_code_proxy")
    session = {"x-claude-code-session-id": "s-1"}
    async with (
        running_upstream(caches(0, 8_800, 49_000, 0, 0)) as upstream,
        running_proxy([model(upstream.base)], capture=tmp_path) as proxy,
    ):
        first = {**BODY, "stream": True, "tools": [TOOL]}
        changed = {**first, "tools": [TOOL, {**TOOL, "name": "mcp__x"}]}
        for body in (first, changed, changed, changed):
            await ask(proxy, body, headers=session)
        await ask(proxy, changed)
        told = (await ask(proxy, None, method="GET", path="/v1/sessions?id=s-1")).json
        assert await offload(1 << 30, lambda: sessions(proxy.base, as_json=False)) == 0
        assert await offload(1 << 30, lambda: cache_report("s-1", proxy.base, as_json=False)) == 0
        assert await offload(1 << 30, lambda: cache_report("s-", proxy.base, as_json=False)) == 0
        assert await offload(1 << 30, lambda: cache_report("s-2", proxy.base, as_json=False)) == 1
    (one,) = told["sessions"]
    assert (one["session"], one["requests"], one["models"]) == ("s-1", 4, ["m"])
    assert (one["prompt_tokens"], one["cached_tokens"]) == (200_000, 57_800)
    assert (one["hit_ratio"], one["read_again_tokens"]) == (0.289, 91_200)
    losses = [line["loss"] for line in told["requests"]]
    again = "tool list changed: +mcp__x, 41,200 tokens read again"
    lost = "nothing changed: the provider no longer had it, 50,000 tokens read again"
    assert losses == ["", again, "", lost]
    assert [lost in line.getMessage() for line in caplog.records].count(True) == 1
    shown = capsys.readouterr()
    assert "29%" in shown.out
    assert again in shown.out
    assert "4 requests, 91,200 tokens read again" in shown.out
    assert "s-2: neither" in shown.err
    assert cache_report(str(tmp_path), "http://127.0.0.1:1", as_json=False) == 0
    shown = capsys.readouterr()
    assert again in shown.out
    assert lost in shown.out
    assert KEY not in shown.out


async def test_switched_off(capsys: pytest.CaptureFixture[str]) -> None:
    async with (
        running_upstream(caches(0)) as upstream,
        running_proxy([model(upstream.base)], cache_proof=False) as proxy,
    ):
        await ask(proxy, {**BODY, "stream": True}, headers={"x-claude-code-session-id": "s"})
        reply = await ask(proxy, None, method="GET", path="/v1/sessions")
    assert reply.status == 404
    assert "--cache-proof" in reply.json["error"]["message"]
    assert sessions(proxy.base, as_json=True) == 1
    assert cache_report("s", proxy.base, as_json=True) == 1
    assert "no claude-code-proxy answers" in capsys.readouterr().err


def test_sums_and_bounds() -> None:
    kept = Sessions()
    loss = CacheLoss("system_changed", "", 2000)
    for number in range(MAX_SESSIONS + 5):
        kept.add(record(session_id=f"s{number}", cache_loss=loss))
    for _ in range(150):
        kept.add(record(session_id="s100", outcome="error", usage=None, model="n"))
    kept.add(record(session_id=""))
    kept.add(record(session_id="s100", operation="count_tokens"))
    told = kept.snapshot()
    assert len(told) == MAX_SESSIONS
    assert (told[0]["session"], told[0]["requests"], told[0]["errors"]) == ("s100", 151, 150)
    assert (told[0]["models"], told[0]["read_again_tokens"]) == (["m", "n"], 2000)
    assert len(kept.requests("s100")) == 100
    assert kept.requests("s0") == []


def test_a_record_from_its_facts() -> None:
    for one in (record(), record(usage=None, cache_loss=CacheLoss("lost", "", 5))):
        assert record_from({**one.facts(), "new": 1}).facts() == one.facts()
