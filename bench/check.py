"""`python -m bench.check`: has the proxy become much slower? For continuous integration, 15 seconds.

Compares with nginx in the same run and fails only far outside of the noise of a busy machine. Needs nginx and
a C compiler; without them it says so and passes, but where `CI` is set it installs nginx and must run.
"""

from __future__ import annotations

import os
import sys

from . import scenarios, workload
from .load import Load, MissingError
from .peers import Nginx, Ours, Peer

SCENARIO = "stream-16"
LEAST_RATE = 0.1  # of nginx's; about 0.8 is usual, less on machines whose system calls are cheap
MOST_CPU = 10.0  # times nginx's per request; about 1.3 is usual


def main() -> int:
    """Measure; 0 when all is well or nothing can be measured, 1 when the proxy has become slow or wrong."""
    floor_peer = Nginx()
    peers: list[Peer] = [Ours(), floor_peer]
    required = bool(os.environ.get("CI"))
    try:
        load = _prepare(floor_peer, required=required)
    except MissingError as error:
        print(f"speed check {'FAILED' if required else 'skipped'}: {error}")
        return int(required)
    scenario = next(scenario for scenario in scenarios.SCENARIOS if scenario.name == SCENARIO)
    try:
        load.answer(workload.chat_whole())
        for peer in peers:
            peer.start(load.upstream)
            scenarios.check(load, peer, scenario)
        found = scenarios.run(load, peers, scenario, rounds=7, seconds=0.7)
    finally:
        for peer in peers:
            peer.stop()
        load.close()
    ours, floor = found["ours"], found["nginx"]
    rate, cpu = ours.rate / floor.rate, ours.cpu / floor.cpu
    print(f"{scenario.title}: {rate:.2f} of nginx's requests per second, {cpu:.1f} times its processor time")
    if ours.failed or rate < LEAST_RATE or cpu > MOST_CPU:
        print(f"FAILED: {ours.failed} failed, at least {LEAST_RATE} and at most {MOST_CPU} are right")
        return 1
    return 0


def _prepare(floor_peer: Nginx, *, required: bool) -> Load:
    """The load program, with nginx on the machine. Raises `MissingError`."""
    if required:
        floor_peer.install()
    elif not floor_peer.present():
        raise MissingError("nginx is not installed")
    return Load()


if __name__ == "__main__":
    sys.exit(main())
