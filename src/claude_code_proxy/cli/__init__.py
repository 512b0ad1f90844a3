"""The two commands, `claude-code-proxy` and `ccproxy`."""
