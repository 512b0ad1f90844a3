"""DeepSeek's models."""

from claude_code_proxy.core.providers.types import Family

FAMILIES = (
    Family(
        "*deepseek-v3.[1-9]*",
        {"thinking_key": "thinking"},
        "docs: the template's variable",
        ("vllm", "sglang", "llamacpp"),
    ),
    Family(
        "*deepseek*",
        {"text_tool_calls": ("deepseek",)},
        "docs: sglang leaves calls in the text without a parser; general knowledge, not re-checked: so does "
        "lmstudio where its own fails; the notation is that of the chat template",
        ("sglang", "lmstudio"),
    ),
)
