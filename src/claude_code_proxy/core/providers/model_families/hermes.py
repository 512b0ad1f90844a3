"""Nous Hermes."""

from claude_code_proxy.core.providers.types import Family

FAMILIES = (
    Family(
        "*hermes*",
        {"text_tool_calls": ("hermes",)},
        "docs: sglang leaves calls in the text without a parser; general knowledge, not re-checked: so does "
        "lmstudio where its own fails; the notation is that of the chat template",
        ("sglang", "lmstudio"),
    ),
)
