"""Where each provider is found: what `init` writes into models.yaml and cc-proxy.json.

Apart from the profiles on purpose: a profile says what a provider needs, a preset where it is.
"""

from __future__ import annotations

from typing import NamedTuple


class Preset(NamedTuple):
    """`name` is the profile's. `api_base` speaks Chat Completions, `anthropic_base` Messages (None: no such).

    `key_variables` are the environment variables in which people keep the key, the usual one first; empty
    where there is no usual one. `models` are current ids, the best for coding first; empty where they depend
    on what is installed. Parts in capitals in an address are the user's own.
    """

    name: str
    title: str
    api_base: str
    anthropic_base: str | None
    key_variables: tuple[str, ...]
    models: tuple[str, ...]
    docs: str
    note: str


_PRESETS: tuple[Preset, ...] = (
    Preset(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com",
        "https://api.deepseek.com/anthropic",
        ("DEEPSEEK_API_KEY",),
        ("deepseek-v4-pro", "deepseek-flash"),
        "api-docs.deepseek.com",
        "The reasoning of every earlier tool turn goes back by itself. Only the flash models take images.",
    ),
    Preset(
        "kimi",
        "Moonshot Kimi",
        "https://api.moonshot.ai/v1",
        "https://api.moonshot.ai/anthropic",
        ("MOONSHOT_API_KEY", "KIMI_API_KEY"),
        ("kimi-k3.1-pro", "kimi-k3", "kimi-k2.6"),
        "platform.kimi.ai/docs",
        "Keys of moonshot.ai and moonshot.cn are not interchangeable. A Kimi Code key belongs to "
        "api.kimi.com/coding, best with `format: anthropic`.",
    ),
    Preset(
        "glm",
        "Zhipu GLM / Z.ai",
        "https://api.z.ai/api/paas/v4",
        "https://api.z.ai/api/anthropic",
        ("ZAI_API_KEY", "ZHIPUAI_API_KEY"),
        ("glm-5.3", "glm-5.3-flash", "glm-4.7"),
        "docs.z.ai",
        "A coding-plan key needs `https://api.z.ai/api/coding/paas/v4`; elsewhere it is told that "
        "there is no "
        "balance. In China: open.bigmodel.cn.",
    ),
    Preset(
        "qwen",
        "Alibaba Qwen",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "https://dashscope-intl.aliyuncs.com/apps/anthropic",
        ("DASHSCOPE_API_KEY",),
        ("qwen3.8-max", "qwen3.7-plus", "qwen3-coder-plus"),
        "alibabacloud.com/help/model-studio",
        "Keys belong to a region: without `-intl` for China. Coding-plan keys (`sk-sp-`) have hosts "
        "of their own.",
    ),
    Preset(
        "minimax",
        "MiniMax",
        "https://api.minimax.io/v1",
        "https://api.minimax.io/anthropic",
        ("MINIMAX_API_KEY",),
        ("MiniMax-M3", "MiniMax-M2.7"),
        "platform.minimax.io/docs",
        "Keys belong to a site: api.minimax.cn in China. The M2 models always think.",
    ),
    Preset(
        "doubao",
        "Volcengine Doubao (Ark)",
        "https://ark.cn-beijing.volces.com/api/v3",
        "https://ark.cn-beijing.volces.com/api/compatible",
        ("ARK_API_KEY",),
        ("doubao-seed-2-1-pro-260628", "doubao-seed-2-0-code"),
        "volcengine.com/docs/82379",
        "Coding-plan keys use `/api/coding/v3` (native: `/api/coding`), and its models have other names.",
    ),
    Preset(
        "siliconflow",
        "SiliconFlow",
        "https://api.siliconflow.com/v1",
        "https://api.siliconflow.com",
        ("SILICONFLOW_API_KEY",),
        (),
        "docs.siliconflow.com",
        "In China: api.siliconflow.cn. Pick ids from its own list.",
    ),
    Preset(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/api",
        ("OPENROUTER_API_KEY",),
        (),
        "openrouter.ai/docs",
        'The whole catalogue with one entry: `model_id: "openrouter/*"`, `model_name: "*"`. '
        "The limit that Claude Code asks for counts against the credit.",
    ),
    Preset(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        None,
        ("OPENAI_API_KEY",),
        ("gpt-6.2-sol", "gpt-5.6", "gpt-4.1"),
        "developers.openai.com/api/docs",
        "From gpt-5.4 on tools and reasoning go together only on the Responses API, so the profile picks it.",
    ),
    Preset(
        "azure",
        "Azure OpenAI",
        "https://RESOURCE.openai.azure.com/openai/v1",
        None,
        ("AZURE_OPENAI_API_KEY",),
        (),
        "learn.microsoft.com/azure/ai-foundry/openai",
        "`model_name` is the deployment. Name it after the model, or set the keys of its family yourself. "
        "Old api-versions refuse several fields.",
    ),
    Preset(
        "gemini",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        None,
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("gemini-4-argon", "gemini-3.8-flash"),
        "ai.google.dev/gemini-api/docs/openai",
        "Thought signatures travel sealed in the tool ids. A wrong key is a 400 there.",
    ),
    Preset(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        None,
        ("GROQ_API_KEY",),
        ("openai/gpt-oss-120b", "openai/gpt-oss-20b"),
        "console.groq.com/docs",
        "The limit per minute of a free key is smaller than Claude Code's first request.",
    ),
    Preset(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        None,
        ("MISTRAL_API_KEY",),
        ("mistral-large-4", "mistral-medium-3-5"),
        "docs.mistral.ai",
        "Unknown fields are refused, so be careful with `extra_body`. Earlier thinking is not sent back.",
    ),
    Preset(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        None,
        ("XAI_API_KEY",),
        ("grok-4.7", "grok-4.3"),
        "docs.x.ai",
        "Its own Messages endpoint is deprecated. A wrong key is a 400 there.",
    ),
    Preset(
        "together",
        "Together",
        "https://api.together.ai/v1",
        None,
        ("TOGETHER_API_KEY",),
        (),
        "docs.together.ai",
        "An overlong request is a 403 there.",
    ),
    Preset(
        "fireworks",
        "Fireworks",
        "https://api.fireworks.ai/inference/v1",
        "https://api.fireworks.ai/inference",
        ("FIREWORKS_API_KEY",),
        (),
        "docs.fireworks.ai",
        "Ids are paths such as `accounts/fireworks/models/NAME`.",
    ),
    Preset(
        "nim",
        "NVIDIA NIM",
        "https://integrate.api.nvidia.com/v1",
        None,
        ("NVIDIA_API_KEY",),
        (),
        "docs.api.nvidia.com",
        "For a container of your own use its address with `profile: nim` or `vllm`.",
    ),
    Preset(
        "vllm",
        "vLLM",
        "http://127.0.0.1:8000/v1",
        "http://127.0.0.1:8000",
        (),
        (),
        "docs.vllm.ai",
        "Name the profile: port 8000 says nothing. Start it with `--enable-auto-tool-choice`, "
        "`--tool-call-parser` and `--reasoning-parser`.",
    ),
    Preset(
        "sglang",
        "SGLang",
        "http://127.0.0.1:30000/v1",
        "http://127.0.0.1:30000",
        (),
        (),
        "docs.sglang.ai",
        "Without `--tool-call-parser` tool calls come as plain text; those of Qwen, Hermes, Kimi and "
        "DeepSeek are read all the same (`text_tool_calls`).",
    ),
    Preset(
        "llamacpp",
        "llama.cpp server",
        "http://127.0.0.1:9931/v1",
        "http://127.0.0.1:9931",
        (),
        (),
        "github.com/ggml-org/llama.cpp",
        "Older releases listen on 8080: then name the profile. `-np N` divides the context by N.",
    ),
    Preset(
        "ollama",
        "Ollama",
        "http://127.0.0.1:11434/v1",
        "http://127.0.0.1:11434",
        (),
        (),
        "docs.ollama.com",
        "Set `OLLAMA_CONTEXT_LENGTH` to 64000 or more: overlong prompts are cut without a word.",
    ),
    Preset(
        "lmstudio",
        "LM Studio",
        "http://127.0.0.1:1234/v1",
        "http://127.0.0.1:1234",
        (),
        (),
        "lmstudio.ai/docs",
        "Load the model with a context of more than 25,000 tokens.",
    ),
    Preset(
        "copilot",
        "GitHub Copilot",
        "https://api.githubcopilot.com",
        "https://api.githubcopilot.com",
        (),
        (),
        "docs.github.com/copilot",
        "Needs its short-lived token and the headers of an editor as `extra_headers`. Use outside its "
        "official "
        "clients may break its terms.",
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}
