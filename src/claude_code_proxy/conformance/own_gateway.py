"""Our own proxy as the gateway under test, and the configuration that points any gateway at the suite."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from claude_code_proxy.demo.processes import service

SILENCE = 3
"""Seconds of upstream silence after which the printed configurations tell a gateway to give up."""


def models_yaml(upstream: str, model: str) -> str:
    """The models.yaml of claude-code-proxy."""
    return (
        f"- model_id: {model}\n"
        f"  api_base: {upstream}\n"
        f"  connect_timeout: {SILENCE}\n"
        f"  first_byte_timeout: {SILENCE}\n"
        f"  idle_timeout: {SILENCE}\n"
    )


def litellm_yaml(upstream: str, model: str) -> str:
    """The config.yaml of LiteLLM, in its mode that speaks Chat Completions to the upstream."""
    return (
        "model_list:\n"
        f"  - model_name: {model}\n"
        "    litellm_params:\n"
        f"      model: openai/{model}\n"
        f"      api_base: {upstream}\n"
        "      api_key: any\n"
        f"      timeout: {SILENCE}\n"
        f"      stream_timeout: {SILENCE}\n"
        "      max_retries: 0\n"
        "litellm_settings:\n"
        "  drop_params: true\n"
        "  num_retries: 0\n"
        "  use_chat_completions_url_for_anthropic_messages: true\n"
        "router_settings:\n"
        "  disable_cooldowns: true\n"  # else one failing behaviour takes the model away from the next
    )


@contextlib.asynccontextmanager
async def own_proxy(upstream: str, model: str) -> AsyncIterator[str]:
    """Run claude-code-proxy with `model` at `upstream`; yields its base URL. Raises `ProcessError`."""
    # threads start it and end it: the upstream answers meanwhile
    running = contextlib.ExitStack()
    try:
        yield await asyncio.to_thread(running.enter_context, _proxy(models_yaml(upstream, model)))
    finally:
        await asyncio.to_thread(running.close)


@contextlib.contextmanager
def _proxy(models: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        file = Path(folder, "models.yaml")
        file.write_text(models, "utf-8")
        arguments = ["serve", "--port", "0", "--models", str(file), "--drain-timeout", "1"]
        with service("the proxy", arguments, Path(folder, "log")) as base_url:
            yield base_url
