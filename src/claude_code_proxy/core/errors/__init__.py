"""Upstream failures in the words of the Anthropic API: what happened, what to change, what it teaches."""
