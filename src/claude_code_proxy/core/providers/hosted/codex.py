"""The back end of OpenAI's Codex, for ChatGPT subscriptions."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Effort, Profile, SentHeader
from claude_code_proxy.core.providers.types import Family, Limit, Provider

_TO_XHIGH: tuple[Effort, ...] = ("low", "medium", "high", "xhigh")

PROVIDER = Provider(
    name="codex",
    title="ChatGPT subscription (Codex)",
    api_base="https://chatgpt.com/backend-api/codex",
    login="codex",
    models=("gpt-5.6-sol", "gpt-5.6-terra"),
    docs="github.com/openai/codex",
    note=(
        "With the login of the Codex CLI (`codex login`). OpenAI tolerates other programs there and promises "
        "nothing. Some models are for newer versions of its own program only."
    ),
    hosts=("chatgpt.com",),
    profile=Profile(
        name="codex",
        api="responses",
        headers=(
            SentHeader("originator", "claude-code-proxy"),
            SentHeader("OpenAI-Beta", "responses=experimental"),
        ),
        needs_instructions=True,
        streams_only=True,
        max_tokens_field="omit",
        drop_params=("temperature", "top_p"),
        stop_max=0,
        thinking_switch="reasoning_effort",
        thinking_default=True,
        effort_values=_TO_XHIGH,
        reasoning_replay="responses_item",
        tool_result_images="inline",
        schema_dialect="openai_strict",
        prompt_cache_key=True,
        evidence=(
            "reports: instructions required, store false and stream true or 400; refused are "
            "max_output_tokens, metadata, temperature, top_p, stop, user, truncation, safety_identifier, "
            "previous_response_id, prompt_cache_retention, stream_options, context_management, the role "
            "system, and service tiers but priority; an originator of one's own is taken"
        ),
    ),
    families=(Family("gpt-5.[6-9]*", {"effort_values": (*_TO_XHIGH, "max")}, "docs of the model: to max"),),
    limits=(
        Limit("gpt-5.3-codex-spark*", 128_000, None, "one report"),
        Limit("gpt-5*", 272_000, None, "one report: what its own list of models says"),
    ),
)
