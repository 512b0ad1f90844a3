"""The header of sealed keys, there and back, and what is none."""

from __future__ import annotations

import base64

import pytest

from claude_code_proxy.core.sealed_keys import seal, unseal


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"https://api.example.com/v1": "sk-1"},
        {"http://127.0.0.1:8000": "ü~?>", "https://b.example": "x" * 300},
    ],
)
def test_there_and_back(keys: dict[str, str]) -> None:
    sealed = seal(keys)
    assert unseal(sealed) == keys
    assert unseal(f" {sealed} ") == keys
    assert sealed.isascii()
    assert not set(sealed) & set("+/= \r\n")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "%%%",
        "a",
        "ü",
        encoded("no"),
        encoded("[]"),
        encoded('{"a": 1}'),
        encoded('{"a": ""}'),
        encoded('{"a": null}'),
    ],
)
def test_what_is_none(value: str) -> None:
    with pytest.raises(ValueError, match=r"^not ") as caught:
        unseal(value)
    assert len(value) < 3 or value not in str(caught.value)
