"""A credential shows nothing of itself; an error says what to do."""

from __future__ import annotations

import pytest

from claude_code_proxy.credentials.source import Credential, CredentialError, checked


def test_a_credential_hides_what_is_secret() -> None:
    shown = repr(
        Credential("planted-token", 1.0, {"x-account": "planted-header"}, "https://provider.example")
    )
    assert "planted" not in shown
    assert "expires_at=1.0" in shown
    assert "https://provider.example" in shown


def test_an_error_says_what_failed_and_what_to_run() -> None:
    error = CredentialError("the login has ended", "ccproxy login copilot")
    assert (str(error), error.hint, error.transient) == (
        "the login has ended",
        "ccproxy login copilot",
        False,
    )
    assert error.told == "the login has ended (hint: ccproxy login copilot)"
    assert CredentialError("the issuer is down", transient=True).told == "the issuer is down"


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "a\x00b", "ключ", "a\r\nx-injected: 1"])
def test_what_cannot_be_a_header_is_no_token(token: str) -> None:
    with pytest.raises(CredentialError) as caught:
        checked(token)
    assert not token or token not in caught.value.told
