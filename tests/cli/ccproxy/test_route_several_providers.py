"""One session on several providers: each key reaches its own provider only, and none is stored."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.config.cc_proxy_json.key_sources import parse_key
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_plan import plan_session
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.demo.processes import service
from tests.cli.ccproxy.test_private_proxy import free_port, lines
from tests.cli.demo_upstream import Upstream, running_upstream
from tests.cli.desk import KEY, Desk
from tests.replies import error_reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = "sk-planted-other-key"
TEXT = [{"type": "text", "text": "it works"}]


@pytest.fixture
def second() -> Iterator[Upstream]:
    with running_upstream() as started:
        yield started


def both(desk: Desk, upstream: Upstream, second: Upstream, **changes: Any) -> None:
    groq = second.entry(auth_key="env:GROQ", model="llama")
    desk.providers({"main": upstream.entry(default=True, **changes), "groq": groq})


def test_each_model_at_its_provider(desk: Desk, upstream: Upstream, second: Upstream, tmp_path: Path) -> None:
    both(desk, upstream, second, small_model="groq/gpt/small", ANTHROPIC_DEFAULT_HAIKU_MODEL="groq/haiku")
    log = tmp_path / "log"
    asked = [
        "demo",
        "groq/gpt/small",
        "groq/haiku",
        "groq/never-named",
        "never-named",
        "anthropic/groq/haiku",
    ]
    code, out, err = desk.run("ask", *asked, GROQ=OTHER, CCPROXY_LOG=str(log))
    assert (code, err) == (0, "")
    started, *answers = lines(out)
    assert [answer["content"] for answer in answers] == [TEXT] * 6
    assert [answer["model"] for answer in answers] == asked
    assert upstream.received == [("demo", f"Bearer {KEY}"), ("never-named", f"Bearer {KEY}")]
    assert second.received == [
        (name, f"Bearer {OTHER}") for name in ("gpt/small", "haiku", "never-named", "haiku")
    ]
    assert started["env"]["ANTHROPIC_SMALL_FAST_MODEL"] == "groq/gpt/small"
    assert started["env"]["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "groq/haiku"
    everywhere = (
        out
        + log.read_text(encoding="utf-8")
        + "".join(
            path.read_text(encoding="utf-8") for path in desk.home.rglob("*") if path.is_file()
        ).replace(desk.config.read_text(encoding="utf-8"), "")
    )
    for key in (KEY, OTHER):
        assert key not in everywhere
    assert "GROQ" not in started["env"]


def test_a_provider_that_is_not_part_of_the_session(desk: Desk, upstream: Upstream, second: Upstream) -> None:
    """Nobody can ask for its models: they are the chosen provider's, with its key."""
    both(desk, upstream, second)
    _, out, _ = desk.run("ask", "groq/llama", GROQ=OTHER)
    assert lines(out)[1]["content"] == TEXT
    assert upstream.received == [("groq/llama", f"Bearer {KEY}")]
    assert second.received == []


