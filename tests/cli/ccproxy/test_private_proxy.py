"""The private proxy of a session: started beside it, used by it alone, gone with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.demo.processes import service
from tests.cli.desk import KEY, Desk, processes, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.demo_upstream import Upstream

BODY = {"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
SERVER = "claude_code_proxy.cli.ccproxy.session_server"


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def is_closed(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) != 0


def servers_of(started: dict[str, Any]) -> list[int]:
    return processes(SERVER, f" {started['pid']}")


def test_one_command(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    desk.providers({"demo": upstream.entry()})
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    code, out, err = desk.run("ask", TMPDIR=str(scratch), FAKE_EXIT="7")
    assert (code, err) == (7, "")
    started, message = lines(out)
    assert message["content"] == [{"type": "text", "text": "it works"}]
    assert upstream.received == [("demo", f"Bearer {KEY}")]
    assert started["env"]["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert KEY not in json.dumps(started)
    wait_until(lambda: not servers_of(started), "the proxy is gone")
    assert is_closed(started["env"]["ANTHROPIC_BASE_URL"])
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killing_claude_leaves_nothing(desk: Desk, upstream: Upstream, number: signal.Signals) -> None:
    desk.providers({"demo": upstream.entry()})
    with desk.start("ask", "demo", "wait") as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        process.stdout.readline()
        assert started["pid"] == process.pid
        assert len(servers_of(started)) == 2
        process.send_signal(number)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -number
    wait_until(lambda: not servers_of(started), "the proxy is gone")
    assert is_closed(started["env"]["ANTHROPIC_BASE_URL"])


def test_the_terminals_signals_are_claudes(desk: Desk, upstream: Upstream) -> None:
    """Ctrl-C reaches the whole foreground group: the proxy must not be in it."""
    desk.providers({"demo": upstream.entry()})
    with desk.start("ask", "demo", "wait") as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        process.stdout.readline()
        for server in servers_of(started):
            assert os.getpgid(server) not in (os.getpgid(process.pid), os.getpgid(0))
            os.kill(server, signal.SIGINT)
        assert not is_closed(started["env"]["ANTHROPIC_BASE_URL"])
        process.terminate()
        process.communicate(timeout=60)


def test_claude_that_cannot_run_leaves_nothing(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    (desk.bin / "claude").write_text("#!/nowhere/at/all\n", encoding="utf-8")
    with desk.start() as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, "cannot be run" in err) == (output.NOT_EXECUTABLE, True)
    wait_until(lambda: not processes(SERVER, f" {process.pid}"), "the proxy is gone")


def models_file(desk: Desk, upstream: Upstream) -> str:
    path = desk.home / "models.yaml"
    path.write_text(
        f"- {{model_id: shared, model_name: demo, api_base: '{upstream.url}/v1', context: 99k}}\n",
        encoding="utf-8",
    )
    return str(path)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_local_address_where_nothing_answers(desk: Desk, upstream: Upstream) -> None:
    base_url = f"http://127.0.0.1:{free_port()}"
    desk.providers({"local": {"base_url": base_url + "/v1", "auth_key": KEY, "model": "shared"}})
    code, out, err = desk.run("ask", CLAUDE_CODE_PROXY_MODELS=models_file(desk, upstream))
    assert (code, err) == (0, "")
    started, message = lines(out)
    assert message["content"][0]["text"] == "it works"
    assert started["env"]["ANTHROPIC_BASE_URL"] == base_url
    assert started["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "99000"
    assert upstream.received == [("demo", f"Bearer {KEY}")]
    wait_until(lambda: is_closed(base_url), "the port is closed")
    desk.providers({"local": {"base_url": base_url, "auth_key": KEY, "model": "shard"}})
    code, out, err = desk.run(CLAUDE_CODE_PROXY_MODELS=models_file(desk, upstream))
    assert (code, out) == (output.CONFIG, "")
    assert 'did you mean "shared"?' in err
    code, out, err = desk.run()
    assert (code, out) == (output.CONFIG, "")
    assert f"nothing listens at {base_url} (hint: start the server that should be there" in err


def test_a_local_address_where_a_proxy_answers(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    with service(
        "the proxy", ["serve", "--port=0", "--models", models_file(desk, upstream)], tmp_path / "log"
    ) as url:
        desk.providers({"local": {"base_url": url, "auth_key": KEY, "model": "shared"}})
        code, out, err = desk.run("ask")
        assert (code, err) == (0, "")
        started, message = lines(out)
        assert servers_of(started) == []
    assert message["content"][0]["text"] == "it works"
    assert started["env"]["ANTHROPIC_BASE_URL"] == url
    assert started["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert upstream.received == [("demo", f"Bearer {KEY}")]


@pytest.mark.parametrize("entry", [{"keyless": True}, {"format": "anthropic"}])
def test_a_private_proxy_where_none_is_needed(
    desk: Desk, upstream: Upstream, tmp_path: Path, entry: dict[str, Any]
) -> None:
    """It has the key; with `--direct` Claude Code has."""
    models = models_file(desk, upstream)
    with service("the proxy", ["serve", "--port=0", "--models", models], tmp_path / "log") as url:
        desk.providers({"local": {"base_url": url, "auth_key": "env:MINE", "model": "shared", **entry}})
        code, out, err = desk.run("ask", MINE=KEY, CLAUDE_CODE_PROXY_MODELS=models)
        assert (code, err) == (0, "")
        started, message = lines(out)
        assert message["content"][0]["text"] == "it works"
        assert started["env"]["ANTHROPIC_BASE_URL"] != url
        assert started["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "99000"
        assert KEY not in json.dumps(started)
        assert "MINE" not in started["env"]
        started, message = lines(desk.run("--direct", "ask", MINE=KEY)[1])
        assert (started["env"]["ANTHROPIC_BASE_URL"], started["env"]["MINE"]) == (url, KEY)
        assert message["content"][0]["text"] == "it works"
    assert upstream.received == [("demo", f"Bearer {KEY}")] * 2


def test_others_are_refused(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    with desk.start("wait") as process:
        assert process.stdout is not None
        env = json.loads(process.stdout.readline())["env"]
        for token in ("", KEY, env["ANTHROPIC_AUTH_TOKEN"][:-1]):
            url, body = f"{env['ANTHROPIC_BASE_URL']}/v1/messages", json.dumps(BODY).encode()
            request = urllib.request.Request(url, body, {"authorization": f"Bearer {token}"})
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=20)
            caught.value.close()
            assert caught.value.code == 401
        process.terminate()
        process.communicate(timeout=60)
    assert upstream.received == []


def test_each_session_has_a_token_of_its_own(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    tokens = {lines(desk.run()[1])[0]["env"]["ANTHROPIC_AUTH_TOKEN"] for _ in range(2)}
    assert len(tokens) == 2
    assert min(map(len, tokens)) > 40


def test_only_the_models_own_address_gets_the_key(desk: Desk, upstream: Upstream) -> None:
    """Of the others in models.yaml nobody knows whose they are."""
    models = models_file(desk, upstream)
    with (desk.home / "models.yaml").open("a", encoding="utf-8") as file:
        file.write("- {model_id: foreign, api_base: 'http://127.0.0.1:9'}\n")
    base_url = f"http://127.0.0.1:{free_port()}"
    desk.providers({"local": {"base_url": base_url, "auth_key": KEY, "model": "shared"}})
    _, out, _ = desk.run("ask", "shared", "foreign", CLAUDE_CODE_PROXY_MODELS=models)
    _, message, refused = lines(out)
    assert message["content"][0]["text"] == "it works"
    assert refused["error"]["type"] == "authentication_error"


def test_a_proxy_of_another_session_is_left_to_that(desk: Desk, upstream: Upstream) -> None:
    base_url = f"http://127.0.0.1:{free_port()}"
    models = models_file(desk, upstream)
    desk.providers({"local": {"base_url": base_url, "auth_key": KEY, "model": "shared"}})
    with desk.start("ask", "shared", "wait", CLAUDE_CODE_PROXY_MODELS=models) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["env"]["ANTHROPIC_BASE_URL"] == base_url
        process.stdout.readline()
        code, out, err = desk.run("ask", CLAUDE_CODE_PROXY_MODELS=models)
        process.terminate()
        process.communicate(timeout=60)
    assert (code, err) == (0, "")
    started, message = lines(out)
    assert message["content"][0]["text"] == "it works"
    assert started["env"]["ANTHROPIC_BASE_URL"] != base_url


def test_what_models_yaml_knows_of_the_model(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry(max_tokens=5000)})
    started = lines(desk.run(CLAUDE_CODE_PROXY_MODELS=models_file(desk, upstream))[1])[0]
    assert started["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "99000"
    assert started["env"]["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "5000"


def test_the_log_goes_where_it_is_asked_for(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    desk.providers({"demo": upstream.entry()})
    log = tmp_path / "proxy.log"
    code, out, _ = desk.run("ask", CCPROXY_LOG=str(log))
    assert code == 0
    wait_until(lambda: not servers_of(lines(out)[0]), "the proxy is gone")
    assert " demo 200 " in log.read_text(encoding="utf-8")
    assert KEY not in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_dry_run_starts_nothing(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    code, out, err = desk.run("--dry-run")
    assert (code, err) == (0, "")
    assert "# a private proxy at http://127.0.0.1:FREE-PORT, for this session only" in out
    assert KEY not in out
    assert "export ANTHROPIC_AUTH_TOKEN=(hidden)" in out
    code, out, err = desk.run("--direct")
    assert (code, out) == (output.USAGE, "")
    assert "--direct: demo needs a proxy in between" in err
