"""llama.cpp server."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile, Profile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="llamacpp",
    title="llama.cpp server",
    aliases=("llama.cpp", "llama-server", "llama"),
    start="llama-server -m MODEL.gguf",
    loaded="/props",
    api_base="http://127.0.0.1:9931/v1",
    anthropic_base="http://127.0.0.1:9931",
    docs="github.com/ggml-org/llama.cpp",
    note="Older releases listen on 8080: then name the profile. `-np N` divides the context by N.",
    port=9931,
    profile=Profile(
        name="llamacpp",
        accept_params=("top_k",),
        thinking_switch="chat_template_kwargs",
        reasoning_replay="reasoning_content",
        schema_dialect="gbnf",
        structured_with_tools=False,
        evidence=(
            "docs: what its grammars take of JSON Schema; docs: reasoning_content in and out, "
            "chat_template_kwargs; reports: role order "
            "errors of chat templates; general knowledge, not re-checked: no schema grammar "
            "beside tools"
        ),
    ),
    native=NativeProfile(
        name="llamacpp",
        mid_system="user_wrap",
        evidence="docs: role system goes to the template in place, strict templates raise; fields ignored",
    ),
)
