"""What can be read out of a token."""

from __future__ import annotations

import pytest

from claude_code_proxy.credentials.account import claims
from tests.credentials.issuers import jwt


def test_claims() -> None:
    assert claims(jwt(exp=5, email="ä@x")) == {"exp": 5, "email": "ä@x"}


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.!!!.c", "a.bnVsbA.c", f"a.{'W1tb' * 20_000}.c"])
def test_what_is_no_token_has_none(token: str) -> None:
    assert claims(token) == {}
