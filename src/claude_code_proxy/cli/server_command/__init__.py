"""The command `claude-code-proxy`."""
