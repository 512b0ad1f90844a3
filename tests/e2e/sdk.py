"""What the tests with the official SDKs share: the provider, the proxy before it, and how to ask."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claude_code_proxy.demo.provider import Provider
from tests.e2e.gateway import gateway
from tests.serving import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-sdk-0123456789"


@dataclass
class Setup:
    """A proxy at `url`, and the provider behind it, in this process."""

    url: str
    provider: Provider


@contextmanager
def proxied_provider(folder: Path) -> Iterator[Setup]:
    """Run both; the models' addresses are spelt in all the ways that people spell them."""
    provider = Provider()
    with serve_in_thread(provider) as base:
        models = [
            {"model_id": "demo", "api_base": base, "context": "200k", "max_tokens": "32k"},
            {
                "model_id": "demo-strict-reason",
                "api_base": f"{base}/v1",
                "reasoning_replay": "reasoning_content",
            },
            {"model_id": "demo-reason", "api_base": base, "reasoning_replay": "reasoning_content"},
            {"model_id": "demo-small-8k", "api_base": f"{base}/v1/chat/completions"},
            {"model_id": "no-such-model", "api_base": f"{base}/v1/"},
        ]
        with gateway(folder, models, "--max-body-bytes", "1MiB", "--max-retries", "0") as running:
            yield Setup(running.url, provider)


def ask(text: str, model: str = "demo", **more: Any) -> dict[str, Any]:
    """The arguments of a request."""
    return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}], **more}


def text_of(message: Any) -> str:
    """The text of a message."""
    return "".join(block.text for block in message.content if block.type == "text")
