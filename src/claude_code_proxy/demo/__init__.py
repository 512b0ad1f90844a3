"""The demo: an embedded OpenAI-compatible provider and a small Anthropic client, joined by the proxy.

The provider is also the upstream of the project's own tests. Nothing here imports the server.
"""
