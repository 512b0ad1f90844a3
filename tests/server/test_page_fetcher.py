"""Pages that the proxy fetches: from a server of our own that stands for the internet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from anthropic.types import Message

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.web_search import Asked, Filters
from claude_code_proxy.server.page_fetcher import PageFetcher
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, KEY, ask, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

HTML = (
    "<html><head><title> A\n page </title><style>p {}</style></head>"
    "<body><script>no()</script><h1>Hello</h1><p>Grün &amp; <b>gut</b></p></body></html>"
)


async def serve(request: Request, connection: Connection) -> None:
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = {
        "/page": (200, HTML.encode(), {"content-type": "text/html"}),
        "/latin": (200, HTML.encode("latin-1"), {"content-type": 'text/html; charset="ISO-8859-1"'}),
        "/odd": (200, b"plain", {"content-type": "text/plain; charset=nobody-knows"}),
        "/json": (200, b'{"a": 1}', {"content-type": "application/json"}),
        "/image": (200, b"\x89PNG", {"content-type": "image/png"}),
        "/long": (200, b"x" * 5000, {"content-type": "text/plain"}),
        "/moved": (302, b"", {"location": "/page"}),
        "/loop": (302, b"", {"location": "/loop"}),
        "/out": (302, b"", {"location": "file:///etc/passwd"}),
        "/inside": (302, b"", {"location": "http://127.0.0.2:1/"}),
        "/busy": (429, b"", {}),
        "/broken": (500, b"", {}),
    }
    status, body, headers = answers.get(request.path, (404, b"", {}))
    await connection.whole(status, body, **headers)


def loopback(address: str) -> bool:
    return address == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "title", "text"),
    [
        ("/page", "A page", "Hello\nGrün &\ngut"),
        ("/latin", "A page", "Hello\nGrün &\ngut"),
        ("/moved", "A page", "Hello\nGrün &\ngut"),
        ("/odd", "", "plain"),
        ("/json", "", '{"a": 1}'),
        ("/long", "", "x" * 1000),
    ],
)
async def test_pages(path: str, title: str, text: str) -> None:
    async with running_upstream(serve) as server:
        fetcher = PageFetcher(5, 1000, loopback)
        (found,) = await fetcher.fetch(Asked(None, Filters(), (server.base + path,)))
        await fetcher.close()
    assert (found.error, found.page.title, found.page.text) == ("", title, text)
    assert found.retrieved_at.endswith("+00:00")
    for request in server.requests:
        assert request.header("authorization") is None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/image", "unsupported_content_type"),
        ("/loop", "url_not_accessible"),
        ("/out", "url_not_allowed"),
        ("/inside", "url_not_accessible"),
        ("/busy", "too_many_requests"),
        ("/broken", "url_not_accessible"),
        ("/nothing", "url_not_accessible"),
    ],
)
async def test_what_is_no_page(path: str, error: str) -> None:
    async with running_upstream(serve) as server:
        fetcher = PageFetcher(5, 1000, loopback)
        (found,) = await fetcher.fetch(Asked(None, Filters(), (server.base + path,)))
        await fetcher.close()
    assert (found.error, found.page.text) == (error, "")


async def test_no_private_address_is_asked() -> None:
    async with running_upstream(serve) as server:
        fetcher = PageFetcher(5, 1000)
        urls = (
            f"{server.base}/page",
            server.base.replace("127.0.0.1", "localhost") + "/page",
            "http://[::1]:1/",
        )
        found = await fetcher.fetch(Asked(None, Filters(), urls))
        await fetcher.close()
    assert [one.error for one in found] == ["url_not_accessible"] * 3
    assert server.requests == []


async def test_domains_that_the_tool_does_not_allow() -> None:
    fetcher = PageFetcher(5, 1000)
    (found,) = await fetcher.fetch(Asked(None, Filters(("a.com",)), ("https://b.com/",)))
    assert found.error == "url_not_allowed"


async def test_a_server_that_does_not_respond() -> None:
    async def hang(request: Request, connection: Connection) -> None:
        await connection.left()

    async with running_upstream(hang) as server:
        fetcher = PageFetcher(0.2, 1000, loopback)
        (found,) = await fetcher.fetch(Asked(None, Filters(), (server.base,)))
        await fetcher.close()
    assert found.error == "url_not_accessible"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "selectolax", None)
    with pytest.raises(ConfigError, match=r"keyless-claude-proxy\[fetch\]"):
        PageFetcher(5, 1000)


def wanting(url: str, **tool: Any) -> dict[str, Any]:
    fetch = {"type": "web_fetch_20250910", "name": "web_fetch", **tool}
    return {
        **BODY,
        "messages": [{"role": "user", "content": f"Read {url}"}],
        "tools": [fetch],
        "tool_choice": {"type": "tool", "name": "web_fetch"},
    }


@pytest.fixture
def local_pages(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PageFetcher]:
    def make(seconds: float, limit: int) -> PageFetcher:
        return PageFetcher(seconds, limit, loopback)

    monkeypatch.setattr("claude_code_proxy.server.gateway.PageFetcher", make)
    return make


@pytest.mark.usefixtures("local_pages")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_page_and_the_answer_from_it(stream: bool) -> None:
    async with (
        running_upstream(serve) as pages,
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], fetch=True) as proxy,
    ):
        body = wanting(f"{pages.base}/page", max_content_tokens=2)
        reply = await ask(proxy, {**body, "stream": stream}, headers={"x-proxy-report": "1"})
    message = fold(reply.events, Report()) if stream else reply.json
    Message.model_validate(message)
    call, result, text = message["content"]
    assert (call["type"], call["name"], call["input"]) == (
        "server_tool_use",
        "web_fetch",
        {"url": f"{pages.base}/page"},
    )
    assert result["tool_use_id"] == call["id"]
    assert result["content"]["content"]["source"]["data"] == "Hello\nGr"
    assert result["content"]["content"]["title"] == "A page"
    assert text == {"type": "text", "text": "Hello"}
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 1}
    assert "web_fetch_emulated" in reply.headers["x-proxy-notices"]
    (sent,) = upstream.requests
    assert "Hello\nGr\n" in sent.json["messages"][0]["content"]
    assert "tools" not in sent.json
    assert KEY not in str(pages.requests)


@pytest.mark.usefixtures("local_pages")
@pytest.mark.parametrize(
    ("allowed", "codes"), [(True, {"web_fetch_emulated"}), (False, {"server_tool_dropped"})]
)
async def test_pages_that_the_user_names_beside_other_tools(allowed: bool, codes: set[str]) -> None:
    look = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    async with (
        running_upstream(serve) as pages,
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], fetch=allowed) as proxy,
    ):
        body = wanting(f"{pages.base}/page")
        body["tools"].append(look)
        del body["tool_choice"]
        reply = await ask(proxy, body, headers={"x-proxy-report": "1"})
        again = [
            *body["messages"],
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "seen"}]},
        ]
        followed = await ask(proxy, {**body, "messages": again})
    Message.model_validate(reply.json)
    kinds = [block["type"] for block in reply.json["content"]]
    assert kinds == (["server_tool_use", "web_fetch_tool_result", "text"] if allowed else ["text"])
    assert set(reply.headers["x-proxy-notices"].split(",")) == codes
    assert len(pages.requests) == (1 if allowed else 0)
    first, second = (sent.json for sent in upstream.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["look"]
    assert ("Hello\nGr" in first["messages"][0]["content"]) is allowed
    assert second["messages"][0]["content"].startswith("Read ")
    assert [block["type"] for block in followed.json["content"]] == ["text"]


@pytest.mark.usefixtures("local_pages")
async def test_without_an_address_nothing_is_fetched() -> None:
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], fetch=True) as proxy,
    ):
        reply = await ask(proxy, wanting("my page"))
    assert "names no address" in reply.json["content"][0]["text"]
    assert upstream.requests == []
