"""The service beside a machine: there or not, slow, and what it says."""

from __future__ import annotations

import pytest

from claude_code_proxy.credentials.link_local_http import ask_beside
from claude_code_proxy.credentials.source import CredentialError
from tests.credentials.issuers import Issuer


def test_it_answers_whatever_proxy_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Issuer(lambda asked: (404 if asked.method == "PUT" else 200, {"a": asked.headers["x-y"]})) as issuer:
        told = ask_beside(f"{issuer.url}/p?q=1", {"X-Y": "z"}, service="it")
        put = ask_beside(f"{issuer.url}/p", {"X-Y": "z"}, method="PUT", service="it")
    assert told is not None
    assert (told.status, told.body) == (200, {"a": "z"})
    assert put is not None
    assert put.status == 404
    assert issuer.paths == ["/p?q=1", "/p"]


@pytest.mark.parametrize("text", [b"text", b"[1]", b"\xff", b"[" * 100_000])
def test_text_that_is_no_object_has_no_fields(text: bytes) -> None:
    with Issuer(lambda asked: (200, text)) as issuer:
        told = ask_beside(issuer.url, {}, service="it")
    assert told is not None
    assert told.body == {}


def test_nobody_is_there() -> None:
    with Issuer(lambda asked: (200, b"")) as issuer:
        url = issuer.url
    assert ask_beside(url, {}, service="it") is None


def test_it_is_too_slow_or_goes_away() -> None:
    with Issuer(lambda asked: (-1, None)) as issuer:
        with pytest.raises(CredentialError, match=r"^it: ") as cut:
            ask_beside(issuer.url, {}, service="it")
        issuer.delay = 0.3
        with pytest.raises(CredentialError, match=r"within 0\.1 s") as late:
            ask_beside(issuer.url, {}, service="it", seconds=0.1)
    assert cut.value.transient
    assert late.value.transient
