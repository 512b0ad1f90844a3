"""Kimi."""

from claude_code_proxy.core.providers.types import Family

FAMILIES = (
    Family(
        "*kimi*",
        {"text_tool_calls": ("kimi",)},
        "docs: sglang leaves calls in the text without a parser; general knowledge, not re-checked: so does "
        "lmstudio where its own fails; the notation is that of the chat template",
        ("sglang", "lmstudio"),
    ),
)
