"""The proxy as a process on this machine, in front of whatever upstreams its models name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.processes import listening_url, process, proxy_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Gateway:
    """A running proxy; everything it may write is below `folder`."""

    url: str
    pid: int
    folder: Path

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self.folder / "proxy.log").read_text()


@contextmanager
def gateway(folder: Path, models: Sequence[dict[str, Any]], *options: str) -> Iterator[Gateway]:
    """Run the proxy with these entries in models.yaml, more `options`, and a home and a temporary folder of its own."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump(list(models)))
    env = {"PATH": os.defpath, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    command = proxy_command("--port", "0", "--models", str(file), "--log-level", "debug", *options)
    log = folder / "proxy.log"
    with process(command, log, env) as running:
        yield Gateway(listening_url(log), running.pid, folder)
