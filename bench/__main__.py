"""`python -m bench`: measure, print a page."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import extras, page, scenarios, workload
from .load import Load, MissingError
from .peers import PEERS, Old, Ours, Peer

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 when every answer was right, 1 when not, 2 when something is missing."""
    options = _arguments(argv)
    names = [name for name in options.peers.split(",") if name]
    wanted = [name for name in options.only.split(",") if name]
    chosen = [s for s in scenarios.SCENARIOS if not wanted or s.name in wanted]
    try:
        old = [Old(options.old)] if options.old else []
        peers: list[Peer] = [Ours(), *old, *(PEERS[name]() for name in names)]
        for peer in peers:
            peer.install()
        load = Load()
    except MissingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rounds, seconds = (3, 0.5) if options.quick else (options.rounds, options.seconds)
    result: dict[str, Any] = {"version": 1, "machine": page.machine(), "scenarios": {}}
    try:
        load.answer(workload.chat_whole())
        result["extras"] = {}
        if not wanted or "start" in wanted:
            result["extras"]["start"] = extras.start_up(load, peers, 1 if options.quick else 5)
        for peer in peers:
            peer.start(load.upstream)
        result["extras"]["memory_idle"] = {peer.name: peer.memory() for peer in peers}
        for scenario in chosen:
            fit = [
                p for p in peers if (scenario.slow_too or not p.slow) and (p.converts or not scenario.native)
            ]
            fit = [p for p in fit if not scenario.native or isinstance(p, Ours)]
            fit += [p for p in peers if scenario.native and p.name == "nginx"]
            for peer in fit:
                scenarios.check(load, peer, scenario)
            print(f"{scenario.name} ...", file=sys.stderr, flush=True)
            measured = scenarios.run(load, fit, scenario, rounds, seconds)
            result["scenarios"][scenario.name] = {name: f._asdict() for name, f in measured.items()}
        result["extras"]["memory_after"] = {peer.name: peer.memory() for peer in peers}
        if not wanted or "growth" in wanted:
            result["extras"]["growth"] = extras.growth(load, peers[0])
        if not wanted or "blocking" in wanted:
            result["extras"]["blocking"] = extras.blocking(load, peers[0])
        if not wanted or "sinks" in wanted:
            result["extras"]["sinks"] = extras.sinks(load, rounds, seconds)
        if not wanted or "workers" in wanted:
            result["extras"]["workers"] = extras.workers(load, rounds, seconds)
        if not wanted or "size" in wanted:
            result["extras"]["size"] = {p.name: size for p in peers if (size := p.size()) is not None}
    finally:
        for peer in peers:
            peer.stop()
        load.close()
    result["goals"] = page.goals(result)
    print(json.dumps(result, indent=1) if options.json else page.render(result))
    failed = sum(f["failed"] for found in result["scenarios"].values() for f in found.values())
    return 1 if failed else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="3 rounds of half a second")
    parser.add_argument("--peers", default="nginx", help=f"of {','.join(PEERS)} (default: nginx)")
    parser.add_argument("--old", type=Path, help="another checkout with a .venv, measured too")
    parser.add_argument("--only", default="", help="scenarios or figures by name, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
