"""SGLang."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="sglang",
    title="SGLang",
    start="python3 -m sglang.launch_server --model-path MODEL",
    api_base="http://127.0.0.1:30000/v1",
    anthropic_base="http://127.0.0.1:30000",
    docs="docs.sglang.ai",
    note=(
        "Without `--tool-call-parser` tool calls come as plain text; those of Qwen, Hermes, "
        "Kimi and DeepSeek are read all the same (`text_tool_calls`)."
    ),
    port=30_000,
    profile=Profile(
        name="sglang",
        accept_params=("top_k",),
        thinking_switch="chat_template_kwargs",
        schema_dialect="xgrammar",
        reasoning_replay="reasoning_content",
        evidence=(
            "docs: what xgrammar takes of JSON Schema; one report: reasoning_content on the Chat "
            "side; general knowledge, not "
            "re-checked: chat_template_kwargs, top_k"
        ),
    ),
    native=NativeProfile(
        name="sglang",
        mid_system="user_wrap",
        evidence="docs: role system kept or merged by template, unknown betas accepted and ignored",
    ),
)
