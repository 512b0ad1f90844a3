"""What the official Python SDK makes of the failures of proxy and provider: its own error classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from tests.e2e.sdk import KEY, Setup, ask, text_of
from tests.replies import error_reply, stream_reply

if TYPE_CHECKING:
    from claude_code_proxy.demo.provider import Provider

STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def provoke(client: anthropic.Anthropic, stream: bool, request: dict[str, Any]) -> anthropic.APIStatusError:
    """The error that a request ends in."""
    with pytest.raises(anthropic.APIStatusError) as caught:
        answer(client, stream, request)
    error: Any = caught.value
    assert error.body["type"] == "error"
    assert error.body["request_id"]
    return caught.value


def answer(client: anthropic.Anthropic, stream: bool, request: dict[str, Any]) -> Any:
    """The message that a request ends in."""
    if not stream:
        return client.messages.create(**request)
    with client.messages.stream(**request) as events:
        return events.get_final_message()


@STREAMS
@pytest.mark.parametrize(
    ("status", "message", "expected", "kind"),
    [
        (400, "bad parameter", anthropic.BadRequestError, "invalid_request_error"),
        (401, "Incorrect API key provided.", anthropic.AuthenticationError, "authentication_error"),
        (403, "not for you", anthropic.PermissionDeniedError, "permission_error"),
        (413, "too large", anthropic.RequestTooLargeError, "request_too_large"),
        (429, "slow down", anthropic.RateLimitError, "rate_limit_error"),
        (500, "broken", anthropic.InternalServerError, "api_error"),
        (529, "overloaded", anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_upstream_errors(
    client: anthropic.Anthropic,
    provider: Provider,
    stream: bool,
    status: int,
    message: str,
    expected: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    provider.script.add(error_reply(status, message, type="some_error", headers={"retry-after": "7"}))
    error = provoke(client, stream, ask("say hi"))
    assert type(error) is expected
    assert error.status_code == status
    body: Any = error.body
    assert body["error"]["type"] == kind
    assert message in body["error"]["message"]
    if status == 429:
        assert error.response.headers["retry-after"] == "7"
    if status == 401:
        assert error.response.headers["x-should-retry"] == "false"


@STREAMS
def test_errors_of_the_request(client: anthropic.Anthropic, provider: Provider, stream: bool) -> None:
    assert isinstance(provoke(client, stream, ask("hi", "nobody")), anthropic.NotFoundError)
    assert isinstance(provoke(client, stream, ask("hi", max_tokens=-1)), anthropic.BadRequestError)
    assert isinstance(provoke(client, stream, ask("hi", messages=[])), anthropic.BadRequestError)
    unpaired = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": 5}]}]
    assert isinstance(provoke(client, stream, ask("", messages=unpaired)), anthropic.BadRequestError)
    assert isinstance(provoke(client, stream, ask("x" * (1 << 20))), anthropic.RequestTooLargeError)
    assert not provider.requests
    assert isinstance(provoke(client, stream, ask("hi", "no-such-model")), anthropic.NotFoundError)
    overflow = provoke(client, stream, ask("word " * 9000, "demo-small-8k"))
    assert isinstance(overflow, anthropic.BadRequestError)
    assert "prompt is too long" in overflow.message


def test_no_key(setup: Setup) -> None:
    nobody = {"Authorization": anthropic.Omit(), "X-Api-Key": anthropic.Omit()}
    with anthropic.Anthropic(base_url=setup.url, api_key="unused", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            client.messages.create(**ask("hi"), extra_headers=nobody)
        assert caught.value.response.headers["x-should-retry"] == "false"


def test_retries_of_the_sdk_succeed(setup: Setup, provider: Provider) -> None:
    limited = error_reply(429, "slow down", type="rate_limit_error", headers={"retry-after": "0"})
    provider.script.add(limited)
    with anthropic.Anthropic(base_url=setup.url, auth_token=KEY, api_key=None, max_retries=1) as client:
        assert text_of(client.messages.create(**ask("say again"))) == "again"
    assert len(provider.requests) == 2


def test_a_cut_stream_is_an_error(client: anthropic.Anthropic, provider: Provider) -> None:
    delta = {"choices": [{"index": 0, "delta": {"content": "Half of a sen"}}]}
    provider.script.add(stream_reply([delta], end="cut"))
    with pytest.raises(anthropic.APIError):
        answer(client, True, ask("hi"))
