"""Several processes on one address, under clients that never pause: which one ends, and how, is not theirs to see."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.server.test_drain import ask, asking, family
from tests.server.test_serve import get, served

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the children of a process are read in /proc")


def workers(pid: int) -> set[int]:
    """The server's processes but its supervisor and a helper of multiprocessing."""
    found = set()
    for child in family(pid)[1:]:
        if b"multiprocessing.spawn" in Path(f"/proc/{child}/cmdline").read_bytes():
            found.add(child)
    return found


def replaced(pid: int, gone: set[int], count: int = 2) -> set[int]:
    """Wait until there are `count` workers, and none of those that shall be `gone`."""
    deadline = time.monotonic() + 60
    while True:
        now = workers(pid)
        if len(now) == count and not now & gone:
            return now
        assert time.monotonic() < deadline, (now, gone)
        time.sleep(0.1)


def test_each_process_is_ended_in_its_turn_and_nobody_notices(tmp_path: Path) -> None:
    with served(tmp_path, 2) as (process, base), asking(base, ask) as answers:
        before = replaced(process.pid, set())
        one = min(before)
        os.kill(one, signal.SIGHUP)  # means nothing to a worker
        os.kill(one, signal.SIGTERM)  # it ends, and another takes its place
        now = replaced(process.pid, {one})
        assert now & before
        process.send_signal(signal.SIGHUP)  # all are replaced
        now = replaced(process.pid, now)
        count = len(answers)
        while len(answers) < count + 50:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_process_that_is_killed_is_replaced_and_so_is_one_that_cannot_start(tmp_path: Path) -> None:
    with served(tmp_path, 2) as (process, base):
        get(f"{base}/health")
        process.send_signal(signal.SIGHUP)
        before = replaced(process.pid, replaced(process.pid, set()))  # each of these listens
        models = tmp_path / "models.yaml"
        kept = models.read_text()
        models.write_text("- {model_id: m}\n")  # what a new process cannot start with
        os.kill(min(before), signal.SIGKILL)
        assert process.stderr is not None
        said = ""
        while not re.search(r"the server process \d+ did not start", said):
            said += process.stderr.readline()
        models.write_text(kept)
        replaced(process.pid, {min(before)})
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"the server process {min(before)} ended (-9): replaced" in said
    assert "Traceback" not in said + errors


def test_processes_that_cannot_start_end_the_server(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks.py"
    hooks.write_text("import os\nos._exit(7)\n")
    with served(tmp_path, 2, more=f"hooks=Path({str(hooks)!r})") as (process, _):
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "did not start" in errors
