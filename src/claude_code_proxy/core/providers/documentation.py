"""The providers as documentation: docs/providers.md is checked against what this renders."""

from __future__ import annotations

from claude_code_proxy.core.providers.registry import PRESETS, provider_at
from claude_code_proxy.core.providers.types import Provider

_HEAD = (
    "| profile | provider | `api_base` | native `api_base` | key in |",
    "| --- | --- | --- | --- | --- |",
)


def table() -> str:
    """One Markdown row per provider: name, address, native address, environment variables of the key."""
    return "\n".join((*_HEAD, *(_row(preset) for preset in PRESETS.values())))


def notes() -> str:
    """One Markdown section per provider: what to know, where the facts are from, a models.yaml entry."""
    return "\n\n".join(_section(preset) for preset in PRESETS.values())


def _row(preset: Provider) -> str:
    native = f"`{preset.anthropic_base}`" if preset.anthropic_base else "none"
    keys = ", ".join(f"`{name}`" for name in preset.key_variables) or "none usual"
    return f"| `{preset.name}` | {preset.title} | `{preset.api_base}` | {native} | {keys} |"


def _section(preset: Provider) -> str:
    parts = [
        f"### {preset.title}",
        preset.note,
        f"Facts: {preset.profile.evidence if preset.profile else 'none'}. Vendor: {preset.docs}.",
    ]
    if preset.native is not None:
        parts.append(f"Native endpoint: {preset.native.evidence}.")
    parts.append(f"```yaml\n{_snippet(preset)}\n```")
    return "\n\n".join(parts)


def _snippet(preset: Provider) -> str:
    model = preset.models[0] if preset.models else "MODEL"
    lines = [f"- model_id: {model}", f"  api_base: {preset.api_base}"]
    if provider_at(preset.api_base) != preset.name:
        lines.append(f"  profile: {preset.name}")
    return "\n".join(lines)
