"""A server of models on the same machine: its absence is said at once, not after minutes of retries."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from tests.cli.ccproxy.test_private_proxy import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.mark.parametrize(
    ("profile", "path", "told", "window"),
    [
        ("ollama", "/api/ps", {"models": [{"name": "x", "context_length": 9}, {"name": "m:latest", "context_length": 65536}]}, "65536"),
        ("ollama", "/api/ps", {"models": []}, None),
        ("ollama", "/api/show", {"model_info": {"qwen3.context_length": 131072, "x": 1}}, "131072"),
        ("ollama", "/api/show", {"parameters": "stop x\nnum_ctx    65536", "model_info": {"a.context_length": 9}}, "65536"),
        ("ollama", "/api/show", {"parameters": "num_ctx many", "model_info": [1]}, None),
        ("lmstudio", "/api/v0/models", {"data": [{"id": "m", "max_context_length": 9, "loaded_context_length": 98304}]}, "98304"),
        ("llamacpp", "/props", {"default_generation_settings": {"n_ctx": 131072}}, "131072"),
        ("vllm", "/v1/models", {"data": [{"id": "m", "max_model_len": 81920}]}, "81920"),
        ("ollama", "/api/ps", [1], None),
    ],
)  # fmt: skip
def test_the_window_is_what_the_model_was_loaded_with(
    desk: Desk, profile: str, path: str, told: Any, window: str | None
) -> None:
    answers = {"/v1/models": {"data": [{"id": "m"}]}, path: told}
    with server_of(answers) as url:
        desk.providers({"mine": {"base_url": f"{url}/v1", "model": "m", "profile": profile}})
        code, out, err = desk.run()
        assert (code, err) == (0, "")
        assert json.loads(out)["env"].get("CLAUDE_CODE_MAX_CONTEXT_TOKENS") == window
        desk.providers(
            {"mine": {"base_url": f"{url}/v1", "model": "m", "profile": profile, "context": "100k"}}
        )
        assert desk.claude()["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "100000"


@contextmanager
def server_of(answers: dict[str, Any]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert question == {"model": "m"}
            self.do_GET()

        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path, {})).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
