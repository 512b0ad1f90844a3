"""The official TypeScript SDK against the proxy and the demo provider."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e import npm, versions
from tests.e2e.sdk import KEY, Setup

if TYPE_CHECKING:
    from claude_code_proxy.demo.provider import Provider

OLDEST_NODE = 18


def test_stream_tool_error_and_models(setup: Setup, provider: Provider, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or _major(node) < OLDEST_NODE:
        npm.missing(f"Node {OLDEST_NODE} or later is not installed")
    modules = npm.install("@anthropic-ai/sdk", versions.TYPESCRIPT_SDK) / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    script = shutil.copy(Path(__file__).with_name("sdk_script.mjs"), tmp_path)
    command = [node, script, setup.url, KEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["stream"]["text"].endswith("19 20")
    assert said["stream"]["pieces"] > 5
    assert said["stream"]["stop_reason"] == "end_turn"
    assert said["stream"]["usage"]["output_tokens"] == 20
    assert said["tool"]["input"]["command"] == "uptime"
    assert said["tool"]["stop_reason"] == "tool_use"
    assert said["tool"]["text"] == "shell returned:\nup 3 days"
    assert said["error"] == {"is_not_found": True, "status": 404, "type": "not_found_error"}
    assert {"demo", "demo-strict-reason"} <= set(said["models"])
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in provider.requests)


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.removeprefix("v").partition(".")[0])
