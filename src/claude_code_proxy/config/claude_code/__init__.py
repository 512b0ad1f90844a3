"""Claude Code's own configuration: its environment and its settings files."""
