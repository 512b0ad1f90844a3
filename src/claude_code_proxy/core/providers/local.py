"""Rows of the servers that people run themselves. The marks in `evidence` are explained in `china`."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import Profile

ROWS: tuple[Profile, ...] = (
    Profile(
        name="vllm",
        accept_params=("top_k",),
        thinking_switch="chat_template_kwargs",
        reasoning_replay="reasoning",
        evidence=(
            "docs: reasoning (reasoning_content before) in answers and history, chat_template_kwargs; "
            "reports: later system messages are refused by strict chat templates"
        ),
    ),
    Profile(
        name="sglang",
        accept_params=("top_k",),
        thinking_switch="chat_template_kwargs",
        reasoning_replay="reasoning_content",
        evidence=(
            "one report: reasoning_content on the Chat side; general knowledge, not re-checked: "
            "chat_template_kwargs, top_k"
        ),
    ),
    Profile(
        name="llamacpp",
        accept_params=("top_k",),
        thinking_switch="chat_template_kwargs",
        reasoning_replay="reasoning_content",
        structured_with_tools=False,
        evidence=(
            "docs: reasoning_content in and out, chat_template_kwargs; reports: role order errors of chat "
            "templates; general knowledge, not re-checked: no schema grammar beside tools"
        ),
    ),
    Profile(
        name="ollama",
        reasoning_replay="reasoning",
        tool_choice_support="omit",
        parallel_param=False,
        evidence=(
            "docs: reasoning field, efforts none to max for thinking models, no tool_choice, num_ctx "
            "cannot be "
            "set here (long prompts are cut silently: set OLLAMA_CONTEXT_LENGTH)"
        ),
    ),
    Profile(
        name="lmstudio",
        tool_choice_support="no_named",
        evidence=(
            "general knowledge, not re-checked: tool_choice only as a word, response_format only "
            "json_schema; "
            "reports: later system messages refused by chat templates"
        ),
    ),
)
