function __ccproxy_names
    ccproxy list --json 2>/dev/null | sed -n 's/^      "name": "\(.*\)",$/\1/p'
end
complete -c ccproxy -f -n __fish_use_subcommand -a "list use add remove edit env doctor init models logs usage config completion version help import"
complete -c ccproxy -x -s P -l provider -a "(__ccproxy_names)"
complete -c ccproxy -x -n "__fish_seen_subcommand_from use remove models" -a "(__ccproxy_names)"
complete -c ccproxy -x -n "__fish_seen_subcommand_from add init models" -a "azure cerebras copilot deepseek doubao fireworks gemini glm groq kimi minimax mistral nim openai openrouter qwen siliconflow together xai llamacpp lmstudio ollama sglang vllm"
complete -c ccproxy -x -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c ccproxy -x -n "__fish_seen_subcommand_from config" -a "show"
complete -c ccproxy -x -n "__fish_seen_subcommand_from doctor" -a "--offline --json --write --timeout"
complete -c ccproxy -x -n "__fish_seen_subcommand_from env" -a "--shell --show-key --json"
complete -c ccproxy -x -n "__fish_seen_subcommand_from import" -a "ccr cc-switch litellm"
complete -c ccproxy -x -n "__fish_seen_subcommand_from logs" -a "--list --follow"
complete -c ccproxy -x -n "__fish_seen_subcommand_from usage" -a "--by --since --json"
complete -c ccproxy -r -s C -l config
complete -c ccproxy -l dry-run
complete -c ccproxy -s h -l help
complete -c ccproxy -s v -l version
