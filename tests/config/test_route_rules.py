"""`routes` in models.yaml and in cc-proxy.json: what is read, and what is said of mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.cc_proxy_json.session_models import session_entries, table_of
from claude_code_proxy.config.cc_proxy_json.session_plan import plan_session
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.request.request_kind import KINDS, Rule

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"api_base": "https://x.example"}
PROVIDER = {"base_url": "https://x.example", "auth_key": "env:KEY", "model": "m"}


def of_models(folder: Path, routes: Any) -> tuple[Rule, ...]:
    path = folder / "models.yaml"
    entries = [{"model_id": "m", **BASE, "routes": routes}, {"model_id": "small", **BASE}]
    path.write_text(yaml.safe_dump(entries, sort_keys=False), encoding="utf-8")
    return load_models(path).models[0].routes


def of_providers(folder: Path, routes: Any) -> tuple[Rule, ...]:
    path = folder / "cc-proxy.json"
    path.write_text(json.dumps({"p": PROVIDER | {"routes": routes}}), encoding="utf-8")
    return load_providers(path)[0].routes


@pytest.mark.parametrize("read", [of_models, of_providers])
def test_rules_in_the_order_of_the_file(tmp_path: Path, read: Any) -> None:
    plain = [kind for kind in reversed(KINDS) if kind != "long_context"]
    routes = {**dict.fromkeys(plain, " small "), "long_context": {"above": "120k", "to": "small"}}
    expected = [*(Rule(kind, "small") for kind in plain), Rule("long_context", "small", 120_000)]
    assert read(tmp_path, routes) == tuple(expected)
    assert read(tmp_path, {}) == ()


@pytest.mark.parametrize("read", [of_models, of_providers])
@pytest.mark.parametrize(
    ("routes", "says"),
    [
        (
            {"subagnet": "small"},
            'routes: unknown kind of request "subagnet" (hint: did you mean "subagent"?)',
        ),
        ({"zzz": "small"}, "hint: there are main, subagent"),
        ("small", "routes must be a mapping"),
        ({"title": 5}, "routes.title must name a model, not 5"),
        ({"title": ""}, "routes.title must name a model"),
        ({"title": "groq/*"}, "routes.title must name a model"),
        ({"title": {"to": "small"}}, "routes.title must name a model, not a mapping"),
        ({"long_context": "small"}, "routes.long_context must be a mapping"),
        ({"long_context": {"to": "small"}}, "routes.long_context.above must be a size like"),
        ({"long_context": {"above": "many", "to": "small"}}, "above must be a size like"),
        ({"long_context": {"above": "1k"}}, "routes.long_context must name a model"),
        ({"long_context": {"abvoe": 1, "above": 1, "to": "small"}}, 'did you mean "above"?'),
    ],
)
def test_mistakes(tmp_path: Path, read: Any, routes: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, routes)
    assert says in str(caught.value)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        of_models(tmp_path, {"title": "m", "subagent": "smal"})
    said = 'models.yaml:1: routes.subagent: no entry serves "smal" (hint: did you mean "small"?)'
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("written", "judge"),
    [("small", "small"), ("off", ""), (" Off ", ""), (False, ""), (None, None)],
)
def test_who_judges(tmp_path: Path, written: Any, judge: str | None) -> None:
    said = {} if written is None else {"safety_model": written}
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump([{"model_id": "m", **BASE, **said}, {"model_id": "small", **BASE}]))
    assert load_models(path).models[0].safety_model == judge
    path = tmp_path / "cc-proxy.json"
    path.write_text(json.dumps({"p": PROVIDER | said}))
    assert load_providers(path)[0].safety_model == judge


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"safety_model": True}, "safety_model must name a model, or be off"),
        ({"safety_model": ""}, "safety_model must name a model"),
        ({"safety_model": "x/*"}, "safety_model must name a model"),
        ({"safety_model": 5}, "safety_model must be text or true or false"),
        ({"safety_model": "m", "CLAUDE_CODE_AUTO_MODE_MODEL": "m"}, "write one of them"),
        ({"safty_model": "m"}, 'did you mean "safety_model"?'),
    ],
)
def test_mistakes_about_the_judge(tmp_path: Path, said: Any, says: str) -> None:
    path = tmp_path / "cc-proxy.json"
    path.write_text(json.dumps({"p": PROVIDER | said}))
    with pytest.raises(ConfigError) as caught:
        load_providers(path)
    assert says in str(caught.value)


def test_a_judge_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump([{"model_id": "m", **BASE, "safety_model": "nobody"}]))
    with pytest.raises(ConfigError) as caught:
        load_models(path)
    assert 'safety_model: no entry serves "nobody"' in str(caught.value)


@pytest.mark.parametrize(
    ("said", "judge"),
    [
        ({}, None),
        ({"small_model": "s"}, "s"),
        ({"small_model": "s", "safety_model": "q/j"}, "q/j"),
        ({"small_model": "s", "safety_model": "off"}, ""),
        ({"small_model": "s", "CLAUDE_CODE_AUTO_MODE_MODEL": "q/j"}, ""),
    ],
)
def test_the_judge_of_a_session(tmp_path: Path, said: Any, judge: str | None) -> None:
    path = tmp_path / "cc-proxy.json"
    path.write_text(json.dumps({"p": PROVIDER | {"default": True} | said, "q": PROVIDER}))
    providers = load_providers(path)
    session = plan_session(providers[0], providers, path)
    table = table_of(session_entries(session, {}), path)
    assert {model.safety_model for model in table.models} == {judge}
    for model in table.models:
        assert not model.safety_model or table.resolve(model.safety_model)
