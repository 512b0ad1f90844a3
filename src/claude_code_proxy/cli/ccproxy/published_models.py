"""The models that a provider of cc-proxy.json publishes, asked for as the server asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping

from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.cc_proxy_json.session_models import known_of
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.models_yaml.models_file import FixedModels
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import wire
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.credentials.source import Credential
from claude_code_proxy.server.memory.model_lists import Listed, published
from claude_code_proxy.server.upstream.upstreams import Upstreams

LIMIT = 10.0
"""Seconds for a list that the user waits for."""
_OTHER_WORK = re.compile(
    r"embed|whisper|\btts\b|text-to-speech|dall-e|moderation|rerank|guard|transcri|diffusion"
)


class NoListError(Exception):
    """The provider's list cannot be had; the text says why."""


def models_of(
    provider: Provider, credential: Credential, env: Mapping[str, str], seconds: float = LIMIT
) -> list[Listed]:
    """What the provider publishes, in its order; a `credential` without a token asks without one.

    Raises `NoListError`, and `ConfigError` for a provider or settings that cannot be used.
    """
    config = known_of(provider, provider.model)
    if not config.models_url:
        raise NoListError(f"{provider.name} has no list of models")
    settings = ServerSettings.load({}, env)

    async def ask() -> list[Listed]:
        upstreams = Upstreams(FixedModels(ModelTable([])), settings)
        try:
            own = credential
            return await published(upstreams, config, own.token, seconds, own.headers, own.base_url)
        finally:
            await upstreams.close()

    try:
        return asyncio.run(ask())
    except (ApiError, wire.WireError) as error:
        told = str(error).replace("`api_base`", "base_url")
        raise NoListError(f"{provider.name} does not tell its models: {told}") from None


def for_conversation(listed: Iterable[Listed]) -> list[Listed]:
    """Without those whose names say that they do other work than to talk."""
    return [model for model in listed if not _OTHER_WORK.search(model.id.lower())]
