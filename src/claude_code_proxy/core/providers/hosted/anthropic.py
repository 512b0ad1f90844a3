"""Anthropic."""

from __future__ import annotations

from claude_code_proxy.core.providers.profile import NativeProfile
from claude_code_proxy.core.providers.types import Provider

PROVIDER = Provider(
    name="anthropic",
    title="Anthropic",
    hosts=("anthropic.com",),
    native=NativeProfile(
        name="anthropic",
        evidence="docs: forward headers and body as open lists, unchanged",
    ),
)
