"""A connection without a network: what must be right at the moment when two things happen at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.http1 import Options, ResetError, Tls
from claude_code_proxy.http1 import dial as dial_module
from claude_code_proxy.http1.address import locate
from claude_code_proxy.http1.connection import SLICE, Connection
from claude_code_proxy.http1.dial import Dialer
from claude_code_proxy.http1.pool import Pool
from tests.http1.byte_server import OK

if TYPE_CHECKING:
    from claude_code_proxy.http1.address import Origin

ORIGIN = locate("http://a.example", None).origin


class Wire(asyncio.Transport):
    """A transport that takes everything and sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.waiting = 0
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True


@pytest.fixture
def lost() -> list[Connection]:
    return []


@pytest.fixture
async def connection(lost: list[Connection]) -> Connection:
    connection = Connection(asyncio.get_running_loop(), ORIGIN, lost.append)
    connection.connection_made(Wire())
    return connection


def wire(connection: Connection) -> Wire:
    assert isinstance(connection._transport, Wire)
    return connection._transport


async def asked(connection: Connection, body: bytes = b"") -> asyncio.Task[None]:
    task = asyncio.create_task(connection.ask(b"HEAD", body))
    await asyncio.sleep(0)
    return task


async def test_head_and_body_go_out_in_one_write(connection: Connection) -> None:
    task = await asked(connection, b"BODY")
    assert wire(connection).written == [b"HEADBODY"]
    connection.data_received(OK)
    await task
    assert await connection.read() == b"ok"
    assert connection.is_reusable


async def test_a_large_body_goes_out_slice_by_slice(connection: Connection) -> None:
    body = b"x" * SLICE + b"y" * SLICE + b"z"
    task = await asked(connection, body)
    connection.pause_writing()
    for _ in range(5):
        await asyncio.sleep(0)
    so_far = len(wire(connection).written)
    assert so_far < 4
    connection.resume_writing()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [len(piece) for piece in wire(connection).written] == [4, SLICE, SLICE, 1]
    assert b"".join(wire(connection).written) == b"HEAD" + body
    connection.data_received(OK)
    await task
    assert connection.is_reusable
    wire(connection).waiting = 1
    assert not connection.is_reusable, "the transport has not sent all of it"


async def test_a_refusal_ends_the_body(connection: Connection) -> None:
    task = await asked(connection, b"x" * (4 * SLICE))
    connection.pause_writing()
    connection.data_received(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
    connection.resume_writing()
    await task
    await asyncio.sleep(0)
    assert len(wire(connection).written) < 5
    assert connection.is_complete
    assert not connection.is_reusable


async def test_the_head_and_the_end_at_once(connection: Connection, lost: list[Connection]) -> None:
    task = await asked(connection)
    connection.data_received(OK)
    connection.connection_lost(None)
    await task
    assert await connection.read() == b"ok"
    assert await connection.read() == b""
    assert connection.is_complete
    assert not connection.is_reusable
    assert lost == [connection]


async def test_closed_before_it_is_used(connection: Connection, lost: list[Connection]) -> None:
    connection.eof_received()
    connection.connection_lost(None)
    assert lost == [connection]
    assert not connection.is_idle
    with pytest.raises(ResetError):
        await connection.ask(b"HEAD", b"")
    with pytest.raises(ResetError):
        connection.hand_over()
    connection.data_received(b"late")


async def test_a_failure_without_words_has_its_name(connection: Connection) -> None:
    task = await asked(connection)
    connection.connection_lost(ConnectionResetError())
    with pytest.raises(ResetError, match="ConnectionResetError"):
        await task


async def test_cancelled_when_the_head_is_there(connection: Connection) -> None:
    task = await asked(connection)
    connection.data_received(OK)
    task.cancel()
    connection.connection_lost(None)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wire(connection).closing


@pytest.mark.parametrize("then", ["read", "rest"])
async def test_reading_that_pauses_goes_on(connection: Connection, then: str) -> None:
    reading: list[str] = []
    wire(connection).pause_reading = lambda: reading.append("pause")  # type: ignore[method-assign]
    wire(connection).resume_reading = lambda: reading.append("resume")  # type: ignore[method-assign]
    task = await asked(connection)
    piece = b"x" * 100_000
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + piece)
    await task
    connection.data_received(piece)  # which the transport had read already
    assert reading == ["pause"]
    if then == "read":
        assert await connection.read() == piece * 2
        connection.data_received(piece)
        assert await connection.read() == piece
    else:
        connection.data_received(piece)
    assert connection.is_reusable
    connection.rest()
    assert reading == ["pause", "resume"]
    assert connection.is_idle


async def test_a_connection_that_was_lost_at_once_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dial(self: Dialer, origin: Origin, seconds: float, lost: object) -> Connection:
        connection = Connection(asyncio.get_running_loop(), origin, lambda _: None)
        connection.connection_made(Wire())
        connection.connection_lost(None)
        return connection

    monkeypatch.setattr(Dialer, "dial", dial)
    pool = Pool(Options(idle_seconds=1.0, idle_connections=1))
    await pool.dial(ORIGIN, 1.0)
    assert not pool._open


async def test_a_proxy_that_leaves_while_tls_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start_tls(*_: object, **__: object) -> None:
        return None

    async def tunnel(*_: object) -> Wire:
        return Wire()

    async def opened(self: Dialer, place: object, connection: Connection) -> Connection:
        return connection

    monkeypatch.setattr(dial_module, "_tunnel", tunnel)
    monkeypatch.setattr(Dialer, "_open", opened)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: type("Loop", (), {"start_tls": start_tls})())
    origin = locate("https://a.example", "http://proxy.example").origin
    with pytest.raises(ConnectionResetError, match="proxy closed"):
        await Dialer(Tls())._connect(origin, lambda _: None)
