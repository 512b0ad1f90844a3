"""IBM's Granite."""

from claude_code_proxy.core.providers.types import Family

FAMILIES = (
    Family(
        "*granite*",
        {"thinking_key": "thinking"},
        "docs: the template's variable",
        ("vllm", "sglang", "llamacpp"),
    ),
)
