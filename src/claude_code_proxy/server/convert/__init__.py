"""Requests for upstreams that speak an OpenAI format: converted both ways."""
