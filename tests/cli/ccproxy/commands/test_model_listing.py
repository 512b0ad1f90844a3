"""`ccproxy models`: what the provider offers, before anything is written down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from tests.cli.ccproxy.test_private_proxy import free_port

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream
    from tests.cli.desk import Desk


def test_the_list_of_a_provider(desk: Desk, upstream: Upstream) -> None:
    upstream.provider.models = [
        {"id": "qwen/coder", "name": "Qwen Coder", "context_length": 262144},
        {"id": "demo"},
    ]
    desk.providers({"mine": upstream.entry(), "other": upstream.entry(model="qwen/coder")})
    code, out, err = desk.run("models", "mine")
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split() == ["qwen/coder", "256k", "Qwen", "Coder"]
    assert out.splitlines()[2].split() == ["*", "demo", "-"]
    assert "demo" not in desk.run("models", "other", "QWEN")[1]
    assert "mine" not in desk.run("-P", "other", "models")[1]
    found = json.loads(desk.run("models", "mine", "--json")[1])
    assert found["models"][0] == {"id": "qwen/coder", "name": "Qwen Coder", "context": 262144}
    code, _, err = desk.run("models", "mine", "nothing-like-it")
    assert (code, "mine lists 2 models, none with 'nothing-like-it'" in err) == (output.FAILURE, True)


def test_what_goes_wrong(desk: Desk, upstream: Upstream) -> None:
    port = free_port()
    desk.providers({"a": {"base_url": f"http://127.0.0.1:{port}", "model": "m", "profile": "ollama"}})
    code, _, err = desk.run("models", "a")
    assert (code, f"Ollama is not running at http://127.0.0.1:{port}: ollama serve" in err) == (1, True)
    desk.providers({"a": upstream.entry(auth_key="bad")})
    code, _, err = desk.run("models")
    assert (code, "a does not tell its models" in err, "401" in err) == (1, True, True)
    code, _, err = desk.run("models", "grog")
    assert (code, 'there is no provider "grog"' in err) == (output.CONFIG, True)
