"""What a provider wants of each request: headers by whose turn it is, streams only, an address of the plan's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy import __version__
from claude_code_proxy.credentials.source import Credential
from claude_code_proxy.server.caller.session_keys import SessionKeys
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, ask, model, running_proxy

TEXT = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello"}]}
NATIVE = {"type": "message", "model": "n", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
RESULT: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
    ]
}


async def codex(request: Request, connection: Connection) -> None:
    """Refuses what the back end of Codex refuses."""
    body = request.json
    if body.get("store") is not False:
        await connection.whole(400, {"detail": "Store must be set to false"})
    elif body.get("stream") is not True:
        await connection.whole(400, {"detail": "Stream must be set to true"})
    elif not isinstance(body.get("instructions"), str):
        await connection.whole(400, {"detail": "Instructions are required"})
    elif unknown := body.keys() & {"max_output_tokens", "temperature", "top_p", "metadata", "user"}:
        await connection.whole(400, {"detail": f"Unsupported parameter: {unknown.pop()}"})
    else:
        response = {"status": "completed", "output": [TEXT], "usage": {"input_tokens": 1, "output_tokens": 2}}
        await connection.head()
        for event in (
            {"type": "response.output_item.added", "output_index": 0, "item": TEXT},
            {"type": "response.output_item.done", "output_index": 0, "item": TEXT},
            {"type": "response.completed", "response": response},
        ):
            await connection.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await connection.end()


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_back_end_of_codex(*, streamed: bool) -> None:
    """It only streams; a client that wants a whole answer gets one."""
    async with running_upstream(codex) as upstream:
        entry = model(upstream.base, model_name="gpt-5.5", profile="codex")
        async with running_proxy([entry]) as proxy:
            reply = await ask(proxy, {**BODY, "temperature": 0.5, "stream": streamed})
    assert reply.status == 200
    if streamed:
        assert reply.types[-1] == "message_stop"
    else:
        assert reply.json["content"] == [{"type": "text", "text": "Hello"}]
    sent = upstream.requests[0]
    assert sent.header("accept") == "text/event-stream"
    assert sent.header("originator") == "claude-code-proxy"
    assert sent.header("user-agent") == f"claude-code-proxy/{__version__}"


@pytest.mark.parametrize(("body", "who"), [({}, "user"), (RESULT, "agent")])
@pytest.mark.parametrize("format_", ["openai", "anthropic"])
async def test_copilot_is_told_whose_turn_it_is(format_: str, body: dict[str, Any], who: str) -> None:
    async def copilot(request: Request, connection: Connection) -> None:
        if "/messages" in request.path:
            await connection.whole(200, NATIVE)
        else:
            await say_hello(request, connection)

    async with running_upstream(copilot) as upstream:
        entry = model(upstream.base, profile="copilot", format=format_)
        own = {**entry, "model_id": "own", "extra_headers": {"OpenAI-Intent": "mine"}}
        async with running_proxy([entry, own]) as proxy:
            assert (await ask(proxy, {**BODY, **body})).status == 200
            assert (await ask(proxy, {**BODY, "model": "own"})).status == 200
    first, second = upstream.requests
    assert first.header("x-initiator") == who
    assert first.header("openai-intent") == (
        "messages-proxy" if format_ == "anthropic" else "conversation-agent"
    )
    assert (first.header("copilot-vision-request"), first.header("editor-version")) == (None, None)
    assert second.header("openai-intent") == "mine"


class Fixed:
    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def current(self) -> Credential:
        return self._credential

    async def renew(self) -> Credential:
        return self._credential


@pytest.mark.parametrize("format_", ["openai", "anthropic"])
async def test_the_issuer_names_the_address(format_: str) -> None:
    """Of the user's plan: its host stands in the place of the entry's, the path stays."""

    async def act(request: Request, connection: Connection) -> None:
        if request.path.endswith("/models"):
            await connection.whole(200, {"data": [{"id": "x"}]})
        elif "/messages" in request.path:
            await connection.whole(200, NATIVE)
        else:
            await say_hello(request, connection)

    async with running_upstream(act) as theirs:
        base = "http://nobody.invalid/deep"
        entry = model(base, profile="copilot", format=format_)
        credential = Credential("tid=1", headers={"x-account": "a"}, base_url=theirs.base)
        keys = SessionKeys("token", {base: Fixed(credential)})
        every = {**entry, "model_id": "all/*", "model_name": "*"}
        async with running_proxy([entry, every], keys, allow_plain_http=True) as proxy:
            assert (await ask(proxy, key="token")).status == 200
            listed = await ask(proxy, None, method="GET", path="/v1/models", key="token")
    path = "/deep/v1/messages?beta=true" if format_ == "anthropic" else "/deep/chat/completions"
    assert [request.path for request in theirs.requests] == [
        path,
        path.rpartition("/v1/")[0] + "/v1/models" if format_ == "anthropic" else "/deep/models",
    ]
    assert [request.header("authorization") for request in theirs.requests] == ["Bearer tid=1"] * 2
    assert theirs.requests[0].header("x-account") == "a"
    assert "all/x" in {row["id"] for row in listed.json["data"]}
