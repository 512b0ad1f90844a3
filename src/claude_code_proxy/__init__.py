"""Run Claude Code, and every other Anthropic Messages client, on any model provider."""

__version__ = "0.2.0"
