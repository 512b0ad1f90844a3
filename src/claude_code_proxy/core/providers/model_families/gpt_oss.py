"""OpenAI's open models."""

from claude_code_proxy.core.providers.types import Family

_ROWS = ("together", "fireworks", "nim", "vllm", "sglang", "llamacpp", "ollama", "lmstudio")

FAMILIES = (
    Family(
        "*gpt-oss*",
        {"thinking_switch": "reasoning_effort", "effort_values": ("low", "medium", "high")},
        "general knowledge: the model's three levels",
        _ROWS,
    ),
)
