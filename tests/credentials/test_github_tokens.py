"""Which GitHub token counts: every place, and their order."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.credentials.github_tokens import Found, find_tokens

if TYPE_CHECKING:
    from pathlib import Path


class Home:
    """A home in which every place has its own token."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.own = path / "own.json"
        self.env = {"HOME": str(path), "PATH": str(path)}
        self.own.write_text(json.dumps({"oauth_token": "gho_own", "client_id": "x"}))
        self.put(
            ".copilot/config.json", {"banner": "x", "copilot_tokens": {"https://github.com:me": "gho_cli"}}
        )
        self.put(
            ".config/github-copilot/apps.json", {"github.com:Iv1.x": {"user": "me", "oauth_token": "ghu_app"}}
        )
        self.put(".config/github-copilot/hosts.json", {"github.com": {"oauth_token": "gho_host"}})
        gh = path / "gh"
        gh.write_text('#!/bin/sh\n[ "$1 $2" = "auth token" ] && echo gho_gh\n')
        gh.chmod(0o700)

    def put(self, name: str, value: object) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(json.dumps(value))

    def tokens(self) -> list[str]:
        return [found.token for found in find_tokens(self.env, self.own)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as if it were not installed
    return Home(tmp_path)


def test_the_order(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = SimpleNamespace(password="gho_keyring")
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=lambda *_: entry))
    home.env |= {"GITHUB_TOKEN": "gho_3", "GH_TOKEN": " github_pat_2\n", "COPILOT_GITHUB_TOKEN": "ghu_1"}
    assert home.tokens() == [
        "gho_own",
        "ghu_1",
        "github_pat_2",
        "gho_3",
        "gho_keyring",
        "gho_cli",
        "gho_gh",
        "ghu_app",
        "gho_host",
    ]


def test_tokens_without_copilot_are_passed_over(home: Home) -> None:
    home.env |= {"GITHUB_TOKEN": "ghp_classic", "GH_TOKEN": "ghs_actions"}
    home.own.unlink()
    assert home.tokens()[0] == "gho_cli"


def test_the_newer_shape_of_the_file(home: Home) -> None:
    home.own.unlink()
    home.put(".copilot/config.json", {"copilotTokens": [{"host": "https://github.com", "token": "gho_new"}]})
    assert home.tokens()[0] == "gho_new"


@pytest.mark.parametrize("text", ["", "{", "[" * 10_000, "null", '"ghp_x"', "\udcff"])
def test_files_that_cannot_be_read_have_none(home: Home, text: str) -> None:
    home.own.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "gho_own" not in home.tokens()


@pytest.mark.parametrize("script", ["exit 1", "echo", "echo ghp_x", "printf '\\377'"])
def test_gh_without_a_login(home: Home, script: str) -> None:
    (home.path / "gh").write_text(f"#!/bin/sh\n{script}\n")
    assert home.tokens() == ["gho_own", "gho_cli", "ghu_app", "gho_host"]
    (home.path / "gh").unlink()
    assert home.tokens() == ["gho_own", "gho_cli", "ghu_app", "gho_host"]


def test_a_keyring_that_fails_is_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise RuntimeError("locked")

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=locked))
    assert "gho_gh" in home.tokens()


def test_a_place_is_shown_and_no_token() -> None:
    assert repr(Found("gho_planted", "GH_TOKEN")) == "Found(GH_TOKEN)"
