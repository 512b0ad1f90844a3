"""What the known Anthropic-format endpoints cannot bear (they get everything else byte for byte).

Nearly all ignore the betas and fields they do not know, so hardly anything is dropped. Endpoints that refuse
`role: "system"` inside `messages`, move it to the head (which ruins their prefix cache) or depend on a chat
template for it get the text in the neighbouring user turn instead. Marks in `evidence`: see `china`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_code_proxy.core.providers.addresses import row_at
from claude_code_proxy.core.providers.profile import NativeProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

NATIVE_ROWS: tuple[NativeProfile, ...] = (
    NativeProfile(evidence="nothing known about the endpoint: nothing is touched"),
    NativeProfile(name="anthropic", evidence="docs: forward headers and body as open lists, unchanged"),
    NativeProfile(
        name="deepseek",
        mid_system="user_wrap",
        evidence=(
            "docs: unknown betas and fields are ignored, both key headers work; reports of May and "
            "June 2026: "
            "role system refused, then accepted, but a trailing one was answered with nothing"
        ),
    ),
    NativeProfile(
        name="kimi",
        auth="bearer",
        mid_system="user_wrap",
        evidence=(
            "restated: Bearer only, roles user and assistant only, a named tool_choice is not in the schema"
        ),
    ),
    NativeProfile(
        name="glm",
        evidence=(
            "one report each: x-api-key and Bearer work, role system inside messages works; no vendor matrix"
        ),
    ),
    NativeProfile(
        name="qwen",
        evidence=(
            "docs: both key headers; restated: role system accepted since mid 2026, cache marks supported"
        ),
    ),
    NativeProfile(
        name="minimax",
        auth="bearer",
        evidence=(
            "one report: x-api-key fails on the Chinese site, Bearer works; one live run with role system"
        ),
    ),
    NativeProfile(name="doubao", evidence="reports: both key headers; restated: role system accepted"),
    NativeProfile(
        name="siliconflow",
        auth="bearer",
        mid_system="user_wrap",
        evidence="docs: Bearer; role system unmeasured; restated: tool_choice any is not in the schema",
    ),
    NativeProfile(
        name="openrouter",
        auth="bearer",
        evidence=(
            "docs: Bearer, the x-api-key variable must stay empty; Claude Code assured for Claude models only"
        ),
    ),
    NativeProfile(name="fireworks", auth="bearer", evidence="docs: Bearer; the vendor lists gaps, not seen"),
    NativeProfile(
        name="copilot",
        auth="bearer",
        drop_betas=("context-management-*",),
        drop_fields=("context_management", "tools.*.defer_loading"),
        evidence="reports: context_management and defer_loading refused; no count_tokens",
    ),
    NativeProfile(
        name="vllm",
        mid_system="user_wrap",
        evidence=(
            "reports: role system refused by old releases, by Qwen templates, and moved to the head "
            "by others; "
            "docs: unknown betas ignored"
        ),
    ),
    NativeProfile(
        name="sglang",
        mid_system="user_wrap",
        evidence="docs: role system kept or merged by template, unknown betas accepted and ignored",
    ),
    NativeProfile(
        name="llamacpp",
        mid_system="user_wrap",
        evidence="docs: role system goes to the template in place, strict templates raise; fields ignored",
    ),
    NativeProfile(
        name="ollama",
        auth="bearer",
        mid_system="user_wrap",
        evidence=(
            "reports: role system refused by older versions and moved to the head by the cloud; one report: "
            "the cloud takes Bearer only (a local server looks at neither)"
        ),
    ),
    NativeProfile(
        name="lmstudio",
        mid_system="user_wrap",
        evidence="one report: role system refused by the standalone server; docs: both key headers",
    ),
)

_BY_NAME: Mapping[str, NativeProfile] = {row.name: row for row in NATIVE_ROWS}


def native_for(api_base: str, name: str | None = None) -> NativeProfile:
    """The needs of the Anthropic-format endpoint at `api_base`; `name` picks the row by itself.

    An address or a name without a row gets `custom`, which changes nothing.
    """
    key = name if name is not None else row_at(api_base)
    return _BY_NAME.get(key or "custom", _BY_NAME["custom"])
