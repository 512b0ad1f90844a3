"""The server as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_code_proxy.config.models_yaml.models_file import ModelsFile
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.serve import serve
from claude_code_proxy.server.upstream.upstreams import Upstreams

START = """
import sys
from pathlib import Path
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.serve import serve
if __name__ == "__main__":
    sys.exit(serve(ServerSettings(models=Path(sys.argv[1]), port=0, workers=int(sys.argv[2]), drain_timeout=2)))
"""


@contextmanager
def served(
    folder: Path, workers: int = 1, *, more: str = "", **popen: Any
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server with two seconds to drain; `more` settings as Python writes them."""
    models = folder / "models.yaml"
    models.write_text("- {model_id: m, api_base: 'http://127.0.0.1:1'}\n")
    script = folder / "start.py"
    script.write_text(START.replace("drain_timeout=2", f"drain_timeout=2, {more}"))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(script), str(models), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **popen,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"claude-code-proxy listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found is not None, (line, process.poll())
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def get(url: str) -> Any:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return json.loads(response.read())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_listens_answers_and_ends(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with served(tmp_path) as (process, base):
        assert get(f"{base}/health") == {"status": "ok", "models": 1}
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert "GET /health - 200" in errors
    assert f"1 models of {tmp_path / 'models.yaml'}; Claude Code connects with:" in errors
    assert re.search(r"what happens is shown at http://127\.0\.0\.1:\d+/ui\n", errors)
    assert f"ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN=KEY ANTHROPIC_MODEL=m claude" in errors


@pytest.mark.parametrize(
    ("name", "status"),
    [("claude-opus-9-9", 200), ("anthropic/Claude-x[1m]", 200), ("m", 200), ("claudette", 404), ("gpt", 404)],
)
def test_names_of_claude_models_reach_the_default_model(tmp_path: Path, name: str, status: int) -> None:
    """An old client that knows no other names needs no variable but the address."""
    models = tmp_path / "models.yaml"
    models.write_text("- {model_id: m, api_base: 'http://127.0.0.1:1'}\n")
    settings = ServerSettings(models=models, default_model="m")
    upstreams = Upstreams(ModelsFile(models, print), settings)
    if status == 200:
        assert upstreams.resolve(name).model_id == "m"
    else:
        with pytest.raises(ApiError) as caught:
            upstreams.resolve(name)
        assert caught.value.status == status


def test_a_default_model_must_be_there(tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("- {model_id: demo, api_base: 'http://127.0.0.1:1'}\n")
    with pytest.raises(ConfigError, match=r"--default-model: demmo is not in .*models.yaml \(hint: demo\)"):
        serve(ServerSettings(models=models, default_model="demmo"))


def test_a_bad_capture_folder_is_said_before_the_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("- {model_id: demo, api_base: 'http://127.0.0.1:1'}\n")
    with pytest.raises(ConfigError, match=r"--capture: .*models\.yaml/x: Not a directory"):
        serve(ServerSettings(models=models, port=0, capture=models / "x"))
    assert capsys.readouterr().out == ""


def test_several_workers_share_the_port(tmp_path: Path) -> None:
    with served(tmp_path, workers=2) as (process, base):
        assert get(f"{base}/health")["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "GET /health - 200" in errors


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with served(tmp_path) as (_, base):
        port = base.rpartition(":")[2]
        script = tmp_path / "start.py"
        script.write_text(START.replace("port=0", f"port={port}"))
        ended = subprocess.run(
            [sys.executable, str(script), str(tmp_path / "models.yaml"), "1"],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr
    assert "another port: --port" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
@pytest.mark.parametrize("where", ["full disk", "nobody reads"])
def test_it_serves_although_its_first_line_goes_nowhere(tmp_path: Path, where: str) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("- {model_id: m, api_base: 'http://127.0.0.1:1'}\n")
    reading, writing = os.pipe()
    os.close(reading)
    if where == "full disk":
        os.close(writing)
        writing = os.open("/dev/full", os.O_WRONLY)
    program = "from claude_code_proxy.cli.server_command.main import run; import sys; sys.exit(run())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port", "0", "--models", str(models)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    try:
        assert process.stderr is not None
        said = ""
        while "ANTHROPIC_BASE_URL" not in said:
            said = process.stderr.readline()
            assert said, "it ended"
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found is not None
        assert get(f"{found[0]}/health")["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
