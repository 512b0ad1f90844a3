"""vLLM."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="vllm",
    title="vLLM",
    start="vllm serve MODEL",
    api_base="http://127.0.0.1:8000/v1",
    anthropic_base="http://127.0.0.1:8000",
    docs="docs.vllm.ai",
    note=(
        "Name the profile: port 8000 says nothing. Start it with `--enable-auto-tool-choice`,"
        " `--tool-call-parser` and `--reasoning-parser`."
    ),
    profile=Profile(
        name="vllm",
        accept_params=("top_k",),
        thinking_switch="chat_template_kwargs",
        schema_dialect="xgrammar",
        reasoning_replay="reasoning",
        evidence=(
            "docs: what xgrammar takes of JSON Schema; docs: reasoning (reasoning_content before) in "
            "answers and history, "
            "chat_template_kwargs; reports: later system messages are refused by strict chat "
            "templates"
        ),
    ),
    native=NativeProfile(
        name="vllm",
        mid_system="user_wrap",
        evidence=(
            "reports: role system refused by old releases, by Qwen templates, and moved to "
            "the head by others; docs: unknown betas ignored"
        ),
    ),
)
