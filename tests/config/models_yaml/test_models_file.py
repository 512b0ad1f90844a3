"""models.yaml: what each key does, every error with its line, and which model a name means."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.config.models_yaml import entry, models_file
from claude_code_proxy.config.models_yaml.example import EXAMPLE
from claude_code_proxy.config.models_yaml.models_file import (
    ModelConfig,
    ModelsFile,
    ModelTable,
    load_custom_models,
    load_models,
)
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core import providers
from claude_code_proxy.core.providers.profile import Profile
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

BAD = json.loads((paths.CASES / "config" / "bad_models.json").read_text(encoding="utf-8"))


def load(tmp_path: Path, text: str) -> ModelTable:
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")
    return load_models(path)


def one(tmp_path: Path, *lines: str, base: str = "https://x.example") -> ModelConfig:
    (model,) = load(tmp_path, "\n  ".join(["- model_id: a", f"api_base: {base}", *lines])).models
    return model


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_errors(tmp_path: Path, case: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, case["yaml"])
    lines = str(caught.value).splitlines()
    assert len(lines) >= len(case["says"])
    for line, says in zip(lines, case["says"], strict=False):
        assert says in line
    assert "planted" not in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file \(hint: write one with: claude-code-proxy init\)"):
        load_models(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_models(tmp_path)
    (tmp_path / "m.yaml").write_bytes(b"- model_id: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_models(tmp_path / "m.yaml")


def test_least_entry(tmp_path: Path) -> None:
    model = one(tmp_path)
    assert model.model_name == "a"
    assert model.format == "openai"
    assert model.chat_url == "https://x.example/v1/chat/completions"
    assert model.profile == providers.profile_for(api_base="https://x.example", model="a")
    assert model.native == providers.native_for("https://x.example")
    assert model.can_stream
    assert model.restore_model_name
    assert (model.connect_timeout, model.first_byte_timeout, model.idle_timeout, model.hold) == (None,) * 4


@pytest.mark.parametrize(
    ("text", "size"),
    [("8192", 8192), ("8k", 8000), ("16K", 16000), ("1.5k", 1500), ("1m", 1_000_000), ("8_192", 8192)],
)
def test_sizes(tmp_path: Path, text: str, size: int) -> None:
    model = one(tmp_path, f"max_tokens: {text}", f"context: {text}", f"max_input_tokens: {text}")
    assert (model.max_tokens, model.context, model.max_input_tokens) == (size, size, size)


def test_context_falls_back_to_the_longest_prompt(tmp_path: Path) -> None:
    assert one(tmp_path, "max_input_tokens: 100k").context == 100_000
    assert one(tmp_path, "max_input_tokens: 100k", "context: 128k").context == 128_000


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("max_tokens: 8k", {"max_output": 8000}),
        ("context: 64k", {"context_window": 64000}),
        ("temperature: 1", {"temperature": 1.0}),
        ("reasoning_effort: high", {"effort": "high"}),
        ("reasoning_effort: max", {"effort": "max"}),
        ("reasoning_effort: minimal", {"thinking": False}),
        ("reasoning_effort: none", {"thinking": False}),
        ("effort: minimal", {"effort": "minimal"}),
        ("enable_thinking: true", {"thinking": True}),
        ("thinking: false", {"thinking": False}),
        ("extra_body: {a: {b: 1}}", {"extra_body": {"a": {"b": 1}}}),
        ("think_tags: off", {"think_tags": "off"}),
        ("temperature_range: null", {"temperature_range": None}),
        ("temperature_range: [0, 2]", {"temperature_range": (0.0, 2.0)}),
        ("drop_params: [top_p, seed]", {"drop_params": ("top_p", "seed")}),
        ("mid_system: hoist", {"mid_system": "hoist"}),
        ("auth: api-key", {"auth": "api-key"}),
        ("profile: {vision: false, stop_max: 0}", {"vision": False, "stop_max": 0}),
    ],
)
def test_profile_keys(tmp_path: Path, line: str, changes: dict[str, Any]) -> None:
    base = providers.profile_for(api_base="https://x.example", model="a")
    assert one(tmp_path, line).profile == dataclasses.replace(base, **changes)


def test_named_profile_and_single_keys(tmp_path: Path) -> None:
    row = providers.profile_for(api_base="https://x.example", model="a", name="deepseek")
    assert one(tmp_path, "profile: deepseek").profile == row
    assert one(tmp_path, "profile: {name: deepseek, vision: true}", "stop_max: 1").profile == (
        dataclasses.replace(row, vision=True, stop_max=1)
    )


def test_profile_is_found_by_the_upstreams_name_for_the_model(tmp_path: Path) -> None:
    model = one(tmp_path, "model_name: deepseek-reasoner", base="https://api.deepseek.com")
    assert model.profile == providers.profile_for(
        api_base="https://api.deepseek.com", model="deepseek-reasoner"
    )


def test_every_profile_field_can_be_set() -> None:
    fields = {field.name for field in dataclasses.fields(Profile)} - {"name", "evidence", "headers"}
    assert set(entry.PROFILE_KEYS) == fields
    assert set(entry.SYNONYMS.values()) <= fields


@pytest.mark.parametrize(
    ("lines", "base", "expected"),
    [
        ([], "https://api.anthropic.com", "anthropic"),
        (["format: openai"], "https://api.anthropic.com", "openai"),
        (["direct: false"], "https://api.anthropic.com", "openai"),
        (["direct: true"], "https://x.example", "anthropic"),
        (["direct: true", "format: anthropic"], "https://x.example", "anthropic"),
        (["format: anthropic"], "https://x.example", "anthropic"),
    ],
)
def test_format(tmp_path: Path, lines: list[str], base: str, expected: str) -> None:
    model = one(tmp_path, *lines, base=base)
    assert model.format == expected
    assert bool(model.messages_url) is (expected == "anthropic")
    assert bool(model.chat_url) is (expected == "openai")


def test_passthrough_keys(tmp_path: Path) -> None:
    model = one(
        tmp_path,
        "format: anthropic",
        "auth: x-api-key",
        "drop_betas: [context-1m-*]",
        "drop_fields: [context_management]",
        "mid_system: user_wrap",
        "restore_model_name: false",
        "max_tokens: 8k",
    )
    assert model.native == dataclasses.replace(
        providers.native_for("https://x.example"),
        auth="x-api-key",
        drop_betas=("context-1m-*",),
        drop_fields=("context_management",),
        mid_system="user_wrap",
    )
    assert not model.restore_model_name
    assert model.max_tokens == 8000
    assert model.profile.auth == Profile().auth


def test_times_headers_and_streaming(tmp_path: Path) -> None:
    model = one(
        tmp_path,
        "connect_timeout: 3",
        "first_byte_timeout: 900",
        "idle_timeout: 1.5",
        "hold: 0",
        "can_stream: false",
        "extra_headers: {X-Team: research}",
    )
    assert (model.connect_timeout, model.first_byte_timeout, model.idle_timeout, model.hold) == (
        3,
        900,
        1.5,
        0,
    )
    assert not model.can_stream
    assert model.extra_headers == {"X-Team": "research"}


@pytest.mark.parametrize(
    ("line", "base", "says"),
    [
        ("api_key_name: DEEPSEEK", "https://x.example", "m.yaml:3: warning: api_key_name is ignored"),
        (
            "input_cost_per_token: 1",
            "https://x.example",
            "m.yaml:3: warning: input_cost_per_token is ignored",
        ),
        ("price: 1", "https://x.example", "m.yaml:3: warning: price is ignored"),
        ("can_stream: true", "http://x.example", "m.yaml:2: warning: plain http sends keys in the clear"),
        ("can_stream: true", "https://x.example/anthropic", "add format: anthropic"),
        (
            "format: anthropic\n  stop_max: 1",
            "https://x.example",
            "m.yaml:4: warning: stop_max has no effect",
        ),
    ],
)
def test_warnings(tmp_path: Path, line: str, base: str, says: str) -> None:
    table = load(tmp_path, f"- model_id: a\n  api_base: {base}\n  {line}\n")
    (warning,) = table.warnings
    assert says in warning


def test_merge_keys_and_byte_order_mark(tmp_path: Path) -> None:
    text = (
        "\ufeff- &x\n  model_id: a\n  api_base: https://x.example\n  stop_max: 1\n- <<: *x\n  model_id: b\n"
    )
    first, second = load(tmp_path, text).models
    assert (first.model_id, second.model_id, second.profile.stop_max) == ("a", "b", 1)


CATALOGUE = """\
- {model_id: "*", model_name: fallback, api_base: "https://any.example"}
- {model_id: deepseek-chat, api_base: "https://api.deepseek.com"}
- {model_id: "openrouter/*", model_name: "*", api_base: "https://openrouter.ai/api/v1"}
- {model_id: "openrouter/qwen/*", model_name: "q/*", api_base: "https://qwen.example"}
- {model_id: "openrouter/qwen/exact:free", api_base: "https://exact.example"}
- {model_id: claude-opus, model_name: opus, api_base: "https://api.anthropic.com"}
- {model_id: "anthropic/claude-x", api_base: "https://openrouter.ai/api/v1"}
- {model_id: "odd[1m]", api_base: "https://odd.example"}
"""


@pytest.mark.parametrize(
    ("name", "model_id", "model_name"),
    [
        ("deepseek-chat", "deepseek-chat", "deepseek-chat"),
        ("deepseek-chat[1m]", "deepseek-chat", "deepseek-chat"),
        ("deepseek-chat[1M]", "deepseek-chat", "deepseek-chat"),
        ("odd[1m]", "odd[1m]", "odd[1m]"),
        ("anthropic/deepseek-chat", "deepseek-chat", "deepseek-chat"),
        ("anthropic/deepseek-chat[1m]", "deepseek-chat", "deepseek-chat"),
        ("anthropic/claude-x", "anthropic/claude-x", "anthropic/claude-x"),
        ("openrouter/a/b:free", "openrouter/a/b:free", "a/b:free"),
        ("openrouter/qwen/coder", "openrouter/qwen/coder", "q/coder"),
        ("openrouter/qwen/exact:free", "openrouter/qwen/exact:free", "openrouter/qwen/exact:free"),
        ("anything", "anything", "fallback"),
    ],
)
def test_resolve(tmp_path: Path, name: str, model_id: str, model_name: str) -> None:
    model = load(tmp_path, CATALOGUE).resolve(name)
    assert model is not None
    assert (model.model_id, model.model_name) == (model_id, model_name)


def test_alias_of_a_model_behind_a_wildcard(tmp_path: Path) -> None:
    table = load(tmp_path, '- {model_id: "or/*", model_name: "*", api_base: "https://x.example"}\n')
    model = table.resolve("anthropic/or/a")
    assert model is not None
    assert model.model_name == "a"
    assert table.resolve("or/") is None
    assert table.resolve("other") is None


def test_wildcards_have_the_profile_of_the_concrete_model(tmp_path: Path) -> None:
    table = load(
        tmp_path, '- {model_id: "d/*", model_name: "*", api_base: "https://api.deepseek.com", stop_max: 2}\n'
    )
    model = table.resolve("d/deepseek-reasoner")
    assert model is not None
    row = providers.profile_for(api_base="https://api.deepseek.com", model="deepseek-reasoner")
    assert model.profile == dataclasses.replace(row, stop_max=2)


def test_callers_cannot_fill_the_memory_with_names(tmp_path: Path) -> None:
    table = load(tmp_path, CATALOGUE)
    for number in range(2000):
        assert table.resolve(f"any-{number}") is not None
    assert len(table._concrete) <= 256
    assert table.resolve("any-1999") is table.resolve("any-1999")


def test_near_and_public(tmp_path: Path) -> None:
    table = load(tmp_path, CATALOGUE)
    assert table.near("deepseek-caht") == ["deepseek-chat"]
    assert table.near("anthropic/DeepSeek-Chat") == ["deepseek-chat"]
    assert table.near("zzzz") == []
    assert [model_id for model_id, _ in table.public()] == [
        "deepseek-chat",
        "anthropic/deepseek-chat",
        "openrouter/qwen/exact:free",
        "anthropic/openrouter/qwen/exact:free",
        "claude-opus",
        "anthropic/claude-x",
        "odd[1m]",
        "anthropic/odd[1m]",
    ]
    assert all(
        (found := table.resolve(model_id)) is not None and found.model_id == model.model_id
        for model_id, model in table.public()
    )


def test_an_id_that_looks_like_an_alias_keeps_its_own_model(tmp_path: Path) -> None:
    text = "- {model_id: x, api_base: 'https://a.example'}\n- {model_id: anthropic/x, api_base: 'https://b.example'}\n"
    assert [(name, model.api_base) for name, model in load(tmp_path, text).public()] == [
        ("x", "https://a.example"),
        ("anthropic/x", "https://b.example"),
    ]


def test_example_loads_without_a_word(tmp_path: Path) -> None:
    table = load(tmp_path, EXAMPLE)
    assert table.warnings == ()
    assert [model.model_id for model in table.models] == ["deepseek-v4-pro", "claude-opus", "openrouter/*"]


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ("{}", {"tool_stream": True, "thinking": {"type": "enabled", "clear_thinking": False}}),
        ("{seed: 7, thinking: null}", {"tool_stream": True, "seed": 7}),
        ("{tool_stream: false, user: null}", {"tool_stream": False, "user": None, "thinking": ...}),
    ],
)
def test_an_entrys_extra_body_is_laid_over_its_profiles(
    tmp_path: Path, own: str, sent: dict[str, Any]
) -> None:
    text = f"- {{model_id: glm-5.3, api_base: 'https://api.z.ai/api/paas/v4', extra_body: {own}}}\n"
    found = dict(load(tmp_path, text).models[0].profile.extra_body)
    assert found == {key: found[key] if value is ... else value for key, value in sent.items()}


def test_load_custom_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, EXAMPLE)
    monkeypatch.setenv("CLAUDE_CODE_PROXY_MODELS", str(tmp_path / "m.yaml"))
    assert load_custom_models().resolve("deepseek-v4-pro") is not None
    assert load_custom_models(tmp_path / "m.yaml").resolve("deepseek-v4-pro") is not None


class Watched:
    """A models file with a clock that the test moves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.said: list[str] = []
        self.write("one")
        self.file = ModelsFile(path, self.said.append, clock=lambda: self.now)

    def write(self, *ids: str, extra: str = "") -> None:
        text = "".join(f"- {{model_id: {id_}, api_base: 'https://x.example'{extra}}}\n" for id_ in ids)
        self.path.write_text(text, encoding="utf-8")

    def wait(self, seconds: float = 2.2) -> None:
        """Let time pass, with a request now and then."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            _ = self.file.table

    def ids(self) -> list[str]:
        return [model.model_id for model in self.file.table.models]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "m.yaml")


def test_file_is_read_again_when_it_changes(watched: Watched) -> None:
    before = watched.file.table
    watched.write("one", "two")
    assert watched.file.table is before  # within the second
    watched.wait()
    assert watched.ids() == ["one", "two"]
    after = watched.file.table
    watched.wait()
    assert watched.file.table is after  # not read again for nothing
    assert watched.said == []


def test_a_file_that_was_complete_before_it_came_here_is_taken_at_once(watched: Watched) -> None:
    stat = watched.path.stat()
    other = watched.path.with_name("new.yaml")
    other.write_text(watched.path.read_text(encoding="utf-8").replace("one", "two"), encoding="utf-8")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns - 2 * 10**9))
    other.rename(watched.path)
    watched.now += 1
    assert watched.ids() == ["two"]


@pytest.mark.parametrize("broken", ["", "- model_id: [", "- model_id: one\n"])
def test_broken_edit_keeps_the_last_good_one(watched: Watched, broken: str) -> None:
    watched.path.write_text(broken, encoding="utf-8")
    watched.wait(5)
    assert watched.ids() == ["one"]
    (said,) = watched.said
    assert "keeping the models of the last good version" in said
    watched.write("mended")
    watched.wait()
    assert watched.ids() == ["mended"]


def test_removed_file_keeps_the_last_good_one(watched: Watched) -> None:
    watched.path.unlink()
    watched.wait(5)
    assert watched.ids() == ["one"]
    assert len(watched.said) == 1


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
@pytest.mark.timeout(20)
def test_what_is_no_file_any_more_is_not_read(watched: Watched, kind: str) -> None:
    watched.path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(watched.path)
        case "device":
            watched.path.symlink_to("/dev/zero")
        case "folder":
            watched.path.mkdir()
        case _:
            watched.path.symlink_to(watched.path)
    watched.wait(5)
    assert watched.ids() == ["one"]
    assert len(watched.said) == 1


def test_a_very_large_edit_is_not_read(watched: Watched) -> None:
    watched.write(*(f"a{number}" for number in range(40_000)))
    watched.wait(5)
    assert watched.ids() == ["one"]
    assert "larger than 1048576 bytes" in watched.said[0]


def test_warnings_are_said_once_per_version(watched: Watched) -> None:
    watched.write("one", extra=", price: 1")
    watched.wait(5)
    assert len(watched.said) == 1
    with pytest.raises(ConfigError):
        ModelsFile(watched.path.with_name("none.yaml"), watched.said.append)


def test_a_half_written_file_is_not_taken(watched: Watched) -> None:
    whole = (
        "- {model_id: two, api_base: 'https://api.deepseek.com'}\n- {model_id: one, api_base: 'https://x'}\n"
    )
    for end in range(10, len(whole), 7):
        watched.path.write_text(whole[:end], encoding="utf-8")
        watched.wait(0.9)
        assert watched.ids() == ["one"]
    watched.path.write_text(whole, encoding="utf-8")
    watched.wait()
    assert [model.api_base for model in watched.file.table.models] == [
        "https://api.deepseek.com",
        "https://x",
    ]
    assert watched.said == []


def test_a_file_that_is_written_while_it_is_read_is_not_taken(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_and_write(path: Path) -> ModelTable:
        table = load_models(path)
        watched.write("one", "two", "three")
        return table

    watched.write("one", "two")
    with monkeypatch.context() as patched:
        patched.setattr(models_file, "load_custom_models", load_and_write)
        watched.wait(2.5)
    assert watched.ids() == ["one"]
    watched.wait()
    assert watched.ids() == ["one", "two", "three"]


@pytest.mark.parametrize(
    "value",
    [
        "2024-99-01",
        "2024-01-32 10:00:00",
        "2024-01-01 25:61:00",
        "9" * 5000,
        f"0x{'f' * 9000}",
        f"1{':59' * 5000}",
        "0x",
        "!!int x",
        "!!float x",
        "!!timestamp x",
        "!!binary é",
        "!!bool x",
        "[2024-99-01]",
        "{a: 2024-99-01}",
        "!!python/object:os.system x",
        "&a [*a]",
        "{[a]: b}",
        "!!set {a, 2024-99-01}",
        "!!omap x",
        "0b2",
        "1:99:99999999999999999999",
        ".inf",
        "2001-01-01",
        "~",
    ],
)
@pytest.mark.parametrize(
    "key", ["model_name", "context", "temperature", "max_tokens", "extra_body", "fallback"]
)
def test_odd_scalars_are_a_problem_and_no_traceback(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"- model_id: m\n  api_base: https://x.example\n  {key}: {value}\n", encoding="utf-8")
    said = str(path)
    try:
        load_models(path)
    except ConfigError as error:
        said = str(error)
    assert str(path) in said
    assert len(said) < 6000


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "- model_id: " + "{a: " * 20_000, "2024-99-01: x", "- 2024-99-01: x"]
)
def test_odd_files_are_a_problem_and_no_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_models(path)
