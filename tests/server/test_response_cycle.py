"""The bytes of a response are those that uvicorn's own cycle writes, in fewer writes."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from claude_code_proxy.server.response_cycle import ResponseCycle

JSON = (b"content-type", b"application/json")
LENGTH = (b"content-length", b"5")
DATE = [(b"date", b"Sat, 28 Nov 2026 12:00:00 GMT")]

Header = tuple[bytes, bytes]


class Transport(asyncio.Transport):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Remember it."""
        self.writes.append(bytes(data))

    def close(self) -> None:
        """Remember that too."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed


def cycle_of(
    kind: type[RequestResponseCycle], method: str = "POST", *, keep_alive: bool = True
) -> tuple[Any, Transport]:
    transport = Transport()
    scope: Any = {"method": method, "path": "/", "http_version": "1.1", "headers": []}
    if kind is ResponseCycle:
        connection: Any = SimpleNamespace(
            transport=transport,
            flow=FlowControl(transport),
            server_state=SimpleNamespace(default_headers=DATE),
            on_response_complete=lambda: None,
        )
        return ResponseCycle(connection, scope, keep_alive=keep_alive), transport
    cycle = kind(
        scope=scope,
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=DATE,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )
    return cycle, transport


async def respond(
    cycle: RequestResponseCycle, status: int, headers: list[Header], bodies: list[bytes]
) -> None:
    await cycle.send({"type": "http.response.start", "status": status, "headers": headers})
    for body in bodies[:-1]:
        await cycle.send({"type": "http.response.body", "body": body, "more_body": True})
    await cycle.send({"type": "http.response.body", "body": bodies[-1], "more_body": False})


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize(
    ("status", "headers", "bodies"),
    [
        (200, [JSON, LENGTH], [b"hello"]),
        (200, [JSON, LENGTH], [b"he", b"llo"]),
        (200, [JSON, LENGTH], [b"hello", b""]),
        (529, [JSON, LENGTH, (b"connection", b"close")], [b"hello"]),
        (200, [JSON], [b"hello"]),
        (200, [JSON], [b"he", b"llo", b""]),
        (200, [], [b""]),
        (204, [], [b""]),
        (304, [JSON], [b""]),
        (599, [(b"x-odd", b"caf\xe9 \t")], [b"a" * 70_000, b"b" * 17]),
    ],
)
async def test_the_bytes_of_uvicorn_s_own(
    status: int, headers: list[Header], bodies: list[bytes], method: str, *, keep_alive: bool
) -> None:
    plain, plain_transport = cycle_of(RequestResponseCycle, method, keep_alive=keep_alive)
    ours, transport = cycle_of(ResponseCycle, method, keep_alive=keep_alive)
    for cycle in (plain, ours):
        await respond(cycle, status, headers, bodies if method == "POST" else [b""])
    assert b"".join(transport.writes) == b"".join(plain_transport.writes)
    assert transport.closed == plain_transport.closed
    assert ours.response_complete
    assert await ours.receive() == {"type": "http.disconnect"}
    pieces = len(bodies) if method == "POST" else 1
    assert len(transport.writes) <= pieces  # the head takes none of its own
    await asyncio.sleep(0)
    assert len(transport.writes) <= pieces


async def test_a_head_without_a_body_goes_out_by_itself() -> None:
    cycle, transport = cycle_of(ResponseCycle)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [JSON]})
    assert not transport.writes
    await asyncio.sleep(0)
    (head,) = transport.writes
    assert head.endswith(b"transfer-encoding: chunked\r\n\r\n")
    await cycle.send({"type": "http.response.body", "body": b"x", "more_body": True})
    assert transport.writes[1:] == [b"1\r\nx\r\n"]


async def test_nothing_is_written_to_a_client_that_is_gone() -> None:
    cycle, transport = cycle_of(ResponseCycle)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [JSON]})
    cycle.disconnected = True
    await cycle.send({"type": "http.response.body", "body": b"x", "more_body": True})
    await asyncio.sleep(0)
    assert not transport.writes


async def test_a_slow_client_is_waited_for() -> None:
    cycle, transport = cycle_of(ResponseCycle)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [JSON]})
    cycle.flow.pause_writing()
    last: Any = {"type": "http.response.body", "body": b"x", "more_body": False}
    writing = asyncio.ensure_future(cycle.send(last))
    await asyncio.sleep(0.01)
    assert not writing.done()
    cycle.flow.resume_writing()
    await writing
    assert b"".join(transport.writes).endswith(b"\r\n\r\n1\r\nx\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("headers", "bodies"),
    [
        ([LENGTH], [b"hello!"]),
        ([LENGTH], [b"hell"]),
        ([LENGTH], [b"hell", b""]),
        ([(b"x-a", b"b\r\nc: d")], [b""]),
        ([(b"x-a", b"b\nc")], [b""]),
        ([(b"x-a\r", b"b")], [b""]),
        ([(b"x-a", b"\0")], [b""]),
    ],
)
async def test_a_response_that_breaks_http(headers: list[Header], bodies: list[bytes]) -> None:
    cycle, _ = cycle_of(ResponseCycle)
    with pytest.raises(RuntimeError):
        await respond(cycle, 200, headers, bodies)
