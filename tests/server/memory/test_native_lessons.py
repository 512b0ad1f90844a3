"""What is remembered of hosts of Claude: by entry, bounded, anew for an entry that was edited."""

from __future__ import annotations

from dataclasses import replace

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.errors.left_out import LeftOut
from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.server.memory.native_lessons import MAX_MODELS, NativeLessons, without

CONFIG = ModelConfig(
    model_id="m",
    model_name="m",
    api_base="https://x.example",
    format="anthropic",
    profile=Profile(),
    native=NativeProfile(drop_betas=("a-*",)),
)


def test_what_was_added_holds_for_that_entry() -> None:
    lessons = NativeLessons()
    taught = without(CONFIG, LeftOut(("b", "b"), ("x.y",)))
    assert (taught.native.drop_betas, taught.native.drop_fields) == (("a-*", "b"), ("x.y",))
    assert lessons.of(CONFIG) is CONFIG
    lessons.add(CONFIG, taught.native)
    assert lessons.of(CONFIG) == taught
    meanwhile = without(CONFIG, LeftOut(("c",), ()))  # another request, which began before
    lessons.add(CONFIG, meanwhile.native)
    assert lessons.of(CONFIG).native.drop_betas == ("a-*", "b", "c")
    assert lessons.of(CONFIG).native.drop_fields == ("x.y",)
    assert lessons.of(replace(CONFIG, api_base="https://y.example")).native == CONFIG.native
    assert lessons.of(replace(CONFIG, model_id="other")).native == CONFIG.native
    assert without(taught, LeftOut(("b",), ())) == taught


def test_it_is_bounded() -> None:
    lessons = NativeLessons()
    configs = [replace(CONFIG, model_id=str(number)) for number in range(MAX_MODELS + 1)]
    for config in configs:
        lessons.add(config, without(config, LeftOut(("b",), ())).native)
    assert lessons.of(configs[0]) is configs[0]
    assert lessons.of(configs[-1]) != configs[-1]
