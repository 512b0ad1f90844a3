"""Mistral's models on servers that use their chat template."""

from claude_code_proxy.core.providers.types import Family

FAMILIES = (
    Family(
        "*mistral*",
        {"tool_id": "alnum9", "user_after_tool": "bridge"},
        "reports: nine-character ids, role order",
        ("nim", "vllm", "sglang", "llamacpp"),
    ),
)
