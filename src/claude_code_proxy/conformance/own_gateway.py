"""Our own proxy as the gateway under test, and the configuration that points any gateway at the suite."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

SILENCE = 3
"""Seconds of upstream silence after which the printed configurations tell a gateway to give up."""

_START_LIMIT = 30.0
_STOP_LIMIT = 10.0
_LISTENING = re.compile(r"listening on (http://\S+)")


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


class GatewayError(Exception):
    """The proxy did not come up; the text says why."""


@contextlib.asynccontextmanager
async def own_proxy(upstream: str, model: str) -> AsyncIterator[str]:
    """Run claude-code-proxy with `model` at `upstream`; yields its base URL. Raises `GatewayError`."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        process = await asyncio.to_thread(_start, Path(folder), models_yaml(upstream, model))
        try:
            yield await asyncio.to_thread(_address, process, Path(folder, "log"))
        finally:
            await asyncio.to_thread(_stop, process)


def _start(folder: Path, models: str) -> subprocess.Popen[bytes]:
    file = folder / "models.yaml"
    file.write_text(models, "utf-8")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-P", "-m", "claude_code_proxy", "serve"),
                *("--port", "0", "--models", str(file), "--drain-timeout", "1"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        if match := _LISTENING.search(log.read_text(errors="replace")):
            return match[1]
        time.sleep(0.05)
    raise GatewayError(f"the proxy did not come up:\n{log.read_text(errors='replace').strip()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
