"""The models.yaml that `claude-code-proxy init` writes."""

EXAMPLE = """\
# The models that claude-code-proxy offers. Every key: docs/configuration.md
#
# There is no place for API keys: each request brings its own, and it goes to that model's api_base only.
# The running server reads this file again when it changes.
# Sizes are in tokens: 8192, 8k (8000), 1.5k, 1m (1000000).

# A provider with an OpenAI-compatible API. The profile (what it needs) is found by its api_base.
- model_id: deepseek-chat              # what clients ask for
  api_base: https://api.deepseek.com   # with or without /v1
  context: 128k                        # prompt plus output
  max_tokens: 8k                       # output; longer wishes are lowered to this
  # model_name: deepseek-chat          # the provider's own name, when it is another one
  # temperature: 0.7                   # when the request has none
  # reasoning_effort: high             # minimal (no thinking), low, medium, high, max
  # can_stream: false                  # ask for whole answers only
  # extra_body: {seed: 7}              # merged into each request
  # extra_headers: {X-Team: research}  # never a key
  # profile: deepseek                  # or: profile: {name: deepseek, vision: false}

# A provider's endpoint in the Anthropic format: requests and answers pass through byte for byte.
- model_id: claude-sonnet
  model_name: claude-sonnet-4-6
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
