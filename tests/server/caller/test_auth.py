import pytest

from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.server.caller.auth import extract_api_key
from tests.server.byte_upstream import Connection, Request, running_upstream
from tests.server.harness import KEY, ask, model, running_proxy


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


@pytest.mark.parametrize(
    "said", ["planted-key-4711", "planted-", "key-4711 and lanted-k", "no planted-key-...!"]
)
@pytest.mark.parametrize("format_", ["openai", "anthropic"])
async def test_a_refusal_that_quotes_a_part_of_the_key_is_masked(
    said: str, format_: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(request: Request, connection: Connection) -> None:
        await connection.whole(401, {"error": {"type": "authentication_error", "message": f"bad key {said}"}})

    caplog.set_level("DEBUG")
    async with running_upstream(refuse) as upstream:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(upstream.base, format=format_)]) as proxy:
            reply = await ask(proxy)
    assert reply.status == 401
    texts = [caplog.text] if format_ == "anthropic" else [caplog.text, reply.body.decode()]
    for text in texts:
        assert not any(KEY[at : at + 8] in text for at in range(len(KEY) - 7))
        assert "[key]" in text
