"""Addresses of hosts, remembered for a minute."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import OrderedDict

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]

_REMEMBERED = 60.0  # seconds
_MOST = 256
# what getaddrinfo refuses on some systems (AI_MASK: those it takes)
_FLAGS = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", -1)


class Names:
    """Looks hosts up, each once however many ask for it."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], tuple[float, asyncio.Task[list[AddressInfo]]]] = (
            OrderedDict()
        )

    async def find(self, host: str, port: int) -> list[AddressInfo]:
        """The addresses of a host, best first. Raises `socket.gaierror`."""
        if literal := _literal(host, port):
            return [literal]
        loop = asyncio.get_running_loop()
        until, task = self._known.get((host, port), (0.0, None))
        if task is None or loop.time() >= until or (task.done() and not _worked(task)):
            task = loop.create_task(_look_up(loop, host, port))
            task.add_done_callback(_worked)  # whoever asked may be gone when it fails
            self._known[host, port] = loop.time() + _REMEMBERED, task
            self._known.move_to_end((host, port))
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return await asyncio.shield(task)

    def forget(self, host: str, port: int) -> None:
        """Look `host` up anew next time: what is known of it did not serve."""
        self._known.pop((host, port), None)


async def _look_up(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[AddressInfo]:
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=_FLAGS)
    return [(int(family), int(kind), protocol, "", address) for family, kind, protocol, _, address in found]  # type: ignore[misc]


def _worked(task: asyncio.Task[list[AddressInfo]]) -> bool:
    return not task.cancelled() and task.exception() is None


def _literal(host: str, port: int) -> AddressInfo | None:
    """The address that `host` itself is, if it is one."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    address = (host, port) if version == 4 else (host, port, 0, 0)
    return int(family), int(socket.SOCK_STREAM), socket.IPPROTO_TCP, "", address
