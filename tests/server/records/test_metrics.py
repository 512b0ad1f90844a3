"""Metrics for Prometheus, over one process and over several."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.deltas import Usage
from claude_code_proxy.core.prompt_cache.cache_proof import CacheLoss
from claude_code_proxy.server.records import metrics
from claude_code_proxy.server.records.exchange_record import ExchangeRecord
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, KEY, Client, Proxy, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path


def record(**more: Any) -> ExchangeRecord:
    facts: dict[str, Any] = {
        "ended": 0.0,
        "request_id": "r",
        "session_id": "planted-session",
        "agent_id": "",
        "parent_agent_id": "",
        "agent_type": "",
        "request_class": "",
        "rule": "",
        "asked": "m",
        "model": "m",
        "provider": "custom",
        "status": 200,
        "outcome": "ok",
        "error": "",
        "attempts": 2,
        "seconds": 3.0,
        "first_byte_seconds": 0.3,
        "gaps": (0.02, 0.04),
        "usage": Usage(10, 5, 100, 7, 2),
        "notices": ("metadata",),
    }
    return ExchangeRecord(**{**facts, **more})


def samples(text: bytes) -> dict[str, float]:
    """Each sample by its name and the values of its labels, in the order of the labels' names."""
    return {
        " ".join(
            [sample.name.removeprefix("claude_code_proxy_"), *(v for _, v in sorted(sample.labels.items()))]
        ): (sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_is_counted() -> None:
    counts = metrics.Metrics()
    counts.add(record())
    counts.add(
        record(
            outcome="error",
            status=429,
            error="rate_limit_error",
            usage=None,
            first_byte_seconds=None,
            attempts=0,
            rule="title",
        )
    )
    found = samples(counts.render())
    assert found["routed_total title m custom"] == 1
    assert found["requests_total m ok custom 200"] == 1
    assert found["requests_total m error custom 429"] == 1
    assert found["errors_total m custom rate_limit_error"] == 1
    assert found["upstream_attempts_total m custom"] == 2
    tokens = {
        kind: found[f"tokens_total {kind} m custom"]
        for kind in ("input", "cache_read", "cache_creation", "output", "thinking")
    }
    assert tokens == {"input": 10, "cache_read": 100, "cache_creation": 7, "output": 3, "thinking": 2}
    assert found["cache_hit_ratio m custom"] == pytest.approx(100 / 117)
    assert found["chunk_gap_seconds_count m custom"] == 4
    assert found["first_byte_seconds_sum m custom"] == pytest.approx(0.3)
    assert found["notices_total metadata"] == 2


def test_the_hit_ratio_is_of_prompts_that_were_counted() -> None:
    counts = metrics.Metrics()
    counts.add(record(model="none", usage=None))
    counts.add(record(model="empty", usage=Usage(0, 5)))
    for cached, fresh in ((0, 300), (100, 0)):
        counts.add(record(model="some", usage=Usage(fresh, 5, cached)))
    found = {name: value for name, value in samples(counts.render()).items() if "hit_ratio" in name}
    assert found == {"cache_hit_ratio some custom": 0.25}


def test_what_went_wrong_on_the_way() -> None:
    counts = metrics.Metrics()
    loss = CacheLoss("tools_changed", "+x", 41_200)
    counts.add(record(attempts=4, fallbacks=1, upstream_errors=("503", "connection", "529"), cache_loss=loss))
    found = samples(counts.render())
    assert found["upstream_retries_total m custom"] == 2
    assert found["fallbacks_total m custom"] == 1
    assert found["upstream_errors_total m custom 503"] == 1
    assert found["upstream_errors_total m custom connection"] == 1
    assert found["cache_lost_tokens_total tools_changed m custom"] == 41_200


async def test_what_is_under_way() -> None:
    async def stay(_: Request, connection: Connection) -> None:
        if not waiting.is_set():
            waiting.set()
            await connection.left()
            return
        await connection.head()
        await connection.event(text_chunk("Hel"))
        await connection.left()

    waiting = asyncio.Event()
    async with (
        running_upstream(stay) as upstream,
        running_proxy([model(upstream.base)], metrics=True, hold=60) as proxy,
    ):
        first, second = await Client.connect(proxy), await Client.connect(proxy)
        await first.send({**BODY, "stream": True})
        await asyncio.wait_for(waiting.wait(), 5)
        await second.send({**BODY, "stream": True})
        await second.head()
        found = samples((await ask(proxy, None, method="GET", path="/metrics")).body)
        first.close()
        second.close()
        await eventually(lambda: not proxy.gateway.admission.calls)
        after = samples((await ask(proxy, None, method="GET", path="/metrics")).body)
    # the one that asks is under way too
    figures = [found[name] for name in ("requests_in_flight", "requests_waiting", "open_streams")]
    assert figures == [3, 2, 1]
    assert after["requests_total m gone custom 0"] == 1
    assert after["requests_total m gone custom 200"] == 1


def test_labels_are_bounded() -> None:
    counts = metrics.Metrics()
    for number in range(400):
        counts.add(record(model=f"m{number}"))
    counts.add(record(model=""))
    text = counts.render()
    names = {name.split(" ")[1] for name in samples(text) if name.startswith("requests_total")}
    assert len(names) == metrics.MAX_MODELS + 1
    assert "other" in names
    assert b"planted-session" not in text


async def test_the_address_is_for_this_machine_and_must_be_switched_on() -> None:
    async with running_upstream(say_hello) as upstream:
        async with running_proxy([model(upstream.base)]) as proxy:
            assert (await ask(proxy, None, method="GET", path="/metrics")).status == 404
        async with running_proxy([model(upstream.base)], metrics=True) as proxy:
            await ask(proxy, {**BODY, "stream": True})
            reply = await ask(proxy, None, method="GET", path="/metrics", key=None)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    found = samples(reply.body)
    assert found["requests_total m ok custom 200"] == 1
    assert found["tokens_total output m custom"] == 5
    assert KEY.encode() not in reply.body


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"keyless-claude-proxy\[metrics\]"):
        metrics.Metrics()


async def test_several_workers_answer_as_one(tmp_path: Path) -> None:
    async with running_upstream(say_hello) as upstream:
        models = tmp_path / "models.yaml"
        models.write_text(f"- {{model_id: m, api_base: '{upstream.base}'}}\n")
        options = [
            "--models",
            str(models),
            "--port",
            "0",
            "--workers",
            "2",
            "--metrics",
            "--usage-file",
            "no",
        ]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "claude_code_proxy", "serve", *options),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        try:
            assert process.stdout is not None
            found = re.search(rb":(\d+)\n", await process.stdout.readline())
            assert found is not None
            proxy = Proxy(int(found[1]), cast("Any", None), cast("Any", None))
            for _ in range(20):
                assert (await ask(proxy, BODY)).status == 200
            reply = await ask(proxy, None, method="GET", path="/metrics")
        finally:
            process.terminate()
            await process.wait()
    found_samples = samples(reply.body)
    assert found_samples["requests_total m ok custom 200"] == 20
    assert found_samples["cache_hit_ratio m custom"] == 0


async def test_gaps_are_counted_and_kept_by_nobody() -> None:
    async def speak_slowly(_: Request, connection: Connection) -> None:
        await connection.head()
        for word in ("one", " two", " three"):
            await connection.event(text_chunk(word))
            await asyncio.sleep(0.05)
        await connection.end()

    async with (
        running_upstream(speak_slowly) as upstream,
        running_proxy([model(upstream.base)], metrics=True) as proxy,
    ):
        await ask(proxy, {**BODY, "stream": True})
        found = samples((await ask(proxy, None, method="GET", path="/metrics")).body)
        feed = proxy.gateway.feed
    assert found["chunk_gap_seconds_count m custom"] > 0
    assert feed is not None
    assert [record.gaps for record in feed.ended] == [()]
