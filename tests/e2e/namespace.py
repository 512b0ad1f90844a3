"""A Linux network namespace with nothing in it but loopback: what runs inside can reach nobody."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.npm import missing
from tests.packages import provide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PACKAGES = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}


class Namespace:
    """A namespace that is held open by the process `pid`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that runs `arguments` inside."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self._pid), "--net", *user, *arguments]


@contextmanager
def private_network() -> Iterator[Namespace]:
    """Make a namespace; it ends with the context, or with this process."""
    _provide_tools()
    kind = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    # `cat` ends when this process does, however it does, and the namespace with it.
    keeper = subprocess.Popen(
        ["unshare", *kind, "sh", "-c", "ip link set lo up && echo up && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert keeper.stdin
    assert keeper.stdout
    assert keeper.stderr
    try:
        if keeper.stdout.readline() != b"up\n":
            missing(f"no network namespace can be made here: {keeper.stderr.read().decode().strip()}")
        yield Namespace(keeper.pid)
    finally:
        keeper.communicate()


def _provide_tools() -> None:
    packages = provide(_PACKAGES)
    if packages:
        missing(f"the Debian packages {' and '.join(packages)} are not installed")
