"""A credential shows nothing of itself; an error says what to do."""

from __future__ import annotations

from claude_code_proxy.credentials.source import Credential, CredentialError


def test_a_credential_hides_what_is_secret() -> None:
    shown = repr(
        Credential("planted-token", 1.0, {"x-account": "planted-header"}, "https://provider.example")
    )
    assert "planted" not in shown
    assert "expires_at=1.0" in shown
    assert "https://provider.example" in shown


def test_an_error_says_what_failed_and_what_to_run() -> None:
    assert str(CredentialError("the login has ended", "ccproxy login copilot")) == (
        "the login has ended (hint: ccproxy login copilot)"
    )
    assert str(CredentialError("the issuer is down", transient=True)) == "the issuer is down"
