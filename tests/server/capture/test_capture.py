"""What a capture holds, by what the server writes while it serves."""

from __future__ import annotations

import base64
import json
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core.sealed_keys import seal
from claude_code_proxy.server.capture.capture import Capture, Room, chunk_bytes
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, KEY, Client, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.byte_upstream import Script

SESSION = {"x-claude-code-session-id": "s-1"}
NATIVE = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


async def captures(
    folder: Path, script: Script, body: Any, *, headers: dict[str, str] | None = None, **more: Any
) -> tuple[dict[str, Any], bytes]:
    """The one capture of a request, and what the client got."""
    async with running_upstream(script) as upstream:
        headers = {"x-ccproxy-keys": seal({upstream.base: KEY})} if headers == {} else headers
        async with running_proxy([model(upstream.base, **more)], capture=folder) as proxy:
            reply = await ask(proxy, body, headers={**SESSION, **(headers or {})})
            assert proxy.gateway.captures is not None
            await eventually(proxy.gateway.captures.names)
            (name,) = proxy.gateway.captures.names()
            assert name == reply.headers.get("request-id", name)
            document = proxy.gateway.captures.read(name)
            assert proxy.gateway.captures.read("req_none") is None
    assert document is not None
    return document, reply.body


def texts(folder: Path) -> list[str]:
    return [file.read_text() for file in folder.iterdir()]


def joined(flow: dict[str, Any]) -> bytes:
    return b"".join(map(chunk_bytes, flow["chunks"]))


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("beta=true&limit=5", "beta=true&limit=5"),
        ("key=planted-4711&beta=true", "key=***&beta=true"),
        ("q=what%20was%20said&after=trueish&sig=12345678901", "q=***&after=***&sig=***"),
        ("flag&empty=", "flag&empty="),
    ],
)
def test_values_of_the_query_stay_out(query: str, kept: str) -> None:
    line = ("POST", "/v1/messages", query)
    document = Capture(Room(1000), time.monotonic, 0.0, line, [], b"{}").document({}, [])
    assert document["request"]["query"] == kept


