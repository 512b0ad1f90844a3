"""`python -m tests.fuzz`: many inputs for each reader; guided by coverage where `atheris` is installed.

An input that fails is written to `fuzz-TARGET.bin`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from contextlib import nullcontext
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz.mutate import LONGEST, inputs

atheris: Any = import_module("atheris") if "--atheris" in sys.argv else None
with atheris.instrument_imports(include=["claude_code_proxy"]) if atheris else nullcontext():
    from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from tests.fuzz.targets import Target


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target (default 100000)")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="only this one")
    parser.add_argument("--seed", default="", help="for other inputs than last time")
    parser.add_argument("--atheris", action="store_true", help="guide one target by coverage")
    options = parser.parse_args()
    chosen = [target for target in TARGETS if options.target in (None, target.name)]
    if options.atheris:
        return _guided(chosen[0], options.inputs)
    return max(_run(target, options.inputs, options.seed) for target in chosen)


def _run(target: Target, count: int, seed: str) -> int:
    pick = random.Random(f"{target.name}{seed}")
    began = time.monotonic()
    for data in islice(inputs(list(target.seeds()), target.words, pick), count):
        try:
            target.run(data)
        except BaseException:
            Path(f"fuzz-{target.name}.bin").write_bytes(data)
            print(f"{target.name}: failed; the input is in fuzz-{target.name}.bin", file=sys.stderr)
            raise
    print(f"{target.name}: {count} inputs in {time.monotonic() - began:.0f} s, none failed")
    return 0


def _guided(target: Target, count: int) -> int:
    folder = Path(f"fuzz-{target.name}")
    folder.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (folder / f"seed-{number}").write_bytes(seed[:LONGEST])
    atheris.Setup([sys.argv[0], f"-runs={count}", f"-max_len={LONGEST}", str(folder)], target.run)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
