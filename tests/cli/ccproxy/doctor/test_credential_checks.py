"""What `ccproxy doctor` says of each source of keys."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, WARN, State
from claude_code_proxy.cli.ccproxy.doctor.credential_checks import check_credential
from claude_code_proxy.config.cc_proxy_json.key_sources import NO_KEY, KeySource
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.credentials.source import Credential
from tests.credentials.issuers import jwt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.desk import Desk


def provider(kind: str, value: str = "x") -> Provider:
    return Provider(name="p", base_url="https://x.example", key=KeySource(kind, value), model="m")


@pytest.mark.parametrize(
    ("kind", "left", "state", "detail"),
    [
        ("env", None, OK, "p: env:x, not renewed"),
        ("plain", None, OK, "p: in the file, not renewed"),
        ("cmd", None, OK, "p: cmd:x, run again after a refusal"),
        ("cmd", 10_000, OK, "p: cmd:x, good for 3 h, run again in time"),
        ("keyring", None, OK, "p: keyring:x, read again after a refusal"),
        ("login", 5 * 86_400, OK, "p: login:x, good for 5 d, renewed in time"),
        ("env", 14_400, OK, "p: env:x, good for 4 h, not renewed"),
        ("env", 300, WARN, "p: env:x, good for 5 min"),
        ("env", -3000, FAIL, "p: env:x, it ended 50 min ago"),
    ],
)
@pytest.mark.parametrize("by_itself", [True, False])
def test_what_is_said(kind: str, left: float | None, state: State, detail: str, *, by_itself: bool) -> None:
    """By when the source says that a key ends, or else the key itself, which renews nothing in time."""
    end = None if left is None else time.time() + left
    credential = Credential(jwt(exp=end)) if by_itself else Credential("k", end)
    check = check_credential(provider(kind), credential, {}, offline=True)
    expected = detail.replace("in time", "after a refusal") if by_itself else detail
    assert (check.name, check.state, check.detail) == ("key", state, expected)
    assert bool(check.fix) == (state != OK)


def test_none_is_needed() -> None:
    own = Provider(name="p", base_url="http://localhost:1", key=NO_KEY, model="m")
    assert check_credential(own, Credential("no-key"), {}, offline=False).detail == "p: none"


def test_the_age_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k")
    os.utime(path, (time.time() - 3 * 86_400,) * 2)
    check = check_credential(provider("file", str(path)), Credential("k"), {}, offline=True)
    assert check.detail == f"p: file:{path}, written 3 d ago, read again when it changes"


def test_a_login_says_whose_it_is(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    check = check_credential(provider("login", "codex"), Credential("k"), env, offline=False)
    assert (check.state, check.fix.startswith("codex login")) == (FAIL, True)
    path = tmp_path / ".codex" / "auth.json"
    path.parent.mkdir()
    tokens = {"access_token": "opaque", "refresh_token": "r", "id_token": jwt(email="me@x")}
    path.write_text(json.dumps({"tokens": tokens}))
    check = check_credential(provider("login", "codex"), Credential("k"), env, offline=False)
    assert (check.state, check.detail) == (OK, f"p: login:codex, me@x, by {path}, renewed after a refusal")
    path.write_text("{")
    check = check_credential(provider("login", "codex"), Credential("k"), env, offline=False)
    assert check.state == WARN


def test_a_helper_of_claude_code(desk: Desk) -> None:
    """Not with a private proxy, which has the key itself."""
    (desk.home / ".claude").mkdir()
    (desk.home / ".claude" / "settings.json").write_text(json.dumps({"apiKeyHelper": "echo x"}))
    out = desk.run("doctor", "--offline", PATH=f"{desk.bin}:/bin:/usr/bin")[1]
    assert "key: deepseek: in the file, not renewed" in out
