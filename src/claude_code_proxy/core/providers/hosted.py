"""Rows of the other hosted providers. The marks in `evidence` are explained in `china`."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile

ROWS: tuple[Profile, ...] = (
    Profile(
        name="openai",
        mid_system="keep",
        max_tokens_field="max_completion_tokens",
        pdf="file_part",
        schema_dialect="openai_strict",
        send_user="safety_identifier",
        prompt_cache_key=True,
        service_tier=True,
        evidence=(
            "docs: prompt_cache_key, safety_identifier, strict schemas; reports: max_tokens refused by "
            "reasoning models while every model takes max_completion_tokens"
        ),
    ),
    Profile(
        name="azure",
        auth="api-key",
        mid_system="keep",
        max_tokens_field="max_completion_tokens",
        schema_dialect="openai_strict",
        prompt_cache_key=True,
        evidence=(
            "docs: api-key header, /openai/v1 without api-version, max_completion_tokens, prompt_cache_key; "
            "the deployment name picks the model family only when it is named after the model"
        ),
    ),
    Profile(
        name="openrouter",
        min_output=16,
        accept_params=("top_k",),
        thinking_switch="openrouter",
        effort_values=("none", "minimal", "low", "medium", "high", "xhigh"),
        reasoning_replay="reasoning_details",
        reasoning_per_model=True,  # the encrypted state belongs to the upstream behind the model
        pdf="file_part",
        tool_choice_thinking="auto_none",
        web_search_body={"tools": [{"type": "openrouter:web_search"}]},
        # Without it small endpoints may leave out the middle of the conversation without a word.
        extra_body={"transforms": []},
        evidence=(
            "docs: the reasoning object and its efforts, reasoning_details returned unmodified, least limit "
            "16, transforms; docs and recorded: the web search tool for every model; reports: forced tool "
            "choice with thinking refused by most upstreams behind it"
        ),
    ),
    Profile(
        name="gemini",
        thinking_switch="reasoning_effort",
        effort_values=("minimal", "low", "medium", "high"),
        thinking_default=True,
        signature_filler="skip_thought_signature_validator",
        schema_dialect="gemini",
        parallel_param=False,
        structured_with_tools=False,
        evidence=(
            "docs: efforts, thinking cannot be switched off from 3.x on, thought signatures must come "
            "back and "
            "the stand-in for a missing one is a last resort; reports: schema keywords refused; "
            "assumed: response_format with tools refused as by older models"
        ),
    ),
    Profile(
        name="groq",
        max_tokens_field="max_completion_tokens",
        structured_with_tools=False,
        evidence=(
            "reports: unknown message fields are a 400, so no reasoning goes back, and JSON mode with tools "
            "is refused; docs: reasoning_format, efforts per model; general knowledge: max_tokens deprecated"
        ),
    ),
    Profile(
        name="mistral",
        user_after_tool="bridge",
        prefill="native_prefix",
        tool_id="alnum9",
        prompt_cache_key=True,
        stream_usage=False,
        evidence=(
            "reports: tool ids of nine alphanumerics, any unknown field is a 422 (max_completion_tokens, "
            "reasoning_content), user after tool refused (loosening); one report of 2025: stream_options "
            "refused, usage comes unasked; docs: prefix, prompt_cache_key"
        ),
    ),
    Profile(
        name="xai",
        stop_max=0,
        thinking_default=True,
        evidence=(
            "docs: reasoning models refuse stop, effort differs per model and some refuse it; reports: "
            "reasoning tokens outside completion_tokens; encrypted reasoning exists only on Responses"
        ),
    ),
    Profile(
        name="together",
        reasoning_replay="reasoning",
        evidence=(
            "restated: the answer's field is reasoning, effort only on some models; "
            "assumed: the same field is accepted back"
        ),
    ),
    Profile(
        name="fireworks",
        accept_params=("top_k",),
        reasoning_replay="reasoning_content",
        evidence=(
            "docs: usage in the last chunk, reasoning_effort and a thinking budget exclude each other; "
            "general knowledge, not re-checked: reasoning_content both ways, top_k"
        ),
    ),
    Profile(
        name="nim",
        parallel_param=False,
        evidence=(
            "reports: thinking by chat_template_kwargs per model; general knowledge, not re-checked: strict "
            "about unknown fields on some models, so no reasoning goes back; parallel_tool_calls "
            "refused by some"
        ),
    ),
    Profile(
        name="copilot",
        merge_choices=True,
        evidence=(
            "reports: text and tool calls of one answer in several choices, limits below the vendors' own; "
            "use outside its official clients may break its terms"
        ),
    ),
)
