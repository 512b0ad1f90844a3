"""cc-proxy.json: the providers that `ccproxy` starts Claude Code on."""
