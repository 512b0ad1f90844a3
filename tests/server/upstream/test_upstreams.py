"""Clients for upstreams: which URL, which key, which proxy."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from claude_code_proxy import http1
from claude_code_proxy.config.models_yaml.model_table import ModelTable
from claude_code_proxy.config.models_yaml.models_file import FixedModels
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.errors.masking import without_keys
from claude_code_proxy.server.caller.auth import keys_of
from claude_code_proxy.server.upstream import failures
from claude_code_proxy.server.upstream import upstreams as upstream
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, KEY, Proxy, ask, model, running_proxy


@pytest.fixture(autouse=True)
def fresh_routes() -> Iterator[None]:
    upstream._route.cache_clear()
    yield
    upstream._route.cache_clear()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    models = [
        model("https://api.example.com/v1"),
        {"model_id": "c", "api_base": "https://api.anthropic.com"},
    ]
    async with running_proxy(models) as running:
        yield running


async def test_clients_of_the_first_plan(proxy: Proxy) -> None:
    upstreams = proxy.gateway.upstreams
    openai = upstreams.create_openai_client("m", KEY)
    assert openai.url == "https://api.example.com/v1/chat/completions"
    assert openai.headers["Authorization"] == f"Bearer {KEY}"
    claude = upstreams.create_claude_client("c", KEY)
    assert claude.url == "https://api.anthropic.com/v1/messages"
    assert claude.headers["x-api-key"] == KEY
    assert "Authorization" not in claude.headers
    with pytest.raises(ApiError) as raised:
        upstreams.create_openai_client("nope", KEY)
    assert raised.value.status == 404


@pytest.mark.parametrize(
    ("url", "proxy_url"),
    [
        ("http://api.example.com/v1", "http://user:pass@proxy.example:3128"),
        ("https://api.example.com/v1", "http://secure.example:3129"),
        ("http://skipped.example/v1", None),
        ("http://127.0.0.1:1/v1", None),
        ("http://[::1]:1/v1", None),
        ("http://localhost:1/v1", None),
        ("http://demo.localhost:1/v1", None),
    ],
)
def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy_url: str | None
) -> None:
    for name in ("all_proxy", "no_proxy", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://user:pass@proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "secure.example:3129")
    monkeypatch.setenv("NO_PROXY", "skipped.example")
    _, through = upstream._route(url, socks=False)
    assert (str(through) if through else None) == proxy_url


def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy.example:1080")
    with pytest.raises(ApiError, match="socks5"):
        upstream._route("https://api.example.com/v1", socks=False)


async def test_requests_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_upstream(say_hello) as forward:
        monkeypatch.setenv("http_proxy", forward.base.replace("//", "//user:pass@"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with running_proxy([model("http://api.example.com/v1")], allow_plain_http=True) as proxy:
            reply = await ask(proxy)
    assert reply.status == 200
    request = forward.requests[0]
    assert request.path == "http://api.example.com/v1/chat/completions"
    assert request.header("proxy-authorization") == "Basic dXNlcjpwYXNz"
    assert request.header("authorization") == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "first", [b"\x16\x03\x01 not tls", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 banana\r\n\r\n"]
)
async def test_what_is_not_http_is_a_bad_gateway(first: bytes) -> None:
    async def script(request: Request, connection: Connection) -> None:
        await connection.raw(first)
        connection.reset()

    async with (
        running_upstream(script) as wrong,
        running_proxy([model(wrong.base)], max_retries=0) as proxy,
    ):
        reply = await ask(proxy)
    assert (reply.status, reply.json["error"]["type"]) == (502, "api_error")


async def test_plain_http_where_tls_is_expected() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as plain:
        base = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}"
        async with running_proxy([model(base)], max_retries=0) as proxy:
            reply = await ask(proxy)
    assert reply.status == 502
    assert "secure connection" in reply.json["error"]["message"]


async def test_a_host_that_does_not_exist() -> None:
    async with running_proxy([model("https://does-not-exist.invalid")], max_retries=0) as proxy:
        reply = await ask(proxy)
    assert reply.status == 502
    assert "does-not-exist.invalid" in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (http1.RequestError("the header x"), 500, "cannot be sent: the header x"),
        (http1.ConnectTimeoutError("late"), 504, "no connection in time"),
        (http1.DnsError("unknown"), 502, "cannot find the host"),
        (http1.TlsError("self-signed"), 502, "no secure connection"),
        (http1.ConnectError("refused"), 502, "refused"),
        (http1.ResetError("gone"), 502, "connection reset by"),
        (http1.AnswerError("banana"), 502, "the response is not HTTP: banana"),
    ],
)
def test_each_failure_has_its_words(error: http1.HttpError, status: int, words: str) -> None:
    told = failures.connect_error(error, "https://api.example.com")
    assert told.status == status
    assert words in told.message


async def test_configured_headers_go_out_as_utf_8() -> None:
    async with running_upstream(say_hello) as upstream:
        entry = model(upstream.base, extra_headers={"X-Team": "Grün ☕"})
        async with running_proxy([entry]) as proxy:
            assert (await ask(proxy)).status == 200
    assert upstream.requests[0].header("x-team") == "Grün ☕"


def test_redacting_takes_both_keys_and_leaves_placeholders() -> None:
    headers = {"authorization": "Bearer first-secret", "x-api-key": "second-secret"}
    assert without_keys(["first-secret, second-secret", "none of it"], {"none", *keys_of(headers)}) == [
        "[key], [key]",
        "none of it",
    ]


@pytest.mark.parametrize(("separate", "connections"), [(False, 1), (True, 2)])
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_connections_of_one_key(separate: bool, connections: int, kind: str) -> None:
    async with running_upstream(say_hello) as provider:  # noqa: SIM117 - the proxy asks it
        async with running_proxy([model(provider.base, format=kind)], separate_connections=separate) as proxy:
            for key in ("key-of-ann", "key-of-bob", "key-of-ann", "key-of-bob"):
                await ask(proxy, BODY, key=key)
            assert provider.open_connections == connections


def test_only_http1_can_separate_them(tmp_path: Path) -> None:
    settings = ServerSettings(models=tmp_path / "none", separate_connections=True, transport="http2")
    with pytest.raises(ConfigError, match="separate-connections"):
        upstream.Upstreams(FixedModels(ModelTable([])), settings)
