"""`python -m tests.soak`: mixed traffic with random faults for two minutes; the exit code is 1 if anything is wrong."""

from __future__ import annotations

import argparse
import asyncio

from tests.soak.soaking import soak

if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", default="", help="for another sequence than last time")
    options = parser.parse_args()
    outcome = asyncio.run(soak(options.seconds, options.seed))
    print("requests:", ", ".join(f"{count} {kind}" for kind, count in outcome.ledger.items()))
    print("by the server:", ", ".join(f"{count} {kind}" for kind, count in outcome.server.items()))
    for held in outcome.held:
        print(f"{held.memory >> 10} kB, {held.files} files, {held.tasks} tasks, {held.threads} threads")
