"""The models.yaml that `claude-code-proxy init` writes when no provider is named."""

from claude_code_proxy.config.models_yaml.preset_entries import HEAD
from claude_code_proxy.core import providers

_MODEL = providers.PRESETS["deepseek"].models[0]
_CONTEXT, _OUTPUT = providers.known_limits("deepseek", _MODEL)

EXAMPLE = f"""\
{HEAD}#
# With working entries for the providers you use: claude-code-proxy init --provider deepseek openrouter

# A provider with an OpenAI-compatible API. The profile (what it needs) is found by its api_base.
- model_id: {_MODEL}            # what clients ask for
  api_base: https://api.deepseek.com   # with or without /v1
  context: {_CONTEXT}                     # prompt plus output
  max_tokens: {_OUTPUT}                   # output; larger requests are lowered to this
  # model_name: {_MODEL}        # the provider's own name, when it is another one
  # temperature: 0.7                   # when the request has none
  # reasoning_effort: high             # minimal (no thinking), low, medium, high, max
  # can_stream: false                  # ask for whole answers only
  # drop_tools: [WebSearch]            # tools never to offer to this model
  # extra_body: {{seed: 7}}              # merged into each request
  # extra_headers: {{X-Team: research}}  # never a key
  # profile: deepseek                  # or: profile: {{name: deepseek, vision: false}}

# A provider's endpoint in the Anthropic format: requests and responses pass through.
- model_id: claude-opus
  model_name: claude-opus-5-5
  api_base: https://api.anthropic.com
  format: anthropic

# Every model of a provider: "openrouter/qwen/qwen3-coder" asks it for "qwen/qwen3-coder".
- model_id: openrouter/*
  model_name: "*"
  api_base: https://openrouter.ai/api/v1

# A model on this machine.
# - model_id: local
#   model_name: qwen3:30b
#   api_base: http://127.0.0.1:11434/v1
#   context: 64k
"""
