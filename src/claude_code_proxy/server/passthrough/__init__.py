"""Requests for upstreams that speak the Anthropic format: passed through."""
