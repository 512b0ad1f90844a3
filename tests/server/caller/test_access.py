"""Who may ask: web pages of others may nothing, other machines not everything."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.caller.access import Access, is_local
from claude_code_proxy.server.caller.call import Call
from claude_code_proxy.server.serve import serve
from tests.server.harness import BODY, ask, model, running_proxy

NOWHERE = "http://127.0.0.1:1"
DRY = "/v1/messages/test_conversion?dry_run=1"


async def never(*_: Any) -> Any:
    raise AssertionError


def call_with(
    headers: dict[str, str], client: tuple[str, int] | None = ("127.0.0.1", 1), path: str = "/"
) -> Call:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"method": "GET", "path": path, "query_string": b"", "headers": raw, "client": client}
    return Call(scope, never, never)


def refused(headers: dict[str, str], **settings: Any) -> bool:
    from claude_code_proxy.core.errors.api import ApiError

    access = Access(ServerSettings(models=Path("none"), **settings))
    try:
        access.check(call_with(headers))
    except ApiError as error:
        return error.status == 403 and error.type == "permission_error" and len(error.message) < 300
    return False


OWN = [
    "127.0.0.1",
    "127.0.0.1:8082",
    "localhost:1",
    "LOCALHOST",
    "[::1]:8082",
    "app.localhost",
    "192.0.2.7:80",
    "127.9.9.9",
]
FOREIGN = [
    "evil.example",
    "evil.example:8082",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8082",
    "127.0.0.1@evil.example",
    "evil.example/127.0.0.1",
    "127.0.0.1, evil.example",
    "rebind",
    "my.lan",
    "",
    " ",
    "[::1",
    "[evil]",
    "127.0.0.1:x",
    "e" * 5000,
    "caf\xe9.localhost",
]


@pytest.mark.parametrize("host", OWN)
async def test_own_names(host: str) -> None:
    assert not refused({"host": host})


@pytest.mark.parametrize("host", FOREIGN)
async def test_names_that_a_page_can_point_here(host: str) -> None:
    assert refused({"host": host})


@pytest.mark.parametrize(
    ("host", "settings", "is_refused"),
    [
        ("proxy.corp.example", {"allowed_hosts": ("proxy.corp.example",)}, False),
        ("PROXY.corp.example.:80", {"allowed_hosts": ("proxy.corp.example",)}, False),
        ("x.corp.example", {"allowed_hosts": ("corp.example",)}, True),
        ("any.example", {"allowed_hosts": ("*",)}, False),
        ("my.box", {"host": "My.Box"}, False),
        ("proxy:8082", {"allow_remote": True}, False),
        ("proxy:8082", {}, True),
        ("evil.example", {"allow_remote": True}, True),
    ],
)
async def test_names_by_setting(host: str, settings: dict[str, Any], is_refused: bool) -> None:
    assert refused({"host": host}, **settings) is is_refused


@pytest.mark.parametrize(
    ("headers", "settings", "is_refused"),
    [
        ({"origin": "https://evil.example"}, {}, True),
        ({"origin": "null"}, {}, True),
        ({"origin": "http://[::1"}, {}, True),
        ({"origin": ""}, {}, True),
        ({"origin": "http://localhost:3000"}, {}, True),
        ({"origin": "http://127.0.0.1:8082"}, {}, False),
        ({"origin": "http://127.0.0.1"}, {}, True),
        ({"sec-fetch-site": "cross-site"}, {}, True),
        ({"sec-fetch-site": "same-site"}, {}, True),
        ({"sec-fetch-site": "same-origin"}, {}, False),
        ({"sec-fetch-site": "none"}, {}, False),
        ({"sec-fetch-mode": "cors"}, {}, False),
        (
            {"origin": "http://localhost:3000", "sec-fetch-site": "same-site"},
            {"allowed_hosts": ("localhost",)},
            False,
        ),
        ({"origin": "app://notes.example"}, {"allowed_hosts": ("notes.example",)}, False),
        ({"origin": "null"}, {"allowed_hosts": ("null",)}, False),
        ({"origin": "https://evil.example"}, {"allowed_hosts": ("*",)}, False),
    ],
)
async def test_pages(headers: dict[str, str], settings: dict[str, Any], is_refused: bool) -> None:
    assert refused({"host": "127.0.0.1:8082", **headers}, **settings) is is_refused


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        (("127.0.0.1", 1), [], True),
        (("::1", 1), [], True),
        (("192.0.2.1", 1), [], False),
        (None, [], False),
        (("127.0.0.1", 1), [(b"via", b"1.1 front")], False),
    ],
)
async def test_who_is_on_this_machine(client: Any, headers: Any, local: bool) -> None:
    scope = {"method": "GET", "path": "/", "query_string": b"", "headers": headers, "client": client}
    assert is_local(Call(scope, never, never)) is local


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/stats"),
        ("GET", "/v1/models"),
        ("GET", "/test-connection"),
        ("GET", "/anthropic/v1/stats"),
        ("POST", DRY),
        ("POST", "/v1/messages"),
        ("GET", "/nope"),
    ],
)
async def test_every_path_checks_the_name(method: str, path: str) -> None:
    async with running_proxy([model(NOWHERE)]) as proxy:
        reply = await ask(proxy, BODY, method=method, path=path, headers={"host": "evil.example"})
    assert (reply.status, reply.json["error"]["type"]) == (403, "permission_error")
    assert NOWHERE not in reply.body.decode()


@pytest.mark.parametrize(
    "path", ["/v1/stats", "/test-connection", DRY, "/anthropic/v1/stats", "/v1/v1/stats"]
)
async def test_others_need_an_admin_token(path: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# admins\n\nsha256:{hashlib.sha256(b'let-me-in').hexdigest()} ann\n")
    how: dict[str, Any] = {"path": path, "method": "POST" if path == DRY else "GET"}
    far = {"x-forwarded-for": "192.0.2.1"}
    sent = [
        {},
        far,
        {**far, "x-proxy-admin-token": "guess"},
        {**far, "x-proxy-admin-token": "let-me-in"},
    ]
    async with running_proxy([model(NOWHERE)], admin_tokens=tokens) as proxy:
        statuses = [(await ask(proxy, BODY, headers=headers, **how)).status for headers in sent]
    assert statuses == [200, 403, 403, 200]
    async with running_proxy([model(NOWHERE)]) as proxy:
        assert (await ask(proxy, BODY, headers={**far, "x-proxy-admin-token": ""}, **how)).status == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "box.example"])
def test_another_address_is_only_listened_on_where_that_is_allowed(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--allow-remote"):
        serve(ServerSettings(models=tmp_path / "none.yaml", host=host))
    with pytest.raises(ConfigError, match="no such file"):
        serve(ServerSettings(models=tmp_path / "none.yaml", host=host, allow_remote=True))
