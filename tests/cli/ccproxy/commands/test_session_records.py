"""`ccproxy logs|usage`: what a session did is there to read afterwards, without asking for it before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.session_logs import KEPT
from tests.cli.ccproxy.test_private_proxy import servers_of
from tests.cli.desk import KEY, Desk, wait_until

if TYPE_CHECKING:
    from tests.cli.demo_upstream import Upstream


def session(desk: Desk, *models: str) -> None:
    code, out, _ = desk.run("ask", *models)
    assert code == 0
    wait_until(lambda: not servers_of(json.loads(out.splitlines()[0])), "the proxy is gone")


def test_the_log_of_a_session_is_kept(desk: Desk, upstream: Upstream) -> None:
    code, out, err = desk.run("logs")
    assert (code, out, "no session has had a private proxy so far" in err) == (0, "", True)
    assert desk.run("usage")[:2] == (0, "")
    desk.providers({"demo": upstream.entry()})
    session(desk, "demo", "no-such-model")
    folder = desk.home / ".local" / "state" / "claude-code-proxy" / "sessions"
    (log,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, log.stat().st_mode & 0o777) == (0o700, 0o600)
    code, out, err = desk.run("logs")
    assert (code, str(log) in err) == (0, True)
    assert " demo 200 " in out
    assert " no-such-model 404 " in out
    assert KEY not in out
    assert desk.run("logs", "-n", "1")[1].count("\n") == 1
    assert desk.run("logs", "--list")[1].startswith(f"{log}  ")
    session(desk, "demo", "demo")
    rows = {row["name"]: row for row in json.loads(desk.run("usage", "--by", "model", "--json")[1])}
    assert rows["demo"]["requests"] == 3
    assert rows["demo"]["input"] + rows["demo"]["cache_read"] > rows["demo"]["output"] > 0
    assert "demo" in desk.run("usage", "--by=model", "--since", "7d")[1]
    assert desk.run("usage", CLAUDE_CODE_PROXY_USAGE_FILE="no")[0] == output.CONFIG


def test_other_places(desk: Desk, upstream: Upstream) -> None:
    desk.providers({"demo": upstream.entry()})
    desk.env["XDG_STATE_HOME"] = str(desk.home / "state")
    session(desk, "demo")
    assert len(list((desk.home / "state" / "claude-code-proxy" / "sessions").iterdir())) == 1
    assert (desk.home / "state" / "claude-code-proxy" / "usage.sqlite3").exists()
    desk.env["XDG_STATE_HOME"] = "/proc/none"
    session(desk, "demo")  # nowhere to write is no reason not to start


def test_the_logs_are_bounded(desk: Desk, upstream: Upstream) -> None:
    folder = desk.home / ".local" / "state" / "claude-code-proxy" / "sessions"
    folder.mkdir(parents=True)
    for number in range(KEPT + 5):
        (folder / f"20250101-0000{number:02}-1.log").touch()
        (folder / f"20250101-0000{number:02}-1.log.1").touch()
    desk.providers({"demo": upstream.entry()})
    session(desk, "demo")
    names = sorted(path.name for path in folder.iterdir())
    assert len([name for name in names if name.endswith(".log")]) == KEPT
    assert names[0] == "20250101-000006-1.log"


def test_wrong_usage(desk: Desk) -> None:
    assert desk.run("logs", "-n", "few")[0] == output.USAGE
    assert "ccproxy -- logs ID" in desk.run("logs", "1234")[2]
    assert desk.run("usage", "today")[0] == output.USAGE
    assert desk.run("usage", "--by", "planet")[0] == output.USAGE


def test_the_pages_of_running_sessions(desk: Desk, upstream: Upstream) -> None:
    code, out, err = desk.run("ui")
    assert (code, out, "no session with a private proxy runs" in err) == (0, "", True)
    assert desk.run("ui", "x")[0] == output.USAGE
    desk.providers({"demo": upstream.entry()})
    with desk.start("wait") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["env"]["ANTHROPIC_BASE_URL"]
        wait_until(lambda: desk.run("ui")[1] == f"{url}/ui\n", "the page's address is told")
        process.terminate()
        process.communicate(timeout=60)
    wait_until(lambda: desk.run("ui")[1] == "", "it is gone")
