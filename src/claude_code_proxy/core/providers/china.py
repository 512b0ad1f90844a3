"""Rows of the Chinese providers.

Marks in `evidence`: "docs" is the vendor's own text, "restated" a third party's restatement of it,
"reports" several independent implementations or issues, "one report" a single one, "assumed" a cautious
choice without a source. State: November 2026, from documents; no row was tried with a live key.
"""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile

ROWS: tuple[Profile, ...] = (
    Profile(
        name="deepseek",
        thinking_switch="thinking_type",
        thinking_default=True,
        # The vendor folds the words it does not have itself (medium -> high, xhigh -> high).
        effort_values=("low", "medium", "high", "xhigh", "max"),
        sampling_with_thinking=False,
        reasoning_replay="reasoning_content",
        require_reasoning_on_tool_calls=True,
        vision=False,
        stop_max=16,
        tool_choice_thinking="auto_none",
        parallel_param=False,
        structured_output="json_object",
        evidence=(
            "docs: thinking on by default, effort words, reasoning of every earlier tool turn must come "
            "back (else 400), sampling without effect while thinking; reports: forced tool choice refused "
            "while thinking, trailing system messages answered with nothing; restated: 16 stops, JSON "
            "mode only"
        ),
    ),
    Profile(
        name="kimi",
        max_tokens_field="max_completion_tokens",
        drop_params=("temperature", "top_p"),
        thinking_default=True,
        reasoning_replay="reasoning_content",
        require_reasoning_on_tool_calls=True,
        reasoning_filler=" ",
        prefill="native_partial",
        tool_id="raw",
        tool_choice_support="auto_none",
        parallel_param=False,
        structured_output="json_object",
        prompt_cache_key=True,
        evidence=(
            "docs: reasoning_content missing on a tool-call message is a 400; reports: tool ids must go back "
            "byte for byte, forced tool choice refused; restated: fixed sampling (other values 400), "
            "max_completion_tokens, prompt_cache_key; reports: a placeholder for missing reasoning passes; "
            "assumed: JSON mode only"
        ),
    ),
    Profile(
        name="glm",
        stop_max=1,  # older docs: one; newer: four. The proxy finds the others itself, so one loses nothing.
        thinking_switch="thinking_type",
        thinking_on={"type": "enabled", "clear_thinking": False},
        thinking_default=True,
        reasoning_replay="reasoning_content",
        vision=False,
        tool_choice_support="auto_only",
        parallel_param=False,
        structured_output="json_object",
        extra_body={"tool_stream": True},
        evidence=(
            "restated: thinking on by default, clear_thinking defaults to true and strips earlier reasoning, "
            "JSON mode only; reports: any tool choice but auto is a 400, arguments stream only with "
            "tool_stream; recorded: stream_options accepted"
        ),
    ),
    Profile(
        name="qwen",
        accept_params=("top_k",),
        thinking_switch="enable_thinking",
        thinking_default=True,
        thinking_stream_only=True,
        reasoning_replay="reasoning_content",
        tool_choice_thinking="auto_none",
        structured_output="json_object",
        web_search_body={"enable_search": True},
        evidence=(
            "docs: enable_search on the compatible endpoint; restated: enable_thinking with defaults that "
            "differ per model, whole answers only with thinking "
            "off, top_k; reports: forced tool choice refused while thinking, still in September 2026; "
            "assumed: JSON mode only, reasoning is accepted back"
        ),
    ),
    Profile(
        name="minimax",
        max_tokens_field="max_completion_tokens",
        temperature_range=(0.01, 1.0),
        stop_mode="local",
        thinking_default=True,
        reasoning_replay="reasoning_details",
        assistant_empty_content="empty_string",
        tool_choice_support="omit",
        parallel_param=False,
        structured_output="none",
        extra_body={"reasoning_split": True},
        evidence=(
            "docs: reasoning_split moves thinking out of the text, whole turns must come back; restated: "
            "temperature above 0, max_completion_tokens; one report: null content, tool_choice and "
            "parallel_tool_calls refused; assumed: stops and response_format not honoured"
        ),
    ),
    Profile(
        name="doubao",
        max_tokens_field="max_completion_tokens",
        max_output=65_536,
        thinking_switch="thinking_type",
        thinking_default=True,
        effort_values=("minimal", "low", "medium", "high", "xhigh", "max"),
        reasoning_replay="reasoning_content",
        assistant_empty_content="empty_string",
        structured_output="json_object",
        evidence=(
            "restated: thinking types, seven effort words, max_tokens together with max_completion_tokens is "
            "an error and only the latter counts thinking (1 to 65,536), null content refused until "
            "September 2026, full tool choice; assumed: JSON mode only"
        ),
    ),
    Profile(
        name="siliconflow",
        reasoning_replay="reasoning_content",
        tool_choice_thinking="auto_none",
        parallel_param=False,
        evidence=(
            "restated: enable_thinking and thinking_budget per model, json_schema; undocumented: "
            "tool_choice, "
            "stream_options; assumed: reasoning is accepted back, as the hosted DeepSeek models demand it"
        ),
    ),
)
