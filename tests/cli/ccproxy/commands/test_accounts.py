"""`ccproxy login`, `logout` and `accounts`."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.cli import output
from claude_code_proxy.cli.ccproxy.arguments import Command
from claude_code_proxy.cli.ccproxy.commands import accounts
from claude_code_proxy.config.cc_proxy_json.offered_models import offered_file, read_offered
from claude_code_proxy.core.providers import PRESETS
from claude_code_proxy.credentials.copilot_login import CopilotLogin
from tests.credentials.issuers import Answer, Asked, Issuer, jwt

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.desk import Desk

OPENAI = "https://api.openai.com/auth"


def codex_is_logged_in(desk: Desk, life: float = 3600) -> None:
    now = time.time()
    tokens = {
        "access_token": jwt(exp=now + life, planted="secret"),
        "refresh_token": "planted-refresh",
        "id_token": jwt(email="me@example.org", **{OPENAI: {"chatgpt_plan_type": "plus"}}),
        "account_id": "acc-1",
    }
    path = desk.home / ".codex" / "auth.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"tokens": tokens}))


def test_codex(desk: Desk) -> None:
    code, out, err = desk.run("login", "codex")
    assert (code, out) == (output.FAILURE, "")
    assert "OpenAI tolerates" in err
    assert "error: Codex is not logged in" in err
    assert "hint: codex login" in err
    codex_is_logged_in(desk)
    code, out, err = desk.run("login", "codex")
    assert code == output.OK
    assert out.startswith("codex: me@example.org, by ")
    assert "UTC and renewed (plan plus)" in out
    assert "next: ccproxy add codex" in err
    desk.providers(
        {
            "chatgpt": {
                "base_url": "https://chatgpt.com/backend-api/codex",
                "auth_key": "login:codex",
                "model": "m",
            }
        }
    )
    assert "next:" not in desk.run("login", "codex")[2]
    assert "codex logout" in desk.run("logout", "codex")[1]


def test_the_accounts(desk: Desk) -> None:
    codex_is_logged_in(desk)
    desk.providers(
        {
            "chatgpt": {
                "base_url": "https://chatgpt.com/backend-api/codex",
                "auth_key": "login:codex",
                "model": "m",
            }
        }
    )
    code, out, _ = desk.run("accounts", PATH=str(desk.bin))
    assert code == output.OK
    lines = out.splitlines()
    assert lines[1].split()[:3] == ["*", "codex", "me@example.org"]
    assert ", renewed" in lines[1]
    assert "there is no GitHub login for Copilot" in lines[2]
    found = json.loads(desk.run("accounts", "--json", PATH=str(desk.bin))[1])
    assert [row["name"] for row in found["accounts"]] == ["codex", "copilot"]
    assert found["accounts"][0]["told"] == "plan plus"
    assert found["accounts"][1]["fix"].startswith("gh auth login")
    assert "planted" not in out + json.dumps(found)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["login"], "login takes one name: codex, copilot"),
        (["login", "claude"], "Anthropic allows a Claude subscription in its own programs only"),
        (["login", "gemini"], "Google allows"),
        (["login", "x"], "there are codex, copilot"),
        (["logout", "a", "b"], "logout takes one name"),
        (["accounts", "x"], "accounts takes --json only"),
    ],
)
def test_wrong_usage(desk: Desk, arguments: list[str], says: str) -> None:
    code, _, err = desk.run(*arguments)
    assert (code, says in err) == (output.USAGE, True)


class GitHub(Issuer):
    """github.com, its API and Copilot in one."""

    def __init__(self) -> None:
        super().__init__(self.respond)
        self.models: Answer = (
            200,
            {"data": [{"id": "claude-x", "supported_endpoints": ["/v1/messages"]}, {"id": "gpt-x"}]},
        )

    def respond(self, asked: Asked) -> Answer:
        paths: dict[str, Any] = {
            "/login/device/code": {
                "device_code": "d",
                "user_code": "AB-12",
                "verification_uri": "https://github.com/login/device",
            },
            "/login/oauth/access_token": {"access_token": "gho_planted"},
            "/copilot_internal/user": {"login": "octocat", "copilot_plan": "pro"},
        }
        return self.models if asked.path == "/models" else (200, paths[asked.path])


def test_copilot_by_a_device_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list of models says which format each speaks, and is kept for the sessions."""
    env = {"HOME": str(tmp_path), "PATH": ""}
    config = tmp_path / "cc-proxy.json"
    monkeypatch.setitem(sys.modules, "keyring", None)
    with GitHub() as github:

        def made(name: str, env: Any) -> CopilotLogin:
            assert name == "copilot"
            return CopilotLogin(env, github=github.url, api=github.url, sleep=lambda _: None)

        monkeypatch.setattr(accounts, "make_login", made)
        presets = {"copilot": replace(PRESETS["copilot"], api_base=github.url)}
        monkeypatch.setattr(accounts, "PRESETS", presets)
        alone = Command("login", ["copilot"], None, config, env)
        assert accounts.log_in(alone._replace(arguments=["copilot", "--client-id", "Iv1.mine"])) == output.OK
        told = capsys.readouterr()
        assert "GitHub supports Copilot in its own programs" in told.err
        assert "open https://github.com/login/device and enter AB-12" in told.err
        assert told.out.startswith("copilot: octocat, by ")
        assert github.asked[-1].headers["authorization"] == "Bearer gho_planted"
        offered = offered_file(env, "copilot")
        assert read_offered(offered) == {"claude-x": {"format": "anthropic"}}
        github.models = (401, {"error": "unauthorized"})
        assert accounts.log_in(alone) == output.FAILURE
        assert "refuses the token" in capsys.readouterr().err
        assert accounts.log_out(alone) == output.OK
        assert "forgotten here" in capsys.readouterr().out
        assert not offered.exists()