def test_moving_on_to_another_provider(
    desk: Desk, upstream: Upstream, second: Upstream, tmp_path: Path
) -> None:
    both(desk, upstream, second, fallback=["groq/llama"])
    upstream.provider.script.add(error_reply(402, "Insufficient Balance"))
    log = tmp_path / "log"
    code, out, _ = desk.run("ask", "demo", GROQ=OTHER, CCPROXY_LOG=str(log))
    assert code == 0
    assert lines(out)[1]["model"] == "demo"
    assert (len(upstream.received), second.received) == (1, [("llama", f"Bearer {OTHER}")])
    line = "demo returned 402 billing_error: moved on to groq/llama"
    ends = time.monotonic() + 10  # the proxy that writes it outlives the command for a moment
    while line not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_rule_for_another_provider(desk: Desk, upstream: Upstream, second: Upstream) -> None:
    routes = {"main": "demo", "subagent": "groq/gpt/small", "long_context": {"above": 5, "to": "groq/wide"}}
    both(desk, upstream, second, routes=routes)
    code, out, _ = desk.run("ask", "demo", "own-too", "groq/never-named", GROQ=OTHER)
    started, *answers = lines(out)
    assert (code, [answer["model"] for answer in answers]) == (0, ["demo", "own-too", "groq/never-named"])
    assert upstream.received == []
    assert second.received == [(name, f"Bearer {OTHER}") for name in ("wide", "wide", "never-named")]
    assert started["env"]["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] == "1"
    _, out, _ = desk.run("config", "show")
    assert '"subagent": "groq/gpt/small"' in out
    _, out, _ = desk.run("list", "--json")
    assert json.loads(out)["providers"][0]["routes"]["subagent"] == "groq/gpt/small"


def test_a_rule_is_reason_for_a_proxy(desk: Desk, upstream: Upstream) -> None:
    """Also where Claude Code could go straight."""
    for routes in ({}, {"title": "small"}):
        desk.providers({"main": upstream.entry(format="anthropic", routes=routes)})
        assert ("needs a proxy in between" in desk.run("--direct", "--dry-run")[2]) == bool(routes)


def test_moving_on_when_nobody_is_there(desk: Desk, second: Upstream) -> None:
    nowhere = Upstream(second.provider, f"http://127.0.0.1:{free_port()}")
    both(desk, nowhere, second, fallback="groq/llama", format="openai")
    _, out, _ = desk.run("ask", GROQ=OTHER, CLAUDE_CODE_PROXY_MAX_RETRIES="0")
    assert lines(out)[1]["content"] == TEXT
    assert second.received == [("llama", f"Bearer {OTHER}")]


def test_providers_behind_a_proxy_that_runs(
    desk: Desk, upstream: Upstream, second: Upstream, tmp_path: Path
) -> None:
    """Their real addresses are in models.yaml, and each key is for one of those."""
    models = tmp_path / "models.yaml"
    models.write_text(
        f"- {{model_id: big, model_name: demo, api_base: '{upstream.url}/v1'}}\n"
        f"- {{model_id: little, model_name: llama, api_base: '{second.url}/v1'}}\n",
        encoding="utf-8",
    )
    env = {"CLAUDE_CODE_PROXY_MODELS": str(models)}
    with service("the proxy", ["serve", "--port=0", "--models", str(models)], tmp_path / "log") as url:
        desk.providers(
            {
                "a": {
                    "base_url": url,
                    "auth_key": KEY,
                    "model": "big",
                    "small_model": "b/little",
                    "default": True,
                },
                "b": {"base_url": url, "auth_key": OTHER, "model": "little"},
            }
        )
        code, out, err = desk.run("ask", "big", "b/little", **env)
        assert (code, err) == (0, "")
        assert [answer["content"] for answer in lines(out)[1:]] == [TEXT, TEXT]
        assert upstream.received == [("demo", f"Bearer {KEY}")]
        assert second.received == [("llama", f"Bearer {OTHER}")]
        desk.providers(json.loads(desk.config.read_text().replace("b/little", "b/litle")))
        code, out, err = desk.run(**env)
        assert (code, out) == (output.CONFIG, "")
        assert 'did you mean "little"?' in err


def test_two_keys_for_one_address(desk: Desk, upstream: Upstream) -> None:
    desk.providers(
        {"a": upstream.entry(small_model="b/x", default=True), "b": upstream.entry(auth_key=OTHER, model="y")}
    )
    code, out, err = desk.run()
    assert (code, out) == (output.CONFIG, "")
    assert "another provider of this session has the same base_url and another key" in err


def test_a_port_that_is_taken(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    """What sits there and does not answer is no proxy, and there is no room for one."""
    models = tmp_path / "models.yaml"
    models.write_text(f"- {{model_id: m, api_base: '{upstream.url}/v1'}}\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        desk.providers({"a": {"base_url": f"http://127.0.0.1:{port}", "auth_key": KEY, "model": "m"}})
        code, out, err = desk.run(CLAUDE_CODE_PROXY_MODELS=str(models))
    assert (code, out) == (output.FAILURE, "")
    assert f"cannot listen on 127.0.0.1 port {port}" in err


def provider(name: str, **more: Any) -> Provider:
    values = {"base_url": f"https://{name}.example", "key": parse_key("x"), "model": "m"} | more
    return Provider(name=name, **values)


@pytest.mark.parametrize(
    ("reference", "model_id", "owner", "name"),
    [
        ("small", "small", "own", "small"),
        ("other/small", "other/small", "other", "small"),
        ("other/deep/small", "other/deep/small", "other", "deep/small"),
        ("own/other/small", "other/small", "own", "other/small"),
        ("own/small", "small", "own", "small"),
        ("unknown/small", "unknown/small", "own", "unknown/small"),
        ("other/", "other/", "own", "other/"),
    ],
)
def test_references(tmp_path: Path, reference: str, model_id: str, owner: str, name: str) -> None:
    own = provider("own", small_model=reference, tiers={"ANTHROPIC_DEFAULT_OPUS_MODEL": reference})
    session = plan_session(own, [own, provider("other")], tmp_path)
    assert session.provider.small_model == model_id
    assert session.provider.tiers == {"ANTHROPIC_DEFAULT_OPUS_MODEL": model_id}
    assert [(m.model_id, m.provider.name, m.name) for m in session.models[1:]] == [(model_id, owner, name)]
    assert [p.name for p in session.providers] == (["own"] if owner == "own" else ["own", "other"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "other/m", "small_model": "other/m"}, 'write "own/other/m" for its own'),
        ({"fallback": ("m",)}, "fallback names the model itself"),
    ],
)
def test_bad_references(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    own = provider("own", **changes)
    with pytest.raises(ConfigError) as caught:
        plan_session(own, [own, provider("other")], tmp_path)
    assert says in str(caught.value)
