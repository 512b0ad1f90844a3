"""Codex's own login file, renewed against a simulator of OpenAI's issuer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.credentials.account import claims
from claude_code_proxy.credentials.codex_login import CodexLogin
from claude_code_proxy.credentials.renewing import Renewing
from claude_code_proxy.credentials.source import Credential, CredentialError
from tests.credentials.issuers import Answer, Asked, Issuer, jwt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_800_000_000.0
HOUR = 3600.0
OPENAI = "https://api.openai.com/auth"


def access(n: int, issued: float = NOW, account: str = "acc-1", life: float = HOUR) -> str:
    return jwt(exp=issued + life, iat=issued, n=n, **{OPENAI: {"chatgpt_account_id": account}})


def identity(account: str = "acc-1") -> str:
    return jwt(
        email="me@example.org", **{OPENAI: {"chatgpt_plan_type": "plus", "chatgpt_account_id": account}}
    )


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", ".123456789Z")


class OpenAI(Issuer):
    """Rotates refresh tokens `r1`, `r2` ...: each serves once. `skew`: how far its clock is ahead of NOW."""

    def __init__(self) -> None:
        super().__init__(self.refresh)
        self.good = "r1"
        self.n = 1
        self.skew = 0.0
        self.account = "acc-1"
        self.fault: Answer | None = None
        self._one = threading.Lock()

    def refresh(self, asked: Asked) -> Answer:
        assert (asked.method, asked.path) == ("POST", "/oauth/token")
        if self.fault is not None:
            return self.fault
        with self._one:
            if asked.body.get("refresh_token") != self.good:
                message = "Your refresh token has already been used to generate a new access token."
                return 401, {"error": {"message": message, "code": "refresh_token_reused"}}
            assert asked.body["client_id"].startswith("app_")
            assert asked.body["grant_type"] == "refresh_token"
            self.n += 1
            self.good = f"r{self.n}"
            return 200, {
                "access_token": access(self.n, NOW + self.skew, self.account),
                "refresh_token": self.good,
            }


class Desk:
    """A home with a Codex that is logged in, and the issuer of its tokens."""

    def __init__(self, home: Path, issuer: OpenAI) -> None:
        self.path = home / ".codex" / "auth.json"
        self.path.parent.mkdir(mode=0o700)
        self.env = {"HOME": str(home)}
        self.issuer = issuer
        self.now = NOW
        self.write()

    def write(self, issued: float = NOW, account: str = "acc-1", **more: Any) -> None:
        """As Codex does: cut off and written anew, in place."""
        tokens = {
            "id_token": identity(account),
            "access_token": access(1, issued, account),
            "refresh_token": "r1",
            "account_id": account,
        }
        state = {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": tokens,
            "last_refresh": rfc3339(issued),
            "agent_identity": {"kept": True},
        }
        self.path.write_text(json.dumps(state | more))
        self.path.chmod(0o600)

    def read(self) -> Any:
        return json.loads(self.path.read_text())

    def login(self) -> CodexLogin:
        return CodexLogin(self.env, issuer=self.issuer.url, clock=lambda: self.now, seconds=2)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with OpenAI() as issuer:
        yield Desk(tmp_path, issuer)


def n_of(token: str) -> int:
    return int(claims(token)["n"])


def test_a_good_token_is_used_as_it_is(desk: Desk) -> None:
    credential = desk.login().fetch()
    assert (credential.token, dict(credential.headers)) == (access(1), {"chatgpt-account-id": "acc-1"})
    assert credential.expires_at == pytest.approx(NOW + HOUR, abs=1)
    assert desk.issuer.asked == []


def test_it_is_renewed_before_its_end_and_written_back(desk: Desk) -> None:
    desk.now = NOW + HOUR - 200
    desk.issuer.skew = HOUR - 200
    credential = desk.login().fetch()
    assert n_of(credential.token) == 2
    state = desk.read()
    assert state["tokens"]["access_token"] == credential.token
    assert (state["tokens"]["refresh_token"], state["tokens"]["id_token"]) == ("r2", identity())
    assert state["agent_identity"] == {"kept": True}
    assert datetime.fromisoformat(state["last_refresh"]).timestamp() == desk.now
    assert desk.path.stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in desk.path.parent.iterdir()) == ["auth.json", "auth.json.lock"]


def test_a_refused_token_is_read_again_first(desk: Desk) -> None:
    login = desk.login()
    first = login.fetch()
    desk.write(NOW + 1)  # Codex has renewed it
    assert login.fetch(first).token == access(1, NOW + 1)
    assert desk.issuer.asked == []
    assert n_of(login.fetch(Credential(access(1, NOW + 1))).token) == 2


@pytest.mark.parametrize("skew", [-2 * HOUR, 2 * HOUR])
async def test_another_clock_of_the_issuer(desk: Desk, skew: float) -> None:
    """However far it is off: one renewal, and the token is used for as long as it lives."""
    desk.now = NOW + HOUR
    desk.issuer.skew = HOUR + skew
    source = Renewing(desk.login(), clock=lambda: desk.now, pause=0)
    for _ in range(3):
        assert n_of((await source.current()).token) == 2
    desk.now += HOUR / 2
    assert n_of((await source.current()).token) == 2
    assert len(desk.issuer.asked) == 1


@pytest.mark.parametrize(
    ("last_refresh", "renews"), [(NOW - 7 * 86_400, False), (NOW - 9 * 86_400, True), (None, False)]
)
def test_a_token_without_an_end(desk: Desk, last_refresh: float | None, *, renews: bool) -> None:
    state = desk.read()
    state["tokens"]["access_token"] = "opaque"
    state["last_refresh"] = last_refresh and rfc3339(last_refresh)
    desk.path.write_text(json.dumps(state))
    assert (desk.login().fetch().token != "opaque") is renews


async def test_two_sessions_renew_once(desk: Desk) -> None:
    desk.now = NOW + HOUR
    desk.issuer.skew = HOUR
    desk.issuer.delay = 0.3
    sessions = [Renewing(desk.login(), clock=lambda: desk.now) for _ in range(4)]
    got = await asyncio.gather(*(session.current() for session in sessions for _ in range(3)))
    assert {n_of(credential.token) for credential in got} == {2}
    assert len(desk.issuer.asked) == 1


@pytest.mark.parametrize("end", [10**30, -(10**400), 10**400, "soon", [], {}])
def test_an_end_that_is_no_time_is_none(desk: Desk, end: Any) -> None:
    desk.write(tokens={"access_token": jwt(exp=end, iat=end), "refresh_token": "r1"}, last_refresh=None)
    assert desk.login().fetch().expires_at is None


def test_codex_renews_at_the_same_time(desk: Desk) -> None:
    """It has no lock: its tokens count, and ours are not written over them."""
    desk.now = NOW + HOUR
    answer = desk.issuer.refresh

    def and_codex(asked: Asked) -> Answer:
        desk.write(NOW + HOUR - 1)
        return answer(asked)

    desk.issuer.answer = and_codex
    assert desk.login().fetch().token == access(1, NOW + HOUR - 1)
    assert desk.read()["tokens"]["access_token"] == access(1, NOW + HOUR - 1)


def test_codex_was_first(desk: Desk) -> None:
    """Our refresh token was used already; by then the file has the new ones."""
    desk.now = NOW + HOUR

    def reused(_: Asked) -> Answer:
        desk.write(NOW + HOUR - 1)
        return 400, {"error": {"code": "refresh_token_reused"}}

    desk.issuer.answer = reused
    assert desk.login().fetch().token == access(1, NOW + HOUR - 1)


def test_a_file_that_codex_is_writing(desk: Desk) -> None:
    whole = desk.path.read_text()
    desk.path.write_text(whole[:100])

    def finish() -> None:
        time.sleep(0.1)
        desk.path.write_text(whole)

    codex = threading.Thread(target=finish)
    codex.start()
    assert desk.login().fetch().token == access(1)
    codex.join()


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"error": {"code": "refresh_token_expired"}}),
        (401, {"error": "refresh_token_invalidated"}),
        (400, {"code": "refresh_token_reused"}),
        (401, {}),
        (401, b"<html>"),
    ],
)
def test_a_dead_refresh_token_names_the_command(desk: Desk, answer: Answer) -> None:
    desk.now = NOW + HOUR
    desk.issuer.fault = answer
    before = desk.path.read_bytes()
    login = desk.login()
    for _ in range(2):  # it is asked once: what is dead stays dead
        with pytest.raises(CredentialError, match="the login of Codex has ended") as caught:
            login.fetch()
        assert (caught.value.hint, caught.value.transient) == ("codex login", False)
    assert (len(desk.issuer.asked), desk.path.read_bytes()) == (1, before)
    assert "r1" not in caught.value.told
    desk.issuer.fault = None
    desk.write(NOW + HOUR)
    assert login.fetch().token == access(1, NOW + HOUR)  # the user has logged in again


@pytest.mark.parametrize(
    "answer", [(500, {}), (503, b"busy"), (429, {}), (400, {"error": "server_error"}), (-1, None), (200, {})]
)
async def test_an_issuer_in_trouble_may_come_back(desk: Desk, answer: Answer) -> None:
    desk.issuer.fault = answer
    source = Renewing(desk.login(), clock=lambda: desk.now, pause=0)
    await source.current()
    desk.now = NOW + HOUR - 20
    assert (await source.current()).token == access(1)  # it is good for twenty seconds yet
    desk.now = NOW + HOUR
    with pytest.raises(CredentialError) as caught:
        desk.login().fetch()
    assert caught.value.transient
    assert desk.read()["tokens"]["refresh_token"] == "r1"


def test_an_issuer_that_does_not_answer(desk: Desk) -> None:
    desk.now = NOW + HOUR
    desk.issuer.delay = 3
    with pytest.raises(CredentialError, match="OpenAI's login") as caught:
        desk.login().fetch()
    assert caught.value.transient


def test_another_account_is_refused(desk: Desk) -> None:
    login = desk.login()
    login.fetch()
    desk.write(account="acc-2")
    with pytest.raises(CredentialError, match="another account") as caught:
        login.fetch()
    assert caught.value.hint == "start the session again"
    desk.write(NOW - HOUR)
    desk.issuer.account = "acc-2"
    before = desk.path.read_bytes()
    with pytest.raises(CredentialError, match="for another account"):
        login.fetch()
    assert desk.path.read_bytes() == before


def test_the_user_changes_the_account_during_a_renewal(desk: Desk) -> None:
    desk.now = NOW + HOUR
    answer = desk.issuer.refresh

    def and_user(asked: Asked) -> Answer:
        desk.write(account="acc-2")
        return answer(asked)

    desk.issuer.answer = and_user
    with pytest.raises(CredentialError, match="another account"):
        desk.login().fetch()
    assert desk.read()["tokens"]["account_id"] == "acc-2"


@pytest.mark.parametrize(
    ("state", "says", "hint"),
    [
        ({"OPENAI_API_KEY": "sk-planted"}, "with an API key", "env:OPENAI_API_KEY"),
        (
            {"auth_mode": "ApiKey", "OPENAI_API_KEY": "sk-planted", "tokens": None},
            "with an API key",
            "openai",
        ),
        ({}, "has no login with ChatGPT", "codex login"),
        ({"tokens": {"access_token": None}}, "has no login with ChatGPT", "codex login"),
        (None, "there is no", "codex login"),
    ],
)
def test_without_a_login(desk: Desk, state: dict[str, Any] | None, says: str, hint: str) -> None:
    desk.path.unlink()
    if state is not None:
        desk.path.write_text(json.dumps(state))
    for act in (desk.login().fetch, desk.login().account):
        with pytest.raises(CredentialError, match=says) as caught:
            act()
        assert hint in caught.value.hint
        assert "planted" not in caught.value.told


def test_a_login_that_cannot_be_renewed(desk: Desk) -> None:
    state = desk.read()
    state["tokens"]["refresh_token"] = ""
    desk.path.write_text(json.dumps(state))
    desk.now = NOW + HOUR
    with pytest.raises(CredentialError, match="no refresh token"):
        desk.login().fetch()


@pytest.mark.parametrize(
    ("tokens", "account"),
    [
        ({"account_id": "a", "id_token": identity("b")}, "a"),
        ({"id_token": identity("b"), "account_id": ""}, "b"),
        ({"access_token": access(1, account="c")}, "c"),
        ({"id_token": jwt(chatgpt_account_id="d")}, "d"),
        ({"id_token": jwt(organizations=[{"id": "e"}])}, "e"),
        ({"id_token": jwt(organizations=[])}, ""),
    ],
)
def test_where_the_account_stands(desk: Desk, tokens: dict[str, str], account: str) -> None:
    desk.path.write_text(json.dumps({"tokens": {"access_token": "opaque", **tokens}}))
    assert dict(desk.login().fetch().headers) == ({"chatgpt-account-id": account} if account else {})


def test_who_is_logged_in(desk: Desk) -> None:
    account = desk.login().account()
    assert (account.who, account.told, account.renews) == ("me@example.org", "plan plus", True)
    assert account.place == str(desk.path)
    assert account.expires_at == pytest.approx(NOW + HOUR, abs=1)
    desk.login().log_in({}, print)
    assert "codex logout" in desk.login().log_out()


def test_another_place(desk: Desk, tmp_path: Path) -> None:
    login = CodexLogin({**desk.env, "CODEX_HOME": str(tmp_path / "other")})
    with pytest.raises(CredentialError, match=r"other/auth\.json"):
        login.fetch()
    assert login.stamp() is None
    assert desk.login().stamp() is not None
