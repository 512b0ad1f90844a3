"""Which row an address or, at an unknown address, a model's id stands for."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

HOSTS: tuple[tuple[str, str], ...] = (
    ("api.deepseek.com", "deepseek"),
    ("moonshot.ai", "kimi"),
    ("moonshot.cn", "kimi"),
    ("api.kimi.com", "kimi"),
    ("z.ai", "glm"),
    ("bigmodel.cn", "glm"),
    ("dashscope.aliyuncs.com", "qwen"),
    ("dashscope-intl.aliyuncs.com", "qwen"),
    ("dashscope-us.aliyuncs.com", "qwen"),
    ("coding-intl.dashscope.aliyuncs.com", "qwen"),
    ("maas.aliyuncs.com", "qwen"),
    ("minimax.io", "minimax"),
    ("minimax.cn", "minimax"),
    ("minimaxi.com", "minimax"),
    ("ark.cn-beijing.volces.com", "doubao"),
    ("bytepluses.com", "doubao"),
    ("siliconflow.cn", "siliconflow"),
    ("siliconflow.com", "siliconflow"),
    ("openrouter.ai", "openrouter"),
    ("api.openai.com", "openai"),
    ("openai.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("generativelanguage.googleapis.com", "gemini"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("api.x.ai", "xai"),
    ("api.together.ai", "together"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("integrate.api.nvidia.com", "nim"),
    ("githubcopilot.com", "copilot"),
    ("ollama.com", "ollama"),
    ("anthropic.com", "anthropic"),
)
"""Host or the end of one after a dot -> row. `anthropic` exists only among the native rows."""

LOCAL_PORTS: dict[int, str] = {11434: "ollama", 1234: "lmstudio", 9931: "llamacpp", 30000: "sglang"}
"""Default ports that only one server uses; 8000 and 8080 say nothing. Counted on private hosts only."""

MODEL_PREFIXES: tuple[tuple[str, str], ...] = (
    ("deepseek-", "deepseek"),
    ("kimi-", "kimi"),
    ("glm-", "glm"),
    ("qwen", "qwen"),
    ("minimax-m", "minimax"),
    ("doubao-", "doubao"),
    ("gpt-3.5-", "openai"),
    ("gpt-4", "openai"),
    ("gpt-5", "openai"),
    ("gpt-6", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4-", "openai"),
    ("gemini-", "gemini"),
    ("mistral-", "mistral"),
    ("codestral-", "mistral"),
    ("magistral-", "mistral"),
    ("grok-", "xai"),
)
"""The start of an id that a vendor gave its own hosted model -> the vendor's row."""


def row_at(api_base: str) -> str | None:
    """The name of the row that serves at `api_base` (any URL), or None for an unknown address."""
    host, port = _host_and_port(api_base)
    for known, name in HOSTS:
        if host == known or host.endswith("." + known):
            return name
    return LOCAL_PORTS.get(port) if port is not None and _is_private(host) else None


def row_of_model(api_base: str, model: str) -> str | None:
    """The vendor's row for a model's id at an unknown public address: a relay for the vendor's own API.

    None where the id proves nothing: a server on a private host runs its own copy of the model, and an id
    with a slash names a model of a host's catalogue.
    """
    host, _ = _host_and_port(api_base)
    if _is_private(host) or "/" in model:
        return None
    return next((name for start, name in MODEL_PREFIXES if model.lower().startswith(start)), None)


def _host_and_port(api_base: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(api_base)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # a bad port or bracket; whoever reads the configuration complains about the URL
        return "", None


def _is_private(host: str) -> bool:
    """Whether `host` is this machine or one on a private network, by its form alone."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".localhost"))
