"""The dashboard and the alert rules: checked by the real promtool, against a scrape of the running server."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from claude_code_proxy.core.prompt_cache.cache_proof import CacheLoss
from tests import packages, paths
from tests.e2e.npm import missing
from tests.server.byte_upstream import running_upstream, say_hello
from tests.server.harness import BODY, ask, model, running_proxy
from tests.server.records.test_metrics import record

DEPLOY = paths.REPOSITORY / "deploy"
RULES = DEPLOY / "prometheus-alerts.yaml"
_NAME = re.compile(r"claude_code_proxy_\w+")


@pytest.fixture(scope="module")
def promtool() -> str:
    if packages.provide({"promtool": "prometheus"}):
        missing("promtool is not installed")
    return "promtool"


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana-dashboard.json").read_text())


def expressions() -> dict[str, str]:
    """What is asked of Prometheus, by the title of a panel or the name of an alert."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    found = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m")
            found[f"{panel['title']} {target['refId']}"] = expression
    return found


async def scrape() -> str:
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], metrics=True) as p,
    ):
        await ask(p, {**BODY, "stream": True, "top_k": 3})
        assert p.gateway.metrics is not None
        loss = CacheLoss("lost", "", 5)
        odd: Any = {"rule": "title", "upstream_errors": ("503",), "fallbacks": 1, "attempts": 4}
        p.gateway.metrics.add(record(error="api_error", outcome="error", cache_loss=loss, **odd))
        return (await ask(p, None, method="GET", path="/metrics")).body.decode()


async def test_every_metric_is_in_the_scrape() -> None:
    there = {line.split("{")[0].split(" ")[0] for line in (await scrape()).splitlines()}
    for what, expression in expressions().items():
        names = set(_NAME.findall(expression))
        assert names, what
        assert names <= there, what


async def test_every_metric_is_on_the_dashboard() -> None:
    """But what is there for other tools."""
    families = set(
        re.findall(r"^# TYPE (claude_code_proxy_\w+?)(?:_created)? ", await scrape(), re.MULTILINE)
    )
    shown = " ".join(expressions().values())
    sums = {"claude_code_proxy_cache_hit_ratio"}  # of all time: the dashboard has that of a few minutes
    assert {name for name in families if name not in shown} == sums


def test_the_scrape_is_as_prometheus_wants_it(promtool: str) -> None:
    text = asyncio.run(scrape())
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_rules_are_rules(promtool: str) -> None:
    checked = subprocess.run(
        [promtool, "check", "rules", RULES], capture_output=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert b"8 rules found" in checked.stdout


def test_the_panels_expressions_are_expressions(promtool: str, tmp_path: Any) -> None:
    rules = [{"record": f"r:{n}", "expr": text} for n, text in enumerate(expressions().values())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", file], capture_output=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_ring(promtool: str, tmp_path: Any) -> None:
    """An error in five requests rings after five minutes; one in fifty does not."""
    series = [
        {
            "series": f'claude_code_proxy_requests_total{{model="{name}",outcome="{outcome}"}}',
            "values": values,
        }
        for name, outcome, values in (
            ("bad", "error", "0+10x20"),
            ("bad", "ok", "0+40x20"),
            ("good", "error", "0+1x20"),
            ("good", "ok", "0+50x20"),
        )
    ]
    alert = {
        "exp_labels": {"severity": "warning", "model": "bad"},
        "exp_annotations": {"summary": "bad: 20% of requests end in an error"},
    }
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [
                    {"eval_time": "15m", "alertname": "ClaudeCodeProxyErrors", "exp_alerts": [alert]}
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    checked = subprocess.run([promtool, "test", "rules", file], capture_output=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
