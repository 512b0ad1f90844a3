"""One model as the Models API describes it (`ModelInfo` of the `anthropic` SDK 2.14), by its profile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from claude_code_proxy.config.models_yaml.model import ModelConfig
from claude_code_proxy.core.providers.profile import EFFORT_LEVELS, Profile
from claude_code_proxy.server.gateway import Gateway

_RELEASED = "1970-01-01T00:00:00Z"  # as the API says it of a model whose date is unknown
COMPACTION_BETA = "compact-2026-09-04"


def model_info(
    gateway: Gateway, model_id: str, config: ModelConfig, betas: str, window: int | None = None
) -> dict[str, Any]:
    """The description of the model that `config` serves as `model_id`.

    `betas` is the client's `anthropic-beta`, by which the API describes more. `window` is what the upstream's
    own list says of the longest prompt, in tokens.
    """
    capabilities = _capabilities(gateway, config)
    if COMPACTION_BETA in betas:
        capabilities["compaction"] = _compaction(config)
    return {
        "type": "model",
        "id": model_id,
        "display_name": config.model_id,
        "created_at": _RELEASED,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "max_input_tokens": config.max_input_tokens or config.context or window,
        "max_tokens": config.max_tokens,
        "capabilities": capabilities,
    }


def _capabilities(gateway: Gateway, config: ModelConfig) -> dict[str, Any]:
    """What a request to this model may ask for and get, be it from the provider or from the proxy."""
    profile, native = config.profile, config.format == "anthropic"
    refused = config.native.drop_fields if native else ()
    pdf = profile.pdf == "file_part" or (profile.pdf == "text" and gateway.pdf_texts is not None)
    search = profile.searches_web or gateway.settings.search_url is not None
    thinks = "thinking" not in refused if native else _can_think(profile)
    edits = "context_management" not in refused if native else profile.context_editing
    compacts = edits if native else profile.compaction
    return {
        "batch": _supported(False),
        "citations": _supported(config.is_anthropic),
        "code_execution": _supported(config.is_anthropic),
        "context_management": {
            **_supported(edits or compacts),
            "clear_thinking_20251015": _supported(edits),
            "clear_tool_uses_20250919": _supported(edits),
            "compact_20260112": _supported(compacts),
        },
        "effort": _effort(config.effort_levels),
        "image_input": _supported(profile.vision),
        "pdf_input": _supported(native or pdf),
        "server_tools": {
            **_supported(config.is_anthropic or search),
            "code_execution": _supported(config.is_anthropic),
            "web_search": _supported(config.is_anthropic or search),
        },
        "structured_outputs": _supported(
            "output_config.format" not in refused if native else profile.structured_output != "none"
        ),
        "thinking": {
            **_supported(thinks),
            "types": {
                "adaptive": _supported(thinks),
                "between_tools": _supported(config.is_anthropic or not native),
                "disabled": _supported(True),
                "enabled": _supported(thinks),
            },
        },
    }


def _compaction(config: ModelConfig) -> dict[str, Any]:
    native = config.is_anthropic and "compaction" not in config.native.drop_fields
    supported = _supported(native if config.format == "anthropic" else config.profile.compaction)
    return {**supported, "summarize": supported}


def _supported(supported: bool) -> dict[str, Any]:
    return {"supported": supported}


def _effort(levels: Iterable[str]) -> dict[str, Any]:
    accepted = set(levels)
    return {**_supported(bool(accepted)), **{level: _supported(level in accepted) for level in EFFORT_LEVELS}}


def _can_think(profile: Profile) -> bool:
    """Whether a request can turn thinking on, or cannot turn it off."""
    if profile.thinking is not None:
        return profile.thinking
    return profile.thinking_switch != "none" or profile.thinking_default
