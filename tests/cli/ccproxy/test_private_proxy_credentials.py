"""Keys that are renewed within a session, and the login that stands for one."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from claude_code_proxy.cli import output
from tests.credentials.issuers import jwt
from tests.replies import error_reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.demo_upstream import Upstream
    from tests.cli.desk import Desk

REFUSED = error_reply(401, "the token has expired", code="invalid_api_key")


def helper(folder: Path) -> str:
    """A command that prints another key each time, key-1 first."""
    path, count = folder / "helper.sh", folder / "count"
    path.write_text(f"#!/bin/sh\necho x >> {count}\nprintf 'key-%s' $(wc -l < {count})\n")
    path.chmod(0o700)
    return str(path)


def sent(upstream: Upstream) -> list[str]:
    return [key.removeprefix("Bearer ") for _, key in upstream.received]


def ask(desk: Desk, *arguments: str, **env: str) -> str:
    code, out, err = desk.run(*arguments, "ask", PATH=f"{desk.bin}:/bin:/usr/bin", **env)
    assert code == output.OK, err
    return out


def test_a_refused_key_is_told_anew(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    """The launcher ran the command once, for the first request."""
    desk.providers({"demo": upstream.entry(auth_key=f"cmd:{helper(tmp_path)}")})
    upstream.provider.script.queue.append(REFUSED)
    assert "it works" in ask(desk)
    assert sent(upstream) == ["key-1", "key-2"]


def test_a_key_that_ends_at_once(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    desk.providers({"demo": upstream.entry(auth_key=f"cmd:ttl=1s {helper(tmp_path)}")})
    assert "it works" in ask(desk)
    assert sent(upstream)[0] in ("key-1", "key-2")  # by how long the start took


def test_a_command_that_fails_by_then(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    command = f"test -e {tmp_path}/once && exit 3; touch {tmp_path}/once; echo key-1"
    desk.providers({"demo": upstream.entry(auth_key=f"cmd:{command}")})
    upstream.provider.script.queue.append(REFUSED)
    told = ask(desk)
    assert "authentication_error" in told
    assert "it failed with exit code 3 (hint: run it by hand)" in told
    assert sent(upstream) == ["key-1"]


def test_a_key_file_that_was_replaced(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("key-1\n")
    path.chmod(0o600)
    desk.providers({"demo": upstream.entry(auth_key=f"file:{path}")})
    upstream.provider.script.queue.append(REFUSED)
    told = ask(desk)
    assert "the token has expired" in told  # nothing newer is there: the provider's own words
    assert sent(upstream) == ["key-1"]


def test_the_login_of_codex(desk: Desk, upstream: Upstream) -> None:
    now = time.time()
    token = jwt(exp=now + 3600, iat=now)
    path = desk.home / ".codex" / "auth.json"
    path.parent.mkdir()
    tokens = {"access_token": token, "refresh_token": "r", "account_id": "acc-1"}
    path.write_text(json.dumps({"tokens": tokens}))
    entry = upstream.entry(auth_key="login:codex", profile="codex", model="demo")
    desk.providers({"chatgpt": entry})
    assert "it works" in ask(desk)
    (request,) = [one for one in upstream.provider.requests if isinstance(one.body, dict)]
    assert request.headers["authorization"] == f"Bearer {token}"
    assert request.headers["chatgpt-account-id"] == "acc-1"
    assert request.body["stream"] is True


def test_two_providers_of_one_login(desk: Desk, upstream: Upstream, tmp_path: Path) -> None:
    """Their keys differ each time they are told, and are the same all the same."""
    entry = upstream.entry(auth_key=f"cmd:{helper(tmp_path)}")
    desk.providers({"a": entry | {"small_model": "b/demo"}, "b": entry})
    assert "it works" in ask(desk, "-P", "a")


def settings(desk: Desk, **values: Any) -> None:
    path = desk.home / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(json.dumps(values))


def test_a_helper_tells_the_key(desk: Desk, tmp_path: Path) -> None:
    """Where Claude Code must know it: it runs the helper itself, whenever it has to."""
    command = helper(tmp_path)
    settings(desk, apiKeyHelper=command)
    entry = {
        "base_url": "http://127.0.0.1:8082",
        "auth_key": f"cmd:ttl=50m {command}",
        "model": "m",
        "format": "anthropic",
    }
    desk.providers({"own": entry, "other": entry | {"auth_key": "cmd:echo other"}})
    path = f"{desk.bin}:/bin:/usr/bin"
    started = desk.claude("-P", "own", "--direct", PATH=path)
    assert "ANTHROPIC_AUTH_TOKEN" not in started["env"]
    assert "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST" not in started["env"]
    assert "--settings" not in started["argv"]
    assert not (tmp_path / "count").exists()
    assert "# the key comes from the apiKeyHelper of" in desk.run("-P", "own", "--direct", "--dry-run")[1]
    other = desk.claude("-P", "other", "--direct", PATH=path)
    assert other["env"]["ANTHROPIC_AUTH_TOKEN"] == "other"
    assert other["argv"][1] == '{"apiKeyHelper": ""}'
