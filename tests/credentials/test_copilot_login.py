"""GitHub Copilot against a simulator of api.github.com: both kinds of tokens, and what GitHub may say."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy import __version__
from claude_code_proxy.credentials.copilot_login import CopilotLogin
from claude_code_proxy.credentials.renewing import Renewing
from claude_code_proxy.credentials.source import Credential, CredentialError
from tests.credentials.issuers import Answer, Asked, Issuer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_800_000_000.0
BASE = "https://api.individual.githubcopilot.com"
USER = {
    "login": "octocat",
    "copilot_plan": "individual",
    "quota_reset_date": "2027-02-01",
    "endpoints": {"api": BASE},
}
NOT_FOUND = (404, {"message": "Not Found", "documentation_url": "https://docs.github.com", "status": "404"})


class GitHub(Issuer):
    """Exchanges tokens for `tid=1`, `tid=2` ...; its clock is `skew` seconds ahead."""

    def __init__(self) -> None:
        super().__init__(self.respond)
        self.n = 0
        self.skew = 0.0
        self.exchange: Answer | None = None
        self.user: Answer = (200, USER)
        self.device: list[Answer] = []

    def respond(self, asked: Asked) -> Answer:
        if asked.path == "/copilot_internal/user":
            return self.user
        if asked.path == "/login/device/code":
            page = "https://github.com/login/device"
            return 200, {"device_code": "d", "user_code": "U-1", "verification_uri": page, "interval": 0.01}
        if asked.path == "/login/oauth/access_token":
            return self.device.pop(0)
        assert asked.path == "/copilot_internal/v2/token"
        assert asked.headers["authorization"].startswith("token g")
        assert asked.headers["user-agent"] == f"claude-code-proxy/{__version__}"
        assert "editor-version" not in asked.headers
        if self.exchange is not None:
            return self.exchange
        self.n += 1
        token = f"tid={self.n};exp=1;sku=x:mac"
        ends = NOW + self.skew + 1800
        return 200, {"token": token, "expires_at": ends, "refresh_in": 1500, "endpoints": {"api": BASE}}


class Desk:
    def __init__(self, home: Path, github: GitHub) -> None:
        self.github = github
        self.env = {"HOME": str(home), "PATH": ""}
        self.now = NOW
        self.own = home / ".local" / "state" / "claude-code-proxy" / "logins" / "copilot.json"

    def login(self, token: str = "") -> CopilotLogin:
        env = self.env | ({"GH_TOKEN": token} if token else {})
        return CopilotLogin(
            env,
            github=self.github.url,
            api=self.github.url,
            clock=lambda: self.now,
            sleep=lambda _: None,
            seconds=2,
        )


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with GitHub() as github:
        yield Desk(tmp_path, github)


@pytest.mark.parametrize("skew", [-7200, 0, 7200])
async def test_an_editors_token_is_exchanged_and_renewed(desk: Desk, skew: float) -> None:
    """By how long GitHub says it lives, so that the clocks may differ."""
    desk.github.skew = skew
    source = Renewing(desk.login("ghu_1"), clock=lambda: desk.now, pause=0)
    first = await source.current()
    assert (first.token, first.base_url) == ("tid=1;exp=1;sku=x:mac", BASE)
    assert first.expires_at == NOW + 1560
    desk.now += 1500
    await source.current()
    desk.now += 50
    assert (await source.current()).token.startswith("tid=2")
    assert (await source.renew()).token.startswith("tid=3")


@pytest.mark.parametrize("token", ["gho_1", "github_pat_1"])
def test_other_tokens_are_used_as_they_are(desk: Desk, token: str) -> None:
    assert desk.login(token).fetch() == Credential(token, None, {}, BASE)
    assert desk.github.paths == ["/copilot_internal/user"]


@pytest.mark.parametrize("user", [NOT_FOUND, (500, {}), (-1, None), (200, {})])
def test_the_plans_address_is_not_needed(desk: Desk, user: Answer) -> None:
    desk.github.user = user
    assert desk.login("gho_1").fetch() == Credential("gho_1")


@pytest.mark.parametrize(
    "base",
    [
        "http://api.githubcopilot.com",
        "https://githubcopilot.com.evil.example",
        "https://evil.example",
        "https://[::1",
        "https://[x]/",
        "x",
        5,
    ],
)
def test_a_token_goes_to_no_strange_address(desk: Desk, base: Any) -> None:
    desk.github.user = (200, {"endpoints": {"api": base}})
    assert desk.login("gho_1").fetch().base_url == ""


def test_a_token_that_is_refused_as_it_is_gets_exchanged(desk: Desk) -> None:
    login = desk.login("gho_1")
    assert login.fetch(login.fetch()).token.startswith("tid=1")
    assert login.fetch().token.startswith("tid=2")  # it stays so


@pytest.mark.parametrize("answer", [NOT_FOUND, (403, {"message": "Resource not accessible"})])
def test_where_there_is_nothing_to_exchange_the_refusal_stands(desk: Desk, answer: Answer) -> None:
    desk.github.exchange = answer
    login = desk.login("gho_1")
    assert login.fetch(login.fetch()).token == "gho_1"


def test_an_editors_token_where_the_exchange_is_gone(desk: Desk) -> None:
    desk.github.exchange = NOT_FOUND
    assert desk.login("ghu_1").fetch() == Credential("ghu_1", None, {}, BASE)


@pytest.mark.parametrize(
    ("answer", "says", "hint", "transient"),
    [
        (
            (401, {"message": "Bad credentials"}),
            "no longer accepts the token of GH_TOKEN",
            "ccproxy login",
            False,
        ),
        (
            (
                403,
                {
                    "error_details": {
                        "message": "No access to Copilot found.",
                        "url": "https://github.com/copilot",
                        "notification_id": "no_copilot_access",
                    },
                    "message": "Resource not accessible",
                },
            ),
            "No access to Copilot found",
            "see https://github.com/copilot",
            False,
        ),
        ((403, {"message": "blocked"}), "blocked", "with an account that has Copilot", False),
        ((403, {"message": "API rate limit exceeded", "status": "403"}), "limits the rate", "later", True),
        ((429, {}), "answered 429", "later", True),
        ((500, {}), "answered 500", "later", True),
        ((200, {}), "it answered 200", "ccproxy login", False),
        ((-1, None), "cannot be reached", "", True),
    ],
)
def test_what_github_may_say(desk: Desk, answer: Answer, says: str, hint: str, *, transient: bool) -> None:
    desk.github.exchange = answer
    with pytest.raises(CredentialError, match=says) as caught:
        desk.login("ghu_planted").fetch()
    assert hint in caught.value.hint
    assert caught.value.transient is transient
    assert "planted" not in caught.value.told


def test_github_does_not_answer(desk: Desk) -> None:
    desk.github.delay = 3
    with pytest.raises(CredentialError, match="GitHub") as caught:
        desk.login("ghu_1").fetch()
    assert caught.value.transient


def test_many_requests_make_one_exchange(desk: Desk) -> None:
    async def all_at_once() -> set[str]:
        source = Renewing(desk.login("ghu_1"), clock=lambda: desk.now)
        return {
            credential.token for credential in await asyncio.gather(*(source.current() for _ in range(20)))
        }

    assert len(asyncio.run(all_at_once())) == 1
    assert desk.github.n == 1


def test_without_a_login(desk: Desk) -> None:
    for act in (desk.login().fetch, desk.login().account, lambda: desk.login().log_in({}, print)):
        with pytest.raises(CredentialError, match="no GitHub login") as caught:
            act()
        assert caught.value.hint.startswith("gh auth login, or ccproxy login copilot --client-id")


def test_logging_in_and_out(desk: Desk) -> None:
    told: list[str] = []
    desk.github.device = [(200, {"error": "authorization_pending"}), (200, {"access_token": "gho_mine"})]
    login = desk.login("gho_other")
    before = login.stamp()
    login.log_in({"--client-id": "Iv1.mine"}, told.append)
    assert told == ["open https://github.com/login/device and enter U-1"]
    assert login.stamp() != before
    assert login.fetch().token == "gho_mine"  # what the user has just chosen, before GH_TOKEN
    assert desk.own.stat().st_mode & 0o777 == 0o600
    assert "forgotten here" in login.log_out()
    assert list(desk.own.parent.iterdir()) == []
    assert login.fetch().token == "gho_other"
    assert "gh auth logout" in login.log_out()


def test_the_login_that_is_there_is_enough(desk: Desk) -> None:
    desk.login("gho_1").log_in({}, print)
    assert not desk.own.exists()


def test_who_is_logged_in(desk: Desk) -> None:
    account = desk.login("gho_1").account()
    assert (account.who, account.place, account.renews) == ("octocat", "GH_TOKEN", True)
    assert account.told == "plan individual, quota until 2027-02-01"
    desk.github.user = (401, {"message": "Bad credentials"})
    with pytest.raises(CredentialError, match="no longer accepts"):
        desk.login("gho_1").account()
