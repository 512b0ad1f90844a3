"""The launcher's environment, provider file and the settings files that would win over it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.cc_proxy_json.key_sources import NO_KEY, parse_key
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider, choose, load_providers
from claude_code_proxy.config.claude_code.environment import (
    Changes,
    Limits,
    Target,
    apply_changes,
    lacking,
    plan_changes,
)
from claude_code_proxy.config.claude_code.settings_files import (
    Setting,
    managed_conflicts,
    overrides,
    own_helper,
    read_settings,
    settings_argument,
)
from claude_code_proxy.config.jsonc import read_document
from claude_code_proxy.config.problems import ConfigError
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

    from claude_code_proxy.core.providers.profile import Effort

CASES = paths.CASES / "config"
ENVIRONMENTS = json.loads((CASES / "launcher_environments.json").read_text(encoding="utf-8"))
BAD_FILES = json.loads((CASES / "bad_providers.json").read_text(encoding="utf-8"))
LEAST = {"base_url": "http://127.0.0.1:8082", "auth_key": "sk-planted", "model": "m"}


def provider(**changes: Any) -> Provider:
    values = LEAST | changes
    return Provider(name="p", key=parse_key(values.pop("auth_key")), **values)


def changes(chosen: Provider, base_env: dict[str, str], limits: Limits) -> Changes:
    return plan_changes(chosen, Target(chosen.base_url, chosen.key.value), base_env, limits)


def build_environment(chosen: Provider, base_env: dict[str, str], limits: Limits) -> dict[str, str]:
    return apply_changes(changes(chosen, base_env, limits), base_env)


@pytest.mark.parametrize("case", ENVIRONMENTS, ids=lambda case: case["name"])
def test_environment(case: dict[str, Any]) -> None:
    chosen = provider(**case.get("provider", {}))
    found = build_environment(chosen, case.get("env", {}), Limits(**case.get("limits", {})))
    for name, value in case.get("has", {}).items():
        assert found.get(name) == value, name
    for name in case.get("lacks", []):
        assert name not in found


@pytest.mark.parametrize(
    ("own", "ours", "asks"),
    [
        ({}, True, "1"),
        ({}, False, "0"),
        ({"safety_model": ""}, True, "0"),
        ({"safety_model": "j"}, True, "1"),
    ],
)
def test_who_judges_in_auto_mode(own: dict[str, Any], ours: bool, asks: str) -> None:
    target = Target("http://127.0.0.1:1", "k", is_ours=ours)
    found = plan_changes(provider(**own), target, {"CLAUDE_CODE_AUTO_MODE_MODEL": "stale"}, Limits())
    assert found.optional["CLAUDE_CODE_AUTO_MODE_SERVER"] == asks
    assert found.removed == ("CLAUDE_CODE_AUTO_MODE_MODEL",)
    named = plan_changes(provider(**own, classifier_model="c"), target, {}, Limits())
    assert named.required["CLAUDE_CODE_AUTO_MODE_MODEL"] == "c"


def test_all_that_is_set_for_the_least_provider() -> None:
    assert build_environment(provider(), {"HOME": "/h", "PATH": "/bin"}, Limits()) == {
        "HOME": "/h",
        "PATH": "/bin",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8082",
        "ANTHROPIC_AUTH_TOKEN": "sk-planted",
        "ANTHROPIC_MODEL": "m",
        "ANTHROPIC_SMALL_FAST_MODEL": "m",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "m",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "m",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "m",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "m",
        "ANTHROPIC_DEFAULT_OPUS_MODEL_NAME": "m (p)",
        "ANTHROPIC_DEFAULT_SONNET_MODEL_NAME": "m (p)",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL_NAME": "m (p)",
        "ANTHROPIC_DEFAULT_FABLE_MODEL_NAME": "m (p)",
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1",
        "CCPROXY_SESSION": "p",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_AUTO_MODE_SERVER": "0",
        "CCPROXY_SET": "CLAUDE_CODE_ATTRIBUTION_HEADER,CLAUDE_CODE_AUTO_MODE_SERVER",
    }


def test_a_nested_launch_forgets_the_outer_one() -> None:
    outer = build_environment(provider(model="big"), {"PATH": "/bin"}, Limits(1_000_000, 64_000))
    inner = build_environment(provider(model="small"), outer, Limits(64_000))
    assert inner == build_environment(provider(model="small"), {"PATH": "/bin"}, Limits(64_000))
    direct = provider(base_url="https://api.anthropic.com")
    assert build_environment(direct, outer, Limits()) == build_environment(direct, {"PATH": "/bin"}, Limits())


def test_the_key_is_not_in_the_providers_text() -> None:
    assert "planted" not in repr(provider())


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cc-proxy.json"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("case", BAD_FILES, ids=lambda case: case["name"])
def test_provider_file_errors(tmp_path: Path, case: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_providers(write(tmp_path, case["json"]))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(case["says"])
    for line, says in zip(lines, case["says"], strict=True):
        assert says in line
    assert "planted" not in str(caught.value)


def test_unreadable_provider_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file \(hint: create it \(mode 0600\)"):
        load_providers(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_providers(tmp_path)
    (tmp_path / "x.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_providers(tmp_path / "x.json")


def test_flat_and_map_form(tmp_path: Path) -> None:
    (flat,) = load_providers(write(tmp_path, json.dumps(LEAST)))
    assert (flat.name, flat.model) == ("default", "m")
    mapped = load_providers(write(tmp_path, json.dumps({"b": LEAST, "a": LEAST | {"default": True}})))
    assert [(item.name, item.is_default) for item in mapped] == [("b", False), ("a", True)]


def test_every_key(tmp_path: Path) -> None:
    whole = LEAST | {
        "small_model": "s",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "o",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "n",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "h",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "f",
        "CLAUDE_CODE_SUBAGENT_MODEL": "a",
        "context": "64k",
        "max_tokens": 8192,
    }
    (found,) = load_providers(write(tmp_path, json.dumps({"p": whole})))
    environment = build_environment(found, {}, Limits(context=1, max_tokens=1))
    assert {
        name: environment[name]
        for name in sorted(environment)
        if not name.startswith("CLAUDE_CODE_A") and not name.endswith("_NAME")
    } == {
        "ANTHROPIC_AUTH_TOKEN": "sk-planted",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8082",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "f",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "h",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "o",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "n",
        "ANTHROPIC_MODEL": "m",
        "ANTHROPIC_SMALL_FAST_MODEL": "s",
        "CCPROXY_SESSION": "p",
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1",
        "CCPROXY_SET": (
            "CLAUDE_CODE_MAX_CONTEXT_TOKENS,CLAUDE_CODE_MAX_OUTPUT_TOKENS,"
            "CLAUDE_CODE_ATTRIBUTION_HEADER,CLAUDE_CODE_AUTO_MODE_SERVER"
        ),
        "CLAUDE_CODE_DISABLE_1M_CONTEXT": "1",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "64000",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "8192",
        "CLAUDE_CODE_SUBAGENT_MODEL": "a",
    }


@pytest.mark.parametrize(
    ("names", "default", "wanted", "found"),
    [
        (["a"], None, None, "a"),
        (["a", "b"], "b", None, "b"),
        (["a", "b"], "b", "a", "a"),
        (
            ["deepseek", "glm"],
            None,
            "deepsek",
            'there is no provider "deepsek" (hint: did you mean "deepseek"?)',
        ),
        (["deepseek", "glm"], None, "groq", 'there is no provider "groq" (hint: ccproxy add groq)'),
        (["deepseek", "glm"], None, "zzz", 'there is no provider "zzz" (hint: it has deepseek, glm)'),
        (["a", "b"], None, None, "none is the default (hint: choose with -P: a, b; or mark one"),
    ],
)
def test_choice(
    tmp_path: Path, names: list[str], default: str | None, wanted: str | None, found: str
) -> None:
    text = json.dumps({name: LEAST | ({"default": True} if name == default else {}) for name in names})
    path = write(tmp_path, text)
    try:
        result = choose(load_providers(path), wanted, path).name
    except ConfigError as error:
        result = str(error)
    assert found == result or (" " in found and found in result)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2, ], }', {"a": [1, 2]}),
        ('// c\n{"a": /* b */ 1} // d', {"a": 1}),
        ('{"a": 1, // } not the end\n "b": 2}', {"a": 1, "b": 2}),
        ('{"a": 1, /* } */ "b": 2}', {"a": 1, "b": 2}),
        ('{"a": 1, /* } */ // ]\n }', {"a": 1}),
        (
            '{"u": "http://x//y", "c": "/* no */", "q": "a\\",}"}',
            {"u": "http://x//y", "c": "/* no */", "q": 'a",}'},
        ),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ],
)
def test_json_as_people_write_it(tmp_path: Path, text: str, value: object) -> None:
    assert read_document(write(tmp_path, text)).value == value


def test_lines_of_keys(tmp_path: Path) -> None:
    text = '{\n// "no": 1\n"a": {"x": "y:",\n "b": 1},\n/* \n */ "c": ["d", {"e": 1, "e": 2}],\n"f": 1}'
    assert read_document(write(tmp_path, text)).lines == {
        ("a",): 3,
        ("a", "x"): 3,
        ("a", "b"): 4,
        ("c",): 6,
        ("f",): 7,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1\n"b": 2}', "cc-proxy.json:2: not valid JSON: Expecting ',' delimiter"),
        ('{"a": 1,\n\n"a": 2}', 'cc-proxy.json:3: the key "a" occurs twice, first in line 1'),
        ('{"a": "open\n}', "cc-proxy.json:1: not valid JSON"),
        ("[" * 100_000, "cc-proxy.json: not valid JSON: nested too deep"),
        ("", "cc-proxy.json:1: not valid JSON"),
        ('{"a": 1,\n"format": "\\ud83d"}', "cc-proxy.json:2: half of a character"),
        ('{"\\udc00": {}}', "cc-proxy.json:1: half of a character"),
    ],
)
def test_bad_json(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document(write(tmp_path, text))
    assert says in str(caught.value)


def settings(tmp_path: Path, **env: str) -> tuple[Path, dict[str, str]]:
    folder = tmp_path / "home" / ".claude"
    folder.mkdir(parents=True)
    path = folder / "settings.json"
    path.write_text('{"env":\n' + json.dumps(env) + "}", encoding="utf-8")
    return path, {"HOME": str(tmp_path / "home")}


def found(tmp_path: Path, **env: str) -> dict[str, Any]:
    _, base = settings(tmp_path, **env)
    return overrides(read_settings(base, tmp_path, None), changes(provider(), base, Limits()))


def test_settings_that_agree_or_do_not_matter(tmp_path: Path) -> None:
    assert (
        found(tmp_path, EDITOR="vi", ANTHROPIC_MODEL="m", ANTHROPIC_API_KEY="", ANTHROPIC_LOG="debug") == {}
    )


def test_settings_that_would_win_are_overridden(tmp_path: Path) -> None:
    assert found(
        tmp_path,
        ANTHROPIC_BASE_URL="https://other.example",
        ANTHROPIC_API_KEY="sk-other",
        CLAUDE_CODE_USE_BEDROCK="1",
    ) == {
        "env": {
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:8082",
            "ANTHROPIC_API_KEY": "",
            "CLAUDE_CODE_USE_BEDROCK": "",
        }
    }


def test_no_key_goes_into_the_settings_argument(tmp_path: Path) -> None:
    assert found(tmp_path, ANTHROPIC_AUTH_TOKEN="sk-other", ANTHROPIC_CUSTOM_HEADERS="a: b") == {}


def test_a_key_helper_is_turned_off(tmp_path: Path) -> None:
    path, base = settings(tmp_path)
    for helper, expected in (("cat key", {"apiKeyHelper": ""}), ("", {})):
        path.write_text(json.dumps({"apiKeyHelper": helper}), encoding="utf-8")
        assert overrides(read_settings(base, tmp_path, None), changes(provider(), base, Limits())) == expected


CAT = "cat key"


@pytest.mark.parametrize(
    ("key", "base_url", "env", "helper", "is_own"),
    [
        (f"cmd:{CAT}", "http://127.0.0.1:8082", {}, CAT, True),
        (f"cmd:ttl=50m {CAT}", "http://127.0.0.1:8082", {}, CAT, True),
        (f"cmd:{CAT} more", "http://127.0.0.1:8082", {}, CAT, False),
        ("env:KEY", "http://127.0.0.1:8082", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8082"}, CAT, False),
        ("", "http://127.0.0.1:8082/v1", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8082/"}, CAT, True),
        ("", "http://127.0.0.1:8082", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8083"}, CAT, False),
        ("", "http://127.0.0.1:8082", {}, CAT, False),
        (f"cmd:{CAT}", "http://127.0.0.1:8082", {}, "", False),
    ],
)
def test_a_helper_that_tells_the_providers_key(
    tmp_path: Path, key: str, base_url: str, env: dict[str, str], helper: str, *, is_own: bool
) -> None:
    path, base = settings(tmp_path)
    path.write_text(json.dumps({"apiKeyHelper": helper, "env": env}), encoding="utf-8")
    source = parse_key(key) if key else NO_KEY
    found = own_helper(
        read_settings(base, tmp_path, None), Provider(name="p", base_url=base_url, key=source, model="m")
    )
    assert (found is not None) == is_own


def test_a_helper_of_the_provider_is_left_on(tmp_path: Path) -> None:
    """Then Claude Code has no other key, whatever a settings file says, and takes its settings as they are."""
    path, base = settings(tmp_path)
    env = {"ANTHROPIC_AUTH_TOKEN": "sk-other", "ANTHROPIC_BASE_URL": "https://other.example"}
    path.write_text(json.dumps({"apiKeyHelper": CAT, "env": env}), encoding="utf-8")
    base = {**base, "ANTHROPIC_API_KEY": "sk-other"}
    made = plan_changes(provider(), Target("http://127.0.0.1:8082", ""), base, Limits())
    assert "ANTHROPIC_API_KEY" in made.removed
    assert not {"ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST"} & made.required.keys()
    found = read_settings(base, tmp_path, None)
    assert overrides(found, made) == {
        "env": {"ANTHROPIC_AUTH_TOKEN": "", "ANTHROPIC_BASE_URL": "http://127.0.0.1:8082"}
    }
    managed = [Setting(path, 1, "apiKeyHelper", CAT, is_managed=True)]
    assert managed_conflicts(managed, made) == []
    assert own_helper(managed, provider(auth_key=f"cmd:{CAT}")) == managed[0]


def test_what_an_administrator_manages_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "managed"
    (folder / "managed-settings.d").mkdir(parents=True)
    (folder / "managed-settings.json").write_text(
        '{"env": {"EDITOR": "vi",\n"ANTHROPIC_BASE_URL": "https://corp.example"}}', encoding="utf-8"
    )
    (folder / "managed-settings.d" / "10.json").write_text('{\n\n"apiKeyHelper": "x"}', encoding="utf-8")
    read = read_settings({"HOME": str(tmp_path)}, tmp_path, folder)
    problems = [str(problem) for problem in managed_conflicts(read, changes(provider(), {}, Limits()))]
    assert len(problems) == 2
    assert "managed-settings.json:2: ANTHROPIC_BASE_URL is set here for everyone" in problems[0]
    assert "10.json:3: apiKeyHelper is set here" in problems[1]
    assert overrides(read, changes(provider(), {}, Limits())) == {}


def test_all_settings_files_are_read(tmp_path: Path) -> None:
    _, env = settings(tmp_path, A="1")
    project = tmp_path / "project" / ".claude"
    project.mkdir(parents=True)
    (project / "settings.json").write_text('{"env": {"B": "2"}}', encoding="utf-8")
    (project / "settings.local.json").write_text('{"env": {"C": "3"}}', encoding="utf-8")
    assert [(item.name, item.value) for item in read_settings(env, tmp_path / "project", None)] == [
        ("A", "1"),
        ("B", "2"),
        ("C", "3"),
    ]
    other = {"CLAUDE_CONFIG_DIR": str(project)}
    assert [item.name for item in read_settings(other, tmp_path, None)] == ["B"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"env": 1}'])
def test_odd_settings_are_left_to_claude(tmp_path: Path, text: str) -> None:
    path, env = settings(tmp_path)
    path.write_text(text, encoding="utf-8")
    assert read_settings(env, tmp_path, None) == []


def test_settings_argument() -> None:
    assert settings_argument({}) == []
    assert settings_argument({"env": {"A": "b"}}) == ["--settings", '{"env": {"A": "b"}}']


@pytest.mark.parametrize(
    ("model", "levels", "entry"),
    [
        ("m", (), "m=-effort"),
        ("a/b:free@x-1.5_y", (), "a/b:free@x-1.5_y=-effort"),
        ("m", ("low", "medium", "high"), "m=-xhigh_effort,-max_effort"),
        ("m", ("none", "low", "medium", "high", "xhigh"), ""),
        ("m", ("high", "max"), "m=-xhigh_effort"),
        ("m", ("low",), "m=-xhigh_effort,-max_effort"),
        ("m", ("low", "medium", "high", "xhigh", "max"), ""),
        ("a;b", (), ""),
        ("a=b", (), ""),
        ("a*", (), ""),
    ],
)
def test_what_a_model_lacks(model: str, levels: tuple[Effort, ...], entry: str) -> None:
    assert lacking(model, levels) == entry