async def test_four_bodies_of_a_stream(tmp_path: Path) -> None:
    body = {**BODY, "stream": True, "top_k": 5}
    document, got = await captures(tmp_path / "new", say_hello, body)
    assert (document["version"], document["truncated"]) == (1, False)
    assert document["request"]["body"] == body
    assert document["request"]["headers"]["x-claude-code-session-id"] == "s-1"
    assert document["request"]["query"] == "beta=true"
    (sent,) = document["upstream"]
    assert sent["body"]["messages"] == [{"role": "user", "content": "hi"}]
    assert sent["url"].endswith("/chat/completions")
    assert sent["response"]["status"] == 200
    assert b"[DONE]" in joined(sent["response"])
    assert joined(document["answer"]) == got
    times = [chunk["seconds"] for chunk in sent["response"]["chunks"]]
    assert times == sorted(times)
    assert 0 < times[0] < 5
    assert [notice["code"] for notice in document["notices"]] == ["top_k"]
    assert document["notices"][0]["path"] == "top_k"
    assert document["record"]["session_id"] == "s-1"
    assert document["models"][0]["model_id"] == "m"
    (file,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def test_a_whole_answer_of_a_native_upstream(tmp_path: Path) -> None:
    async def answer(_: Request, connection: Connection) -> None:
        await connection.whole(200, {"type": "message", "model": "real"}, content_type="application/json")

    more: Any = {
        "format": "anthropic",
        "model_name": "real",
        "drop_fields": ["top_k"],
        "mid_system": "user_wrap",
    }
    document, got = await captures(tmp_path, answer, {**BODY, "top_k": 5}, **more)
    assert document["upstream"][0]["body"] == {**BODY, "model": "real"}
    assert json.loads(joined(document["upstream"][0]["response"]))["model"] == "real"
    assert json.loads(got)["model"] == "m"
    entry = document["models"][0]
    assert {name: entry[name] for name in more if name != "model_name"} == {
        name: more[name] for name in more if name != "model_name"
    }


async def test_a_correction_is_another_request(tmp_path: Path) -> None:
    async def refuse_once(request: Request, connection: Connection) -> None:
        if "temperature" in request.json:
            message = "Unsupported parameter: 'temperature' is not supported with this model."
            await connection.whole(400, {"error": {"message": message, "param": "temperature"}})
        else:
            await say_hello(request, connection)

    document, _ = await captures(tmp_path, refuse_once, {**BODY, "temperature": 0.5})
    assert [sent["response"]["status"] for sent in document["upstream"]] == [400, 200]
    assert "temperature" not in document["upstream"][1]["body"]


async def test_broken_off_and_never_there(tmp_path: Path) -> None:
    async def break_off(_: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hel"))
        connection.reset()

    document, _ = await captures(tmp_path, break_off, {**BODY, "stream": True})
    assert document["upstream"][0]["response"]["end"] == "cut"
    async with running_proxy([model("http://127.0.0.1:1")], capture=tmp_path, max_retries=0) as proxy:
        await ask(proxy, BODY)
        assert proxy.gateway.captures is not None
        await eventually(lambda: len(proxy.gateway.captures.names()) == 2)
        last = proxy.gateway.captures.read(proxy.gateway.captures.names()[-1])
    assert last is not None
    assert "127.0.0.1:1" in last["upstream"][0]["error"]
    assert last["answer"]["status"] == 502


async def test_what_is_no_text(tmp_path: Path) -> None:
    async def talk(_: Request, connection: Connection) -> None:
        await connection.head()
        data = b"data: " + json.dumps(text_chunk("caf\u00e9"), ensure_ascii=False).encode() + b"\n\n"
        cut = data.index(b"\xc3") + 1
        await connection.chunk(data[:cut])
        await connection.chunk(data[cut:] + b"data: [DONE]\n\n")
        await connection.end()

    document, _ = await captures(tmp_path, talk, {**BODY, "stream": True})
    response = document["upstream"][0]["response"]
    assert "caf\u00e9" in joined(response).decode()
    if len(response["chunks"]) > 1:
        assert base64.b64decode(response["chunks"][0]["base64"]).endswith(b"\xc3")


@pytest.mark.parametrize("headers", [None, {}, {"x-api-key": KEY}])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("form", ["openai", "anthropic"])
async def test_no_key_is_in_a_file(
    tmp_path: Path, headers: dict[str, str] | None, stream: bool, form: str
) -> None:
    """The key in every header that may bring it, in the request's texts, and quoted by the upstream."""

    async def quote(request: Request, connection: Connection) -> None:
        assert KEY in str(request.headers)
        if not stream:
            await connection.whole(400, {"error": {"message": f"bad {KEY}"}}, x_request_id=KEY)
            return
        await connection.head(x_request_id=KEY)
        event = b"data: " + json.dumps(text_chunk(f"you sent {KEY}")).encode() + b"\n\n"
        cut = event.index(KEY.encode()) + 7  # within the key
        await connection.chunk(event[:cut])
        await connection.chunk(event[cut:] + (NATIVE if form == "anthropic" else b"data: [DONE]\n\n"))
        await connection.end()

    asked = {**BODY, "stream": stream, "system": f"export KEY={KEY}", "metadata": {"user_id": KEY}}
    await captures(tmp_path, quote, asked, headers=headers, format=form)
    (text,) = texts(tmp_path)
    assert KEY not in text
    for length in (8, 7):
        assert KEY[-length:] not in text, "no part of it either"


async def test_only_requests_to_models_and_nothing_where_it_is_off(tmp_path: Path) -> None:
    async with running_upstream(say_hello) as upstream:
        async with running_proxy([model(upstream.base)], capture=tmp_path) as proxy:
            await ask(proxy, None, method="GET", path="/v1/models")
            await ask(proxy, BODY, path="/v1/messages/count_tokens")
        async with running_proxy([model(upstream.base)]) as proxy:
            await ask(proxy, BODY)
            assert proxy.gateway.captures is None
    assert texts(tmp_path) == []


async def test_filler_in_the_place_of_texts(tmp_path: Path) -> None:
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], capture=tmp_path, redact=True) as proxy,
    ):
        await ask(proxy, {**BODY, "stream": True, "system": "My secret"})
        await ask(proxy, {**BODY, "max_tokens": "many", "system": "My secret"})
    plain, refused = map(json.loads, texts(tmp_path))
    if plain["record"]["status"] != 200:
        plain, refused = refused, plain
    assert plain["redacted"]
    assert plain["request"]["body"]["system"] == "Xx xxxxxx"
    assert plain["upstream"][0]["body"]["messages"][0] == {"role": "system", "content": "Xx xxxxxx"}
    assert b"[DONE]" in joined(plain["upstream"][0]["response"])
    for flow in (plain["upstream"][0]["response"], plain["answer"]):
        assert b"Hello" not in joined(flow)
        assert b"Xxx" in joined(flow)
    assert b"max_tokens: must be" in joined(refused["answer"])


async def test_what_finds_no_room_is_left_out(tmp_path: Path) -> None:
    async with running_upstream(say_hello) as upstream:
        settings = {"capture": tmp_path, "capture_bytes": 400}
        async with running_proxy([model(upstream.base)], **settings) as proxy:
            client = await Client.connect(proxy)
            await client.send({**BODY, "system": "s" * 100})
            assert (await client.reply()).status == 200, "the request itself lacks nothing"
            client.close()
            assert proxy.gateway.captures is not None
            room = proxy.gateway.captures._room
            await eventually(lambda: room.held == 0)
    assert texts(tmp_path) == [], "and its file is more than all may have together"
