"""What differs between the models of one provider: overrides of a row by the model's id.

Every entry whose glob fits is laid over the row, in order, so a later entry refines an earlier one. Globs
are matched against the lower-case id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_code_proxy.core.providers.profile import Effort


class Family(NamedTuple):
    """The models `pattern` of the rows `rows` have `overrides` on top, for the reason `evidence`."""

    rows: tuple[str, ...]
    pattern: str
    overrides: Mapping[str, Any]
    evidence: str


_OPENAI = ("openai", "azure", "copilot")
_LOCAL = ("vllm", "sglang", "llamacpp")
_THREE: tuple[Effort, ...] = ("low", "medium", "high")
_TO_MAX: tuple[Effort, ...] = (*_THREE, "xhigh", "max")
_REASONS: dict[str, Any] = {
    "max_tokens_field": "max_completion_tokens",
    "drop_params": ("temperature", "top_p"),
    "stop_max": 0,
    "thinking_switch": "reasoning_effort",
    "thinking_default": True,
}
_RESPONSES: dict[str, Any] = {
    "api": "responses",
    "reasoning_replay": "responses_item",
    "tool_result_images": "inline",
    "web_search": True,
}
_EFFORT: dict[str, Any] = {"thinking_switch": "reasoning_effort", "effort_values": _THREE}
_NO_SWITCH: dict[str, Any] = {
    "thinking_switch": "none",
    "thinking_default": False,
    "thinking_stream_only": False,
    "tool_choice_thinking": None,
}
_MISTRAL_TEMPLATE: dict[str, Any] = {"tool_id": "alnum9", "user_after_tool": "bridge"}

FAMILIES: tuple[Family, ...] = (
    # --- OpenAI's models, wherever they are served ------------------------------------------------------
    Family(_OPENAI, "o[1-9]*", {**_REASONS, "effort_values": _THREE}, "reports: sampling, stop refused"),
    Family(
        _OPENAI,
        "gpt-5*",
        {**_REASONS, "effort_values": ("minimal", *_THREE)},
        "docs and reports: max_tokens, sampling and stop refused; efforts",
    ),
    Family(_OPENAI, "gpt-5-pro*", {"effort_values": ("high",)}, "reports: high only"),
    Family(
        _OPENAI,
        "gpt-5.1*",
        {"effort_values": ("none", *_THREE), "thinking_default": False},
        "reports: none is a level and the default",
    ),
    Family(
        _OPENAI,
        "gpt-5.[2-5]*",
        {"effort_values": ("none", *_THREE, "xhigh"), "thinking_default": False},
        "reports: none to xhigh, none the default",
    ),
    Family(_OPENAI, "gpt-5.5*", {"thinking_default": True}, "reports: reasons by default"),
    Family(
        _OPENAI,
        "gpt-5.[6-9]*",
        {"effort_values": ("none", *_TO_MAX)},
        "docs and reports: none to max, minimal refused",
    ),
    Family(
        _OPENAI,
        "gpt-5.[4-9]*",
        _RESPONSES,
        "reports: tools with reasoning refused on Chat Completions; from 5.5 on even without the field",
    ),
    Family(
        _OPENAI,
        "gpt-[6-9]*",
        {**_REASONS, **_RESPONSES, "effort_values": _TO_MAX},
        "docs: tools only on Responses, no level none for most; 6.2 inferred",
    ),
    Family(_OPENAI, "gpt-6-sol*", {"effort_values": ("none", *_TO_MAX)}, "docs: none to max"),
    Family(_OPENAI, "gpt-6-luna*", {"effort_values": ("none", *_TO_MAX)}, "docs: none to max"),
    Family(_OPENAI, "gpt-6.1-terra*", {"effort_values": ("none", *_TO_MAX)}, "docs: none to max"),
    Family(_OPENAI, "gpt-5*-codex*", _RESPONSES, "general knowledge: served on Responses only"),
    Family(_OPENAI, "*-pro", _RESPONSES, "general knowledge: the pro models are on Responses only"),
    Family(("openai",), "o[1-9]*", {"system_role": "developer"}, "general knowledge: the role they prefer"),
    Family(
        ("openai",), "gpt-[5-9]*", {"system_role": "developer"}, "general knowledge: the role they prefer"
    ),
    # --- DeepSeek ---------------------------------------------------------------------------------------
    Family(("deepseek",), "*flash*", {"vision": True}, "docs: flash takes images, pro does not"),
    Family(("deepseek",), "*vision*", {"vision": True}, "docs: served by flash"),
    # --- Kimi -------------------------------------------------------------------------------------------
    Family(
        ("kimi",),
        "kimi-k2.6*",
        {
            "thinking_switch": "thinking_type",
            "thinking_on": {"type": "enabled", "keep": "all"},
        },
        "restated: can be switched off; keep preserves earlier reasoning",
    ),
    Family(("kimi",), "kimi-k2.7*", {"thinking": True}, "restated: always thinks, keep is fixed to all"),
    Family(
        ("kimi",),
        "kimi-k3*",
        {
            "thinking_switch": "reasoning_effort",
            "effort_values": ("low", "high", "max"),
            "tool_choice_support": "no_named",
        },
        "restated: always thinks, no thinking object, default max; required works, a named tool does not",
    ),
    Family(
        ("kimi",),
        "k3*",  # the names on Kimi Code
        {
            "thinking_switch": "reasoning_effort",
            "effort_values": _TO_MAX,
            "tool_choice_support": "no_named",
        },
        "restated: as kimi-k3; medium and xhigh are folded by the server",
    ),
    # --- GLM --------------------------------------------------------------------------------------------
    Family(("glm",), "glm-4.5*", {"extra_body": {}}, "one client sends tool_stream only from 4.6 on"),
    Family(("glm",), "glm-5.2*", {"effort_values": _TO_MAX}, "restated: efforts from 5.2 on, folded"),
    Family(
        ("glm",),
        "glm-5.3*",
        {
            # It cannot be switched off; as an effort, "off" becomes low instead of the default, max.
            "thinking_switch": "reasoning_effort",
            "effort_values": ("low", "high", "max"),
            "extra_body": {"tool_stream": True, "thinking": {"type": "enabled", "clear_thinking": False}},
        },
        "restated: thinking cannot be disabled; low, high, max",
    ),
    Family(("glm",), "glm-5.3-flash*", {"vision": True}, "restated: takes images"),
    Family(("glm",), "glm-[45]*v*", {"vision": True}, "general knowledge: the v models take images"),
    # --- Qwen -------------------------------------------------------------------------------------------
    Family(
        ("qwen",),
        "*coder*",
        {**_NO_SWITCH, "vision": False, "web_search_body": {}},
        "restated: no thinking; assumed: text only, no search",
    ),
    Family(("qwen",), "*-vl*", _NO_SWITCH, "restated: no thinking switch"),
    Family(
        ("qwen",),
        "qwen3.8*",
        {"effort_values": ("low", "medium", "xhigh")},
        "restated: these efforts; together with a thinking budget an error",
    ),
    Family(("qwen",), "qwen3.7-max-preview*", {"thinking": True}, "restated: always thinks"),
    Family(("qwen",), "qwen3.7-max-2026-05-17", {"thinking": True}, "restated: always thinks"),
    Family(("qwen",), "qwen3.8-2.4t-a95b", {"thinking": True}, "restated: always thinks"),
    Family(("qwen",), "qwq*", {"thinking": True}, "restated: always thinks"),
    # --- MiniMax ----------------------------------------------------------------------------------------
    Family(("minimax",), "minimax-m2*", {"thinking": True, "vision": False}, "restated: always thinks, text"),
    Family(
        ("minimax",),
        "minimax-m3*",
        {"thinking_switch": "thinking_type", "thinking_on": {"type": "adaptive"}},
        "restated: adaptive or disabled; takes images",
    ),
    Family(
        ("minimax",),
        "*m3.1-flash*",
        {
            "thinking_switch": "reasoning_effort",
            "effort_values": _TO_MAX,
            "reasoning_replay": "reasoning_content",
        },
        "restated: low to max, answers with reasoning_content",
    ),
    # --- SiliconFlow: the switch is refused by models that do not have it -----------------------------------
    *(
        Family(
            ("siliconflow",),
            pattern,
            {"thinking_switch": "enable_thinking", "thinking_default": True},
            "restated: enable_thinking; general knowledge: other models refuse the field",
        )
        for pattern in ("*qwen3-*", "*deepseek-v3.[1-9]*", "*deepseek-v4*", "*glm-4.[5-9]*", "*glm-5*")
    ),
    Family(("siliconflow",), "*coder*", _NO_SWITCH, "general knowledge: no thinking"),
    Family(
        ("siliconflow",),
        "*deepseek-v4*",
        {"effort_values": ("high", "max"), "require_reasoning_on_tool_calls": True},
        "restated: high and max; the model's own rule for tool turns",
    ),
    Family(("siliconflow",), "*glm-5.2*", {"effort_values": ("high", "max")}, "restated: high and max"),
    # --- OpenRouter: what the upstream behind it needs ------------------------------------------------
    Family(("openrouter",), "anthropic/*", {"cache_control": "passthrough"}, "docs: marks pass through"),
    Family(("openrouter",), "qwen/*", {"cache_control": "passthrough"}, "docs: marks pass through"),
    Family(("openrouter",), "openai/*", {"tool_choice_thinking": None}, "reports: no such refusal"),
    Family(
        ("openrouter",),
        "google/*",
        {"tool_choice_thinking": None, "schema_dialect": "gemini"},
        "reports: schema keywords refused by the upstream",
    ),
    Family(
        ("openrouter",),
        "moonshotai/*",
        {"tool_id": "raw", "require_reasoning_on_tool_calls": True, "reasoning_filler": " "},
        "reports: the model's ids must stay as they are",
    ),
    Family(
        ("openrouter",),
        "deepseek/*",
        {"require_reasoning_on_tool_calls": True},
        "docs of the model's maker: reasoning of every tool turn",
    ),
    Family(
        ("openrouter",),
        "mistralai/*",
        _MISTRAL_TEMPLATE,
        "reports: seen on other hosts of the models as well",
    ),
    # --- Gemini -------------------------------------------------------------------------------------------
    Family(
        ("gemini",),
        "*gemini-2*",
        {"signature_filler": "", "effort_values": _THREE},
        "docs: signatures are strict from 3.x on",
    ),
    Family(("gemini",), "*gemini-2.5-flash*", {"effort_values": ("none", *_THREE)}, "docs: only here none"),
    Family(("gemini",), "*gemini-3.8-flash*", {"effort_values": _THREE}, "docs: no minimal"),
    Family(("gemini",), "*gemini-4*", {"effort_values": _THREE}, "docs: no minimal"),
    # --- Groq, Mistral, xAI ---------------------------------------------------------------------------------
    Family(
        ("groq",),
        "*gpt-oss*",
        {
            **_EFFORT,
            "thinking_default": True,
            "vision": False,
            "web_search_body": {"tools": [{"type": "browser_search"}]},
        },
        "docs: low, medium, high; text only; reports: its browser search, streamed too",
    ),
    Family(
        ("groq",),
        "qwen/*",
        {"extra_body": {"reasoning_format": "parsed"}, "thinking_default": True},
        "docs: raw thinking beside tools is a 400; the only levels are none and default",
    ),
    Family(
        ("mistral",),
        "mistral-medium-3[-.]5*",
        {"thinking_switch": "reasoning_effort", "effort_values": ("none", "high")},
        "docs: none or high",
    ),
    Family(
        ("mistral",),
        "mistral-small-2603*",
        {"thinking_switch": "reasoning_effort", "effort_values": ("none", "high")},
        "docs: none or high",
    ),
    Family(("mistral",), "mistral-large-4*", _EFFORT, "docs: low to high"),
    Family(("xai",), "grok-4.[5-9]*", _EFFORT, "docs: low, medium, high, never off"),
    Family(("xai",), "grok-4.[67]*", {"effort_values": (*_THREE, "xhigh")}, "docs: to xhigh"),
    Family(
        ("xai",),
        "grok-4.3*",
        {**_EFFORT, "effort_values": ("none", *_THREE)},
        "docs: none to high; none doubtful",
    ),
    Family(
        ("xai",),
        "*non-reasoning*",
        {"stop_max": 4, "thinking_default": False},
        "docs: only reasoning refuses stop",
    ),
    # --- open models at hosts -------------------------------------------------------------------------
    Family(
        ("together",),
        "*glm-5.2*",
        {"thinking_switch": "reasoning_effort", "effort_values": ("high", "max")},
        "restated: high and max",
    ),
    Family(
        ("together",),
        "*deepseek-v4-pro*",
        {"thinking_switch": "reasoning_effort", "effort_values": ("high", "max")},
        "restated: high and max",
    ),
    Family(
        ("together", "fireworks", "nim"), "*gpt-oss*", _EFFORT, "general knowledge: the model's three levels"
    ),
    *(
        Family(("fireworks",), pattern, _EFFORT, "general knowledge, not re-checked")
        for pattern in ("*deepseek-v3p*", "*deepseek-v4*", "*glm-*", "*kimi-k*", "*qwen3-*")
    ),
    *(
        Family(("nim",), pattern, {"thinking_switch": "chat_template_kwargs"}, "reports: per model")
        for pattern in ("*qwen3-*", "*glm-*", "*nemotron*")
    ),
    *(
        Family(
            ("nim",),
            pattern,
            {"thinking_switch": "chat_template_kwargs", "thinking_key": "thinking"},
            "reports: the template's variable is thinking",
        )
        for pattern in ("*deepseek-v3.[1-9]*", "*kimi-k2*")
    ),
    Family(
        ("nim",),
        "*deepseek-v4-pro*",
        {"thinking_switch": "reasoning_effort", "effort_values": ("none", "high", "max")},
        "one registry: none, high, max",
    ),
    Family(("nim", *_LOCAL), "*mistral*", _MISTRAL_TEMPLATE, "reports: nine-character ids, role order"),
    Family(_LOCAL, "*deepseek-v3.[1-9]*", {"thinking_key": "thinking"}, "docs: the template's variable"),
    Family(_LOCAL, "*granite*", {"thinking_key": "thinking"}, "docs: the template's variable"),
    Family(_LOCAL, "*gpt-oss*", _EFFORT, "general knowledge: the model's three levels"),
    *(
        Family(
            ("ollama",),
            pattern,
            {
                "thinking_switch": "reasoning_effort",
                "effort_values": ("none", *_THREE, "max"),
                "thinking_default": True,
            },
            "docs: none to max; general knowledge: other models refuse to think with an error",
        )
        for pattern in (
            "*qwen3*",
            "*deepseek-r1*",
            "*deepseek-v[34]*",
            "*magistral*",
            "*glm-[45]*",
            "*kimi-k*",
        )
    ),
    Family(("ollama",), "*coder*", _NO_SWITCH, "general knowledge: no thinking"),
    Family(("ollama",), "*instruct*", _NO_SWITCH, "general knowledge: no thinking"),
    Family(("ollama", "lmstudio"), "*gpt-oss*", _EFFORT, "general knowledge: the model's three levels"),
    # --- calls as text, where the server does not parse them ----------------------------------------------
    *(
        Family(
            ("sglang", "lmstudio"),
            pattern,
            {"text_tool_calls": notations},
            "docs: sglang leaves calls in the text without a parser; general knowledge, not re-checked: so "
            "does lmstudio where its own fails; the notation is that of the chat template",
        )
        for pattern, notations in (
            ("*qwen*", ("hermes", "qwen_xml")),
            ("*hermes*", ("hermes",)),
            ("*kimi*", ("kimi",)),
            ("*deepseek*", ("deepseek",)),
        )
    ),
)
