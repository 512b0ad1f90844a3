"""Whose process is at the other end of a connection on this machine, where the system tells: on Linux."""

from __future__ import annotations

import os
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_LOCAL, _REMOTE, _STATE, _USER = 1, 2, 3, 7  # columns


def may_be_ours(peer_port: int, own_port: int) -> bool:
    """Whether the process that connected from `peer_port` to `own_port` is this user's, or root's.

    True too where no table of connections is to be had. Reads files: not for the event loop.
    """
    users = _users(peer_port, own_port)
    if users is None:
        return True
    return bool(users) and users <= {0, os.getuid()}


def _users(peer_port: int, own_port: int) -> set[int] | None:
    """The users who have a connection between these ports; more than one is somebody's deceit."""
    users, tables = set(), 0
    for path in _TABLES:
        try:
            lines = path.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        tables += 1
        for line in lines:
            row = line.split()
            ports = int(row[_LOCAL].rpartition(":")[2], 16), int(row[_REMOTE].rpartition(":")[2], 16)
            if ports == (peer_port, own_port) and row[_STATE] == _ESTABLISHED:
                users.add(int(row[_USER]))
    return users if tables else None
