"""Which logins there are, and which there never will be."""

from __future__ import annotations

import pytest

from claude_code_proxy.credentials.factory import make_fetcher
from claude_code_proxy.credentials.logins import LOGINS, make_login
from claude_code_proxy.credentials.source import CredentialError


@pytest.mark.parametrize("name", LOGINS)
def test_each_login_names_its_vendors_terms(name: str) -> None:
    login = make_login(name, {"HOME": "/nowhere"})
    assert len(login.TERMS) > 50
    assert login.MODELS
    assert type(make_fetcher("login", name, {"HOME": "/nowhere"})) is type(login)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("claude", "Anthropic allows"),
        ("gemini", "Google allows"),
        ("x", "there are codex, copilot"),
        ("", "there"),
    ],
)
def test_what_is_no_login(name: str, hint: str) -> None:
    with pytest.raises(CredentialError) as caught:
        make_login(name, {})
    assert caught.value.hint.startswith(hint)
