"""The device flow against a simulator of github.com, with everything that it may say."""

from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.credentials.device_flow import DeviceApp, log_in
from claude_code_proxy.credentials.source import CredentialError
from tests.credentials.issuers import Answer, Asked, Issuer

PENDING = (200, {"error": "authorization_pending", "error_description": "..."})
BEGUN = {
    "device_code": "planted-device-code",
    "user_code": "ABCD-1234",
    "verification_uri": "https://github.com/login/device",
    "expires_in": 900,
    "interval": 5,
}


class GitHub(Issuer):
    """Begins a login and then answers each poll with the next of `polls`."""

    def __init__(self, polls: list[Answer], begun: Any = BEGUN, status: int = 200) -> None:
        super().__init__(self.respond)
        self.polls = polls
        self.begun = (status, begun)

    def respond(self, asked: Asked) -> Answer:
        if asked.path == "/login/device/code":
            assert asked.body == {"client_id": "Iv1.mine", "scope": "read:user"}
            assert asked.headers["accept"] == "application/json"
            return self.begun
        assert asked.path == "/login/oauth/access_token"
        assert asked.body["device_code"] == BEGUN["device_code"]
        assert asked.body["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
        return self.polls.pop(0) if self.polls else PENDING


def run(github: GitHub) -> tuple[str, list[str], list[float]]:
    """The token, what the user was told, and how long was waited between the polls."""
    told: list[str] = []
    waits: list[float] = []
    app = DeviceApp(github.url, "Iv1.mine", "read:user", "ccproxy login copilot")
    with github:
        return log_in(app, told.append, waits.append), told, waits


def test_the_user_enters_the_code() -> None:
    github = GitHub([PENDING, PENDING, (200, {"access_token": "gho_1", "token_type": "bearer"})])
    assert run(github) == (
        "gho_1",
        ["open https://github.com/login/device and enter ABCD-1234"],
        [5.0, 5.0, 5.0],
    )


def test_slow_down() -> None:
    """Five seconds more, or what it names."""
    slow = (200, {"error": "slow_down"})
    slower = (200, {"error": "slow_down", "interval": 30})
    github = GitHub([slow, PENDING, slower, (200, {"access_token": "gho_1"})])
    assert run(github)[2] == [5.0, 10.0, 10.0, 30.0]


def test_an_issuer_in_trouble_is_asked_again() -> None:
    github = GitHub([(502, b""), (-1, None), (429, {}), (200, {"access_token": "gho_1"})])
    assert run(github)[0] == "gho_1"


@pytest.mark.parametrize(
    ("polls", "says"),
    [
        ([(200, {"error": "access_denied"})], "refused on the page"),
        ([PENDING, (200, {"error": "expired_token"})], "not entered in time"),
        ([], "not entered in time"),  # 900 seconds of nothing
        ([(200, {"error": "incorrect_device_code"})], "incorrect_device_code"),
        ([(400, {"error": "unsupported_grant_type"})], "unsupported_grant_type"),
        ([(404, b"<html>")], "it answered 404"),
        ([(200, {"access_token": "a b"})], "white space"),
    ],
)
def test_what_ends_it(polls: list[Answer], says: str) -> None:
    github = GitHub(polls)
    with pytest.raises(CredentialError, match=says) as caught:
        run(github)
    assert "planted" not in caught.value.told
    assert sum(path == "/login/oauth/access_token" for path in github.paths) <= 180


@pytest.mark.parametrize(
    ("status", "begun", "says"),
    [
        (404, {"error": "Not Found"}, "Not Found"),
        (200, {"error": "device_flow_disabled"}, "device_flow_disabled"),
        (200, {}, "it answered 200"),
    ],
)
def test_no_device_flow(status: int, begun: Any, says: str) -> None:
    with pytest.raises(CredentialError, match=says) as caught:
        run(GitHub([], begun, status))
    assert caught.value.hint == "ccproxy login copilot"
