"""The official SDK as the client."""

import anthropic
import pytest

from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import KEY, running_proxy


def client(base: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=base, api_key=KEY, max_retries=0)


ASK = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}


async def test_create_stream_count_and_models() -> None:
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([{"model_id": "m", "api_base": upstream.base}]) as proxy,
        client(proxy.base) as sdk,
    ):
        message = await sdk.messages.create(**ASK)  # type: ignore[call-overload]
        async with sdk.messages.stream(**ASK) as stream:  # type: ignore[arg-type]
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
        count = await sdk.messages.count_tokens(model="m", messages=[{"role": "user", "content": "hi"}])
        listed = [row.id async for row in sdk.models.list(limit=1)]
        shown = await sdk.models.retrieve("m")
    assert message.content[0].text == text == "Hello"
    assert message._request_id is not None
    assert (final.stop_reason, final.usage.input_tokens) == ("end_turn", 11)
    assert count.input_tokens > 0
    assert listed == ["m", "anthropic/m"]
    assert shown.display_name == "m"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
    ],
)
async def test_errors_by_class(status: int, kind: type[anthropic.APIStatusError]) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.whole(status, {"error": {"message": "no"}})

    async with (
        running_upstream(script) as upstream,
        running_proxy([{"model_id": "m", "api_base": upstream.base}]) as proxy,
        client(proxy.base) as sdk,
    ):
        with pytest.raises(kind):
            await sdk.messages.create(**ASK)  # type: ignore[call-overload]
        with pytest.raises(anthropic.NotFoundError):
            await sdk.messages.create(**{**ASK, "model": "nope"})  # type: ignore[call-overload]
