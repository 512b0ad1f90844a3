"""Whose connection it is."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from claude_code_proxy.server.caller import peer_user

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = "   0: 0100007F:{:04X} 0100007F:{:04X} {} 00000000:00000000 00:00000000 00000000 {:5} 0 12345 1\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the table is Linux's")
def test_our_own_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert peer_user.may_be_ours(client.getsockname()[1], port)
        assert not peer_user.may_be_ours(1, port)


@pytest.mark.parametrize(
    ("lines", "ours"),
    [
        ([(5000, 80, "01", os.getuid())], True),
        ([(5000, 80, "01", 0)], True),
        ([(5000, 80, "01", 54321)], False),
        ([(5000, 80, "06", os.getuid())], False),
        ([(5000, 81, "01", os.getuid())], False),
        ([(80, 5000, "01", os.getuid())], False),
        ([(5000, 80, "01", os.getuid()), (5000, 80, "01", 54321)], False),
        ([(5000, 80, "06", 54321), (5000, 80, "01", os.getuid())], True),
        ([], False),
    ],
)
def test_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[tuple[int, int, str, int]], ours: bool
) -> None:
    table = tmp_path / "tcp"
    table.write_text(HEAD + "".join(LINE.format(*line) for line in lines))
    monkeypatch.setattr(peer_user, "_TABLES", (table, tmp_path / "absent"))
    assert peer_user.may_be_ours(5000, 80) is ours


def test_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_user, "_TABLES", (tmp_path / "absent",))
    assert peer_user.may_be_ours(5000, 80)
