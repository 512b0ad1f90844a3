"""A server of models on the same machine: its absence is said at once, not after minutes of retries."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli import output
from tests.cli.ccproxy.test_private_proxy import free_port

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream
    from tests.cli.desk import Desk


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("ollama", "Ollama is not running at http://127.0.0.1:{}: ollama serve"),
        ("lmstudio", "LM Studio is not running at http://127.0.0.1:{}: lms server start"),
        ("vllm", "vLLM is not running at http://127.0.0.1:{}: vllm serve MODEL"),
    ],
)
def test_it_does_not_run(desk: Desk, profile: str, says: str) -> None:
    port = free_port()
    desk.providers({"mine": {"base_url": f"http://127.0.0.1:{port}/v1", "model": "m", "profile": profile}})
    began = time.monotonic()
    code, out, err = desk.run()
    assert (code, out, err) == (output.FAILURE, "", f"error: {says.format(port)}\n")
    assert time.monotonic() - began < 10


def test_it_accepts_and_never_answers(desk: Desk) -> None:
    """A hung server costs two seconds, and the session starts: it may only be loading a model."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        desk.providers({"mine": {"base_url": url, "model": "m", "profile": "ollama"}})
        assert desk.run()[0] == 0


def test_the_model_is_not_installed(desk: Desk, upstream: Upstream) -> None:
    entry = {"base_url": f"{upstream.url}/v1", "model": "qwen", "profile": "ollama"}
    desk.providers({"mine": entry})
    code, _, err = desk.run()
    assert (code, 'Ollama has no model "qwen"; it has demo, demo-reason' in err) == (0, True)
    upstream.provider.models = [{"id": "qwen:latest"}]
    assert desk.run()[2] == ""


def test_a_fallback_is_reason_enough_to_start(desk: Desk, upstream: Upstream) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    own = {"base_url": url, "model": "m", "profile": "ollama", "fallback": ["cloud/demo"], "default": True}
    desk.providers({"mine": own, "cloud": upstream.entry()})
    code, out, err = desk.run("ask")
    assert (code, "warning: Ollama is not running" in err, "it works" in out) == (0, True, True)


def test_an_unknown_port_is_not_taken_for_a_missing_models_file(desk: Desk) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    desk.providers({"mine": {"base_url": url, "model": "m"}})
    code, _, err = desk.run()
    assert (code, f"nothing listens at {url}" in err, "models.yaml" in err) == (output.CONFIG, True, False)
