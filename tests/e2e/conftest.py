"""What the end-to-end tests share."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import anthropic
import pytest

from tests.e2e import npm, versions
from tests.e2e.sdk import KEY, Setup, proxied_provider
from tests.e2e.upstream_checks import check_received
from tests.e2e.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from claude_code_proxy.demo.provider import Provider

_binary = cache(npm.claude_code)


class MakeWorld(Protocol):
    """Makes a world; takes what `world` takes, and the version of Claude Code."""

    def __call__(self, version: str = versions.NEWEST, **parts: Any) -> World: ...


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Worlds that last as long as the test; whatever reached their providers is checked at the end."""
    made: list[World] = []
    with ExitStack() as stack:

        def make(version: str = versions.NEWEST, **parts: Any) -> World:
            folder = tmp_path / f"world{len(made)}"
            made.append(stack.enter_context(world(folder, _binary(version), **parts)))
            return made[-1]

        yield make
        for one in made:
            if not one.native:
                check_received(one)


@pytest.fixture(scope="session")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """The proxy before the demo provider, for all tests with SDKs."""
    with proxied_provider(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture
def provider(setup: Setup) -> Provider:
    """The demo provider without the memory of earlier tests."""
    setup.provider.script.queue.clear()
    setup.provider.requests.clear()
    return setup.provider


@pytest.fixture
def client(setup: Setup, provider: Provider) -> Iterator[anthropic.Anthropic]:
    """The SDK's client."""
    with anthropic.Anthropic(base_url=setup.url, auth_token=KEY, api_key=None, max_retries=0) as connected:
        yield connected
