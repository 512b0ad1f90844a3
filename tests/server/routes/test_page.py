"""`/ui`: who gets it, what its files may do, and the stream of news."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.server.caller import access
from claude_code_proxy.server.records.live_feed import MAX_VIEWERS
from claude_code_proxy.server.routes import page
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello, text_chunk
from tests.server.harness import BODY, KEY, Client, Proxy, ask, eventually, model, running_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOLDER = Path(page.__file__).parent.parent / "page"
GET = {"method": "GET", "body": None, "key": None}


@asynccontextmanager
async def viewing(proxy: Proxy) -> AsyncIterator[Client]:
    client = await Client.connect(proxy, limit=1 << 20)
    await client.send(path="/ui/events", method="GET", key=None)
    status, headers = await client.head()
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    try:
        yield client
    finally:
        client.close()


async def news(client: Client) -> dict[str, Any]:
    async with asyncio.timeout(5):
        data = await client.chunk()
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    told: dict[str, Any] = json.loads(data[6:])
    return told


async def test_the_stream_tells_of_a_request_while_it_runs_and_when_it_ends() -> None:
    more, finish = asyncio.Event(), asyncio.Event()

    async def wait(request: Request, connection: Connection) -> None:
        await connection.head()
        await connection.event(text_chunk("Hel"))
        await more.wait()
        await connection.event(text_chunk("lo"))
        await finish.wait()
        await connection.event(text_chunk(finish="stop"))
        await connection.chunk(b"data: [DONE]\n\n")
        await connection.end()

    async with (
        running_upstream(wait) as upstream,
        running_proxy([model(upstream.base)]) as proxy,
        viewing(proxy) as viewer,
    ):
        assert (await news(viewer))["server"]["workers"] == 1
        asking = asyncio.create_task(ask(proxy, {**BODY, "stream": True}))
        (row,) = (await news(viewer))["rows"]
        assert row["state"] == "running"
        more.set()
        while "moves" not in (told := await news(viewer)):
            continue
        assert told["moves"][0][0] == row["id"]
        finish.set()
        reply = await asking
        while "rows" not in (told := await news(viewer)):
            continue
        (ended,) = told["rows"]
        assert (ended["id"], ended["state"]) == (row["id"], "ok")
        assert ended["id"] == reply.headers["request-id"]
        assert KEY not in json.dumps(told)


async def test_a_viewer_is_no_request_and_leaves_nothing_behind() -> None:
    async with running_proxy([model("http://127.0.0.1:1")], max_requests=1, max_requests_per_key=1) as proxy:
        feed = proxy.gateway.feed
        assert feed is not None
        async with viewing(proxy), viewing(proxy):
            await eventually(lambda: feed.viewers == 2)
            assert proxy.gateway.in_flight == 0
            assert (await ask(proxy, None, method="GET", path="/v1/models")).status == 200
        await eventually(lambda: feed.viewers == 0 and not feed.running)


async def test_not_more_viewers_than_there_may_be() -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        feed = proxy.gateway.feed
        assert feed is not None
        feed.viewers = MAX_VIEWERS
        assert (await ask(proxy, path="/ui/events", **GET)).status == 529


async def test_a_server_that_ends_does_not_wait_for_viewers() -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        client = await Client.connect(proxy)
        await client.send(path="/ui/events", method="GET", key=None)
        await client.head()
        await client.chunk()
    async with asyncio.timeout(1):
        assert await client.chunk() == b""
    client.close()


async def test_head_of_the_stream() -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        reply = await ask(proxy, None, method="HEAD", path="/ui/events", key=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")


async def test_every_file_of_the_page() -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        shown = await ask(proxy, path="/ui", **GET)
        linked = set(re.findall(r'(?:src|href)="(/[^"]+)"', shown.body.decode()))
        for path in sorted(FOLDER.rglob("*.js")):
            found = re.findall(r'from "\./(\w+\.js)"', path.read_text(encoding="utf-8"))
            linked |= {f"/ui/{name}" for name in found}
        assert {name.removeprefix("/ui/") for name in linked} >= {
            "app.js",
            "feed.js",
            "uplot.js",
            "style.css",
        }
        for name in linked:
            assert (await ask(proxy, path=name, **GET)).status == 200, name
        for reply in (
            shown,
            await ask(proxy, path="/ui/", **GET),
            await ask(proxy, path="/ui/app.js", **GET),
        ):
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/ui/nothing.js", "/ui/../app.py", "/ui/vendored.json", "/uis"])
async def test_what_is_no_file_of_the_page(path: str) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        assert (await ask(proxy, path=path, **GET)).status == 404
        assert (await ask(proxy, path="/ui/app.js")).status == 405


def test_what_is_vendored_is_what_the_bill_of_materials_says() -> None:
    folder = FOLDER / "vendor"
    (component,) = json.loads((folder / "components.json").read_text(encoding="utf-8"))
    told = {part["name"]: part["hashes"][0]["content"] for part in component["components"]}
    there = {path.name for path in folder.iterdir()} - {"components.json"}
    assert told == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in there}
    assert f"(v{component['version']})" in (folder / "uplot.js").read_text(encoding="utf-8")
    licence = (folder / "uplot-LICENSE.txt").read_text(encoding="utf-8")
    assert f"The {component['licenses'][0]['license']['id']} License" in licence


def test_no_file_asks_for_anything_elsewhere_or_writes_markup() -> None:
    for path in FOLDER.glob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path
        assert not re.search(r'\son\w+="|style="|<script>', text), path


FORWARDED = {"x-forwarded-for": "203.0.113.9"}


@pytest.mark.parametrize(
    "path", ["/ui", "/ui/app.js", "/ui/events", "/ui/request?id=x", "/ui/line?session=s"]
)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (FORWARDED, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example"}, 403),
    ],
)
async def test_who_does_not_get_it(path: str, headers: dict[str, str], status: int) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        assert (await ask(proxy, path=path, headers=headers, **GET)).status == status


async def test_a_sessions_own_page_is_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        for private, ours, status in ((True, True, 200), (True, False, 403), (False, False, 200)):
            proxy.gateway.private = private
            monkeypatch.setattr(access, "may_be_ours", lambda *_, ours=ours: ours)
            for path in ("/ui", "/ui/app.js", "/ui/request?id=x", "/ui/line?session=s"):
                assert (await ask(proxy, path=path, **GET)).status == status


async def test_with_tokens_an_admin_gets_it_and_a_browser_here_needs_none(tmp_path: Path) -> None:
    admins, clients = tmp_path / "admins", tmp_path / "clients"
    admins.write_text("sha256:" + hashlib.sha256(b"admin-token").hexdigest() + "\n")
    clients.write_text("sha256:" + hashlib.sha256(b"client-token").hexdigest() + "\n")
    settings = {"admin_tokens": admins, "client_tokens": clients}
    async with running_proxy([model("http://127.0.0.1:1")], **settings) as proxy:
        assert (await ask(proxy, path="/ui", **GET)).status == 200
        assert (await ask(proxy, path="/ui", headers=FORWARDED, **GET)).status == 403
        admin = {**FORWARDED, "x-proxy-admin-token": "admin-token"}
        assert (await ask(proxy, path="/ui", headers=admin, **GET)).status == 200


async def test_the_line_of_a_session() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        assert (await ask(proxy, path="/ui/line?session=s-1", **GET)).body == b""
        await ask(proxy, headers={"x-claude-code-session-id": "s-1"})
        reply = await ask(proxy, path="/ui/line?session=s-1", **GET)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert reply.body.decode() == "custom · m"
        assert (await ask(proxy, path="/ui/line", **GET)).body == b""


async def test_switched_off() -> None:
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], ui=False) as proxy,
    ):
        assert (await ask(proxy)).status == 200
        for path in ("/ui", "/ui/app.js", "/ui/events", "/ui/request"):
            assert (await ask(proxy, path=path, **GET)).status == 404


async def test_the_notices_of_a_request() -> None:
    async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
        reply = await ask(proxy, {**BODY, "context_management": {"edits": [{"type": "x"}]}, "top_k": 3})
        told = await ask(proxy, path=f"/ui/request?id={reply.headers['request-id']}", **GET)
        assert all(set(notice) == {"code", "action", "path", "reason"} for notice in told.json["notices"])
        assert "top_k" in {notice["path"] for notice in told.json["notices"]}
        assert (await ask(proxy, path="/ui/request?id=none", **GET)).json["notices"] == []


async def test_who_looks_is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "claude_code_proxy")
    async with running_proxy([model("http://127.0.0.1:1")]) as proxy:
        await ask(proxy, path="/ui", **GET)
        await ask(proxy, path="/ui", headers=FORWARDED, **GET)
    lines = [record.getMessage() for record in caplog.records if "/ui" in record.getMessage()]
    assert [line.split()[3] for line in lines] == ["403"]


async def test_the_bodies_of_a_request_for_the_servers_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "capture"
    async with (
        running_upstream(say_hello) as upstream,
        running_proxy([model(upstream.base)], capture=folder) as proxy,
    ):
        reply = await ask(proxy, {**BODY, "top_k": 3})
        path = f"/ui/request?id={reply.headers['request-id']}"
        captures = proxy.gateway.captures
        assert captures is not None
        await eventually(captures.names)
        told = (await ask(proxy, path=path, **GET)).json
        assert told["capture"]["request"]["body"]["top_k"] == 3
        assert told["capture"]["upstream"][0]["response"]["status"] == 200
        assert "top_k" in {notice["path"] for notice in told["notices"]}
        assert KEY not in json.dumps(told)
        assert (await ask(proxy, path="/ui/request?id=none", **GET)).json["capture"] is None
        monkeypatch.setattr(access, "may_be_ours", lambda *_: False)
        told = (await ask(proxy, path=path, **GET)).json
        assert told["capture"] is None
        assert "user who runs the server" in told["reason"]
