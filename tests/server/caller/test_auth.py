import pytest

from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.caller.auth import extract_api_key


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer   abc "}, "abc"),
        ({"authorization": "abc"}, "abc"),
        ({"x-api-key": " abc "}, "abc"),
        ({"authorization": "Bearer abc", "x-api-key": "def"}, "abc"),
        ({"authorization": "Bearer ", "x-api-key": "def"}, "def"),
        ({"authorization": "Basic dXNlcjpwYXNz", "x-api-key": "def"}, "def"),
    ],
)
def test_key_is_found(headers: dict[str, str], key: str) -> None:
    assert extract_api_key(headers) == key


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Basic x"},
        {"x-api-key": " "},
    ],
)
def test_no_key_is_refused_for_good(headers: dict[str, str]) -> None:
    with pytest.raises(ApiError) as raised:
        extract_api_key(headers)
    assert (raised.value.status, raised.value.type) == (401, "authentication_error")
    assert raised.value.headers == {"x-should-retry": "false"}
