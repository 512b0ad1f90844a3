"""Providers: found by their documented address, with evidence, and with the fields that matter.

`python -m tests.core.providers.test_registry` renders docs/providers.md again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.providers import profile, registry
from claude_code_proxy.core.providers.profile import NativeProfile, NativeRoute, Profile
from tests import paths
from tests.core.providers.cases import cases

if TYPE_CHECKING:
    from claude_code_proxy.core.providers.types import Family, Limit

ROOT = paths.REPOSITORY
PROFILES = cases("profile")
NATIVE = cases("native")

# The names that users may rely on (models.yaml, `init --provider`).
PUBLIC_NAMES = (
    "deepseek",
    "kimi",
    "glm",
    "qwen",
    "minimax",
    "doubao",
    "siliconflow",
    "openrouter",
    "openai",
    "azure",
    "gemini",
    "groq",
    "mistral",
    "xai",
    "together",
    "fireworks",
    "nim",
    "vllm",
    "sglang",
    "llamacpp",
    "ollama",
    "lmstudio",
    "copilot",
    "vertex",
    "bedrock",
    "codex",
)
PROVIDERS = tuple(providers.PROVIDERS.values())
NATIVE_ROWS = [registry._UNTOUCHED, *(known.native for known in PROVIDERS if known.native is not None)]
FAMILIES: list[Family] = [
    *registry._SHARED_FAMILIES,
    *(family._replace(rows=(known.name,)) for known in PROVIDERS for family in known.families),
]
LIMITS: list[Limit] = [
    *registry._SHARED_LIMITS,
    *(limit._replace(rows=(known.name,)) for known in PROVIDERS for limit in known.limits),
]
NAMED_ONLY = {"vllm"}  # its default port is everybody's


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, NativeRoute):
        return dataclasses.asdict(value)
    return dict(value)


@pytest.mark.parametrize("case", PROFILES, ids=lambda case: f"{case['provider']}-{case['model']}")
def test_profile_of_a_model(case: dict[str, Any]) -> None:
    found = providers.profile_for(api_base=case["api_base"], model=case["model"], name=case.get("name"))
    assert found.name == case["provider"], case["why"]
    got = {key: as_json(getattr(found, key)) for key in case["fields"]}
    assert got == case["fields"], case["why"]


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: str(case["provider"]))
def test_needs_of_a_native_endpoint(case: dict[str, Any]) -> None:
    native = providers.native_for(case["api_base"], case.get("name"))
    assert native.name == case["provider"], case["why"]
    assert {key: as_json(getattr(native, key)) for key in case["fields"]} == case["fields"], case["why"]


def test_a_name_without_a_native_row_changes_nothing() -> None:
    assert providers.native_for("https://api.deepseek.com/anthropic", "mistral") == providers.native_for(
        "https://x.example"
    )


def test_every_promised_name_has_a_row_and_a_case() -> None:
    assert set(providers.PROFILE_NAMES) == {*providers.PRESETS, "custom"}
    assert {case["provider"] for case in PROFILES} == set(providers.PROFILE_NAMES)
    assert {case["provider"] for case in NATIVE} == {row.name for row in NATIVE_ROWS}


@pytest.mark.parametrize("name", providers.PROFILE_NAMES)
def test_row_has_evidence_and_valid_values(name: str) -> None:
    row = providers.profile_named(name)
    assert len(row.evidence) > 30
    check_values(Profile, {field.name: getattr(row, field.name) for field in dataclasses.fields(row)})


@pytest.mark.parametrize("native", NATIVE_ROWS, ids=lambda native: str(native.name))
def test_native_row_has_evidence_and_valid_values(native: NativeProfile) -> None:
    assert len(native.evidence) > 30
    check_values(
        NativeProfile, {field.name: getattr(native, field.name) for field in dataclasses.fields(native)}
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{'+'.join(family.rows)}-{family.pattern}")
def test_family_overrides_existing_fields_of_existing_rows(family: Family) -> None:
    assert set(family.rows) <= set(providers.PRESETS)
    assert family.pattern == family.pattern.lower(), "ids are compared in lower case"
    assert family.overrides
    assert family.evidence
    check_values(Profile, family.overrides)


def check_values(owner: type, values: Any) -> None:
    """Every value has the type of its field; the type checker cannot see into a dict of overrides."""
    hints = get_type_hints(owner, {**vars(profile), "Mapping": Mapping})
    for key, value in values.items():
        msgspec.convert(as_json(value), hints[key])
    words = values.get("effort_values", ())
    assert list(words) == sorted(words, key=profile.EFFORTS.index), "ascending"


@pytest.mark.parametrize("preset", providers.PRESETS.values(), ids=lambda preset: str(preset.name))
def test_preset_address_finds_its_own_rows(preset: providers.Provider) -> None:
    model = preset.models[0] if preset.models else "model"
    found = providers.profile_for(api_base=preset.api_base, model=model).name
    assert found == ("custom" if preset.name in NAMED_ONLY else preset.name)
    if preset.anthropic_base:
        name = preset.name if preset.name in NAMED_ONLY else None
        assert providers.native_for(preset.anthropic_base, name).name == preset.name
    assert all(variable.isupper() for variable in preset.key_variables)
    assert len(preset.models) <= 3


def test_presets_cover_every_provider() -> None:
    assert set(PUBLIC_NAMES) <= set(providers.PRESETS)


def test_presets_are_found_by_the_names_that_people_use() -> None:
    found = {name: preset.name for name in providers.CALLED if (preset := providers.preset_called(name))}
    assert len(found) == len(providers.PRESETS) + sum(
        len(known.aliases) for known in providers.PRESETS.values()
    )
    assert (found["grok"], found["moonshot"], found["ollama"]) == ("xai", "kimi", "ollama")
    assert providers.preset_called("Grok") is providers.PRESETS["xai"]
    assert providers.preset_called("nobody") is None


def test_no_two_providers_share_an_address_or_a_prefix() -> None:
    for field in ("hosts", "model_prefixes"):
        values = [value for known in PROVIDERS for value in getattr(known, field)]
        assert len(values) == len(set(values)), field
    ports = [known.port for known in PROVIDERS if known.port is not None]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("known", PROVIDERS, ids=lambda known: str(known.name))
def test_a_file_is_about_one_provider(known: providers.Provider) -> None:
    assert known.profile is not None or known.native is not None
    assert {part.name for part in (known.profile, known.native) if part is not None} == {known.name}
    assert all(not family.rows for family in known.families)
    assert all(not limit.rows for limit in known.limits)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("depseek", "deepseek"), ("OpenAI", "openai"), ("lm-studio", "lmstudio"), ("grok", "groq")],
)
def test_unknown_profile_names_the_near_ones(wrong: str, near: str) -> None:
    with pytest.raises(providers.UnknownProfile) as caught:
        providers.profile_named(wrong)
    assert near in caught.value.near
    assert caught.value.name == wrong
    assert f"did you mean {caught.value.near[0]}" in str(caught.value)


def test_unknown_profile_without_a_near_one() -> None:
    with pytest.raises(providers.UnknownProfile) as caught:
        providers.profile_for(api_base="https://api.deepseek.com", model="m", name="zzzz")
    assert caught.value.near == []
    assert str(caught.value) == "unknown profile 'zzzz'"


@pytest.mark.parametrize(
    ("row", "model", "limits"),
    [
        ("openai", "GPT-5.4-mini-2026-03-05", (400_000, 128_000)),
        ("openai", "gpt-5.4", (1_050_000, 128_000)),
        ("azure", "o4-mini", (200_000, 100_000)),
        ("copilot", "o4-mini", (None, None)),
        ("glm", "glm-5.1", (202_752, 128_000)),
        ("glm", "glm-5.3", (1_000_000, 128_000)),
        ("kimi", "kimi-k3", (1_048_576, None)),
        ("deepseek", "other", (None, None)),
        ("custom", "gpt-4o", (None, None)),
    ],
)
def test_known_limits(row: str, model: str, limits: tuple[int | None, int | None]) -> None:
    assert providers.known_limits(row, model) == limits


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.rows[0]}-{limit.pattern}")
def test_limit_has_a_row_evidence_and_a_figure(limit: Limit) -> None:
    assert set(limit.rows) <= set(providers.PRESETS)
    assert limit.evidence
    assert limit.pattern == limit.pattern.lower()
    assert limit.context or limit.output


DOCUMENT = ROOT / "docs" / "providers.md"


def rendered() -> str:
    """docs/providers.md with what the data say now."""
    text = DOCUMENT.read_text()
    for mark, part in (("table", providers.table()), ("notes", providers.notes())):
        start, end = f"<!-- {mark} -->\n", f"\n<!-- /{mark} -->"
        before, _, rest = text.partition(start)
        text = before + start + part + end + rest.partition(end)[2]
    return text


def test_document_equals_the_data() -> None:
    again = "python -m tests.core.providers.test_registry renders it again"
    assert DOCUMENT.read_text() == rendered(), again


if __name__ == "__main__":
    DOCUMENT.write_text(rendered())
