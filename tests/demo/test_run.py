"""`claude-code-proxy demo` as a user runs it: real processes, real HTTP, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = subprocess.Popen[str]
    Start = Callable[..., Run]

LIMIT = 60


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    path = f"{tmp_path}:/usr/bin:/bin"
    own = {"PORT": "1", "LOG_LEVEL": "nonsense", "CCPROXY_PROVIDER": "mine", "ANTHROPIC_MODEL": "mine"}
    return {"PATH": path, "HOME": str(tmp_path), "TMPDIR": str(scratch), **own}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts demos, and ends them however the test went."""
    with contextlib.ExitStack() as started:

        def run(*arguments: str) -> Run:
            process = subprocess.Popen(
                [sys.executable, "-m", "claude_code_proxy", "demo", *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.callback(end, process)
            return process

        yield run


def end(process: Run) -> None:
    """Asks first: a demo that is killed cannot stop what it started."""
    for stop in (process.terminate, process.kill):
        if process.poll() is None:
            stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LIMIT)
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


def addresses(output: str) -> list[str]:
    return re.findall(r"(?:provider|proxy) +(http://\S+)", output)


def assert_nothing_left(output: str, environment: dict[str, str]) -> None:
    assert len(addresses(output)) == 2
    for url in addresses(output):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5)
    assert os.listdir(environment["TMPDIR"]) == []  # noqa: PTH208 - the names are what matters


def test_conversation_with_the_builtin_client(start: Start, environment: dict[str, str]) -> None:
    process = start("--client", "builtin", "--delay", "0")
    output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output + errors
    assert 'tool    list_files {"path":"."}' in output
    assert "result  hello.txt" in output
    assert "model   list_files returned:\n        hello.txt" in output
    assert "model   1 2 3" in output
    assert (
        len(re.findall(r"^usage +[1-9]\d* tokens in \(\d+ cached\), [1-9]\d* out$", output, re.MULTILINE))
        == 3
    )
    assert errors == ""
    assert_nothing_left(output, environment)


def test_claude_that_fails_gives_way(start: Start, environment: dict[str, str], tmp_path: Path) -> None:
    fake = tmp_path / "claude"
    fake.write_text("#!/bin/sh\necho no luck >&2\nexit 3\n")
    fake.chmod(0o755)
    process = start("--delay", "0")
    output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output + errors
    assert re.search(r"Claude Code did not do it \(exit code 3: .*no luck\)", output, re.DOTALL)
    assert "result  hello.txt" in output
    assert_nothing_left(output, environment)


CLAUDE = r"""#!/bin/sh
cat <<'END'
no JSON
{"type":"system"}
{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"Wait."}}}
{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"ls -l"}}]}}
{"type":"user","message":{"content":[{"type":"tool_result","content":"hello.txt"}]}}
{"type":"result","is_error":false,"usage":{"input_tokens":2,"output_tokens":1}}
END
echo "$HOME $CLAUDE_CONFIG_DIR $ANTHROPIC_BASE_URL $ANTHROPIC_MODEL" > "$(dirname "$0")/environment"
"""


def test_claude_is_shown_and_has_a_home_of_its_own(
    start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    fake = tmp_path / "claude"
    fake.write_text(CLAUDE)
    fake.chmod(0o755)
    process = start("--delay", "0")
    output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output + errors
    for line in (
        "model   Wait.",
        'tool    Bash {"command":"ls -l"}',
        "result  hello.txt",
        "usage   2 tokens in",
    ):
        assert line in output
    home, config, base_url, model = (tmp_path / "environment").read_text().split()
    assert home.startswith(environment["TMPDIR"])
    assert config == f"{home}/.claude"
    assert [base_url, model] == [addresses(output)[1], "demo-reason"]
    assert_nothing_left(output, environment)


def read_until(process: Run, text: str) -> str:
    assert process.stdout is not None
    output = ""
    while text not in output:
        line = process.stdout.readline()
        assert line, f"the demo ended early: {output}"
        output += line
    return output


@pytest.mark.parametrize(
    ("kind", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)], ids=["int", "term"]
)
def test_keep_until_a_signal(start: Start, environment: dict[str, str], kind: int, code: int) -> None:
    kept = start("--keep", "--client", "builtin", "--delay", "0")
    output = read_until(kept, "Try:")
    assert "ccproxy -C " in output
    for url in addresses(output):
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5).close()
    time.sleep(0.1)  # the signal should find it waiting
    kept.send_signal(kind)
    rest, errors = kept.communicate(timeout=LIMIT)
    assert kept.returncode == code, rest + errors
    assert_nothing_left(output, environment)


def test_a_port_that_is_taken(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (["--provider-only", "--port", port], ["--client", "builtin", "--port", port]):
            process = start(*arguments)
            _, errors = process.communicate(timeout=LIMIT)
            assert process.returncode == 1
            assert errors.startswith("error: ")
            assert "Traceback" not in errors.splitlines()[0]


def test_provider_only_ends_on_a_signal(start: Start) -> None:
    process = start("--provider-only")
    assert re.match(r"demo provider listening on http://127.0.0.1:\d+\n", read_until(process, "\n"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
