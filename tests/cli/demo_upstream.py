"""The demo provider in this process, and the cc-proxy.json entries that lead to it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from claude_code_proxy.demo.provider import Provider
from tests.cli.desk import KEY
from tests.serving import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator


class Upstream:
    """A provider and what it received."""

    def __init__(self, provider: Provider, url: str) -> None:
        self.provider = provider
        self.url = url

    @property
    def received(self) -> list[tuple[str, str]]:
        """The model and the Authorization header of each request."""
        return [
            (request.body["model"], request.headers["authorization"])
            for request in self.provider.requests
            if isinstance(request.body, dict)
        ]

    def entry(self, **changes: Any) -> dict[str, Any]:
        return {"base_url": f"{self.url}/v1", "auth_key": KEY, "model": "demo", **changes}


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    provider = Provider()
    with serve_in_thread(provider) as url:
        yield Upstream(provider, url)
