"""Whether another process of the same user can read a process that holds keys."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import paths

SCRIPT = """
import ctypes, os, sys, time
from claude_code_proxy.cli.ccproxy import memory_guard, session_server

libc = ctypes.CDLL(None, use_errno=True)
action = sys.argv[1]
user = 65534 if os.geteuid() == 0 else os.geteuid()  # root may read everything

def victim(done):
    os.setuid(user)
    libc.prctl(4, 1, 0, 0, 0)  # a change of user takes it away as well
    if action in ("guarded", "forked"):
        memory_guard.refuse_readers()
    if action == "forked":  # as the servers of a session are
        if pid := os.fork():
            os.write(done, b"%d" % pid)
            os._exit(0)
        time.sleep(60)
    if action == "server":
        nothing_yet, _ = os.pipe()
        os.dup2(nothing_yet, 0)
        os.write(done, b"x")
        session_server.main("0", "0")  # waits for its job
    os.write(done, b"x")
    time.sleep(60)

def attacker(pid):
    os.setuid(user)
    if action == "server":
        time.sleep(0.5)
    for name in ("environ", "mem"):
        try:
            open(f"/proc/{pid}/{name}", "rb").close()
            print(name, "open", flush=True)
        except PermissionError:
            print(name, "refused", flush=True)
    attached = libc.ptrace(16, pid, 0, 0) == 0
    print("ptrace", "attached" if attached else "refused", flush=True)

ready, done = os.pipe()
pid = os.fork()
if pid == 0:
    victim(done)
told = os.read(ready, 20)
pid = int(told) if told.isdigit() else pid
other = os.fork()
if other == 0:
    attacker(pid)
    os._exit(0)
os.waitpid(other, 0)
print("core", open(f"/proc/{pid}/limits").read().split("Max core file size")[1].split()[0] if os.geteuid() == 0 else "0")
os.kill(pid, 9)
"""


def attacked(action: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, action],
        capture_output=True,
        text=True,
        cwd=paths.REPOSITORY,
        timeout=60,
        check=True,
    )
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the switch")
def test_nobody_but_root_reads() -> None:
    plain = attacked("plain")
    assert plain["environ"] == "open", "this test proves nothing here"
    for action in ("guarded", "server", "forked"):
        found = attacked(action)
        assert found | {"core": ""} == {
            "environ": "refused",
            "mem": "refused",
            "ptrace": "refused",
            "core": "",
        }, action
        assert found["core"] == "0" or action != "server"
