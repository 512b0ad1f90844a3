"""`python -m tests.mutants errors request/read.py`: change the core in small ways; which changes does no test notice?

The tests run once, to see which lines each of them reaches. Then a process is forked for each change: it puts the
changed code into the function and runs the tests that reach the line, until one fails. What comes out is a line of
build/mutants.jsonl, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import mmap
import os
import resource
import signal
import sys
import time
import zlib
from collections import Counter
from contextlib import suppress
from functools import _lru_cache_wrapper, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import coverage
import pytest
from hypothesis import Phase, settings

from tests.mutants.changes import Change, changes
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CORE = REPOSITORY / "src/claude_code_proxy/core"
RECORDS = REPOSITORY / "build/mutants.jsonl"
SLOW = 0.1  # seconds of processor time of a test that has to wait for the others
PATIENCE = 2  # seconds of processor time that a test may take beyond what it takes with the unchanged code
MEMORY = 4 << 30
_NOT_MADE = 70


class Mutants:
    """A plugin of pytest that runs the tests in its own way."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.known = {record["change"]: record["noticed"] for record in _records()}
        self.files = [file for name in options.paths for file in _files(CORE / name)]
        self.sound: dict[int, bool] = {}  # does a test that noticed a change pass again without it?
        self.running = mmap.mmap(-1, 8)  # shared with the forked processes: the test that runs

    def pytest_sessionstart(self) -> None:
        settings.register_profile(
            "mutants",
            settings.default,
            phases=[Phase.explicit, Phase.generate],
            database=None,
            derandomize=True,
            max_examples=20,
            report_multiple_bugs=False,
        )
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.tests: Any = session.items
        measured = coverage.Coverage(
            data_file=None, config_file=False, include=[str(file) for file in self.files]
        )
        measured.start()
        self.seconds = [self._measure(measured, index) for index in range(len(self.tests))]
        measured.stop()
        # The fastest test of each file, then the second fastest: different files ask for different things.
        turns: Counter[Path] = Counter()
        self.turn = [(False, 0)] * len(self.tests)
        for index in sorted(range(len(self.tests)), key=self.seconds.__getitem__):
            self.turn[index] = self.seconds[index] > SLOW, turns[self.tests[index].path]
            turns[self.tests[index].path] += 1
        gc.collect()
        # A module that a test loads anew has its functions twice.
        self.functions: dict[tuple[str, tuple[str, int]], list[FunctionType]] = {}
        for each in gc.get_objects():
            if isinstance(each, FunctionType):
                code = each.__code__
                place = code.co_filename, (code.co_name, code.co_firstlineno)
                self.functions.setdefault(place, []).append(each)
            elif isinstance(each, _lru_cache_wrapper) and each.__module__.startswith(
                "claude_code_proxy.core"
            ):
                each.cache_clear()
        gc.freeze()
        with RECORDS.open("a", encoding="utf-8") as file:
            for path in self.files:
                for record in self._try_all(path, measured.get_data().contexts_by_lineno(str(path))):
                    file.write(json.dumps(record) + "\n")
                    file.flush()
        return True

    def _measure(self, measured: coverage.Coverage, index: int) -> float:
        measured.switch_context(str(index))
        began = time.process_time()
        self._run(index, index + 1)
        return time.process_time() - began

    def _run(self, index: int, following: int | None) -> None:
        test = self.tests[index]
        test._initrequest()
        call: Any = test.config.hook
        try:
            with suppress(pytest.skip.Exception):
                call.pytest_runtest_setup(item=test)
                call.pytest_runtest_call(item=test)
        finally:
            last = following is None or following == len(self.tests)
            call.pytest_runtest_teardown(item=test, nextitem=None if last else self.tests[following])

    def _try_all(self, path: Path, reached: dict[int, list[str]]) -> Iterator[dict[str, Any]]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        useful: Counter[int] = Counter()
        wanted = False if self.options.left else None
        for name, change in _named(path, tree):
            if zlib.crc32(name.encode()) % self.options.share or self.known.get(name) is not wanted:
                continue
            functions = self.functions.get((str(path), _place(change.function)))
            # What no line says, the statement around it does: several lines may be one instruction.
            found = (
                {test for line in lines for test in reached.get(line, ()) if test} for lines in change.lines()
            )
            tests = next(filter(None, found), None)
            if functions is None or tests is None:
                continue  # it runs while the module is imported
            order = sorted(
                map(int, tests), key=lambda test: (-useful[test], self.turn[test], self.seconds[test])
            )
            while True:
                noticed = self._fails(order, partial(_put, functions, tree, path, change))
                by = int.from_bytes(self.running[:4], "little")
                if not noticed or self._is_sound(by):
                    break
                order.remove(by)
            useful[by] += noticed
            yield {
                "change": name,
                "line": next(change.lines()).start,
                "noticed": noticed,
                "by": self.tests[by].nodeid if noticed else "",
            }

    def _is_sound(self, test: int) -> bool:
        if test not in self.sound:
            self.sound[test] = not self._fails([test], lambda: None)
        return self.sound[test]

    def _fails(self, tests: list[int], change: Callable[[], None]) -> bool:
        child = os.fork()
        if child:
            status = os.waitpid(child, 0)[1]
            assert os.waitstatus_to_exitcode(status) != _NOT_MADE
            return status != 0
        code = _NOT_MADE
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            change()
            code = 1
            began = time.process_time()
            for index, following in zip(tests, [*tests[1:], None], strict=True):
                self.running[:4] = index.to_bytes(4, "little")
                signal.setitimer(signal.ITIMER_PROF, PATIENCE + 10 * self.seconds[index])
                self._run(index, following)
                if time.process_time() - began > self.options.seconds:
                    break
            code = 0
        finally:
            os._exit(code)


def _put(functions: list[FunctionType], tree: ast.Module, path: Path, change: Change) -> None:
    with change.made():
        module = compile(tree, path, "exec", dont_inherit=True)
    place = _place(change.function)
    code = next(each for each in _codes(module) if (each.co_name, each.co_firstlineno) == place)
    for function in functions:
        function.__code__ = code


def _records() -> list[dict[str, Any]]:
    if not RECORDS.exists():
        return []
    return [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _named(path: Path, tree: ast.Module) -> Iterator[tuple[str, Change]]:
    """Each change under a name that stays when lines move."""
    seen: Counter[str] = Counter()
    for change in changes(tree):
        name = f"{path.relative_to(CORE)} {_place(change.function)[0]}: {change}"
        seen[name] += 1
        yield f"{name} ({seen[name]})" if seen[name] > 1 else name, change


def _place(function: Any) -> tuple[str, int]:
    lines = [function.lineno, *(each.lineno for each in getattr(function, "decorator_list", ()))]
    return getattr(function, "name", "<lambda>"), min(lines)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code, and all that is nested in it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _print(paths: list[str]) -> None:
    rooms: dict[str, Counter[bool]] = {}
    for record in {each["change"]: each for each in _records()}.values():
        file = Path(record["change"].partition(" ")[0])
        if any(file.is_relative_to(path) for path in paths):
            room = str(file.parent)
            rooms.setdefault(room, Counter())[record["noticed"]] += 1
            if not record["noticed"]:
                print(f"left at line {record['line']} of {record['change']}")
    for room, counts in rooms.items():
        print(f"{room}: {counts.total()} tried, {counts[True]} noticed ({counts[True] / counts.total():.0%})")


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    parser.add_argument("paths", nargs="+", help="folders or files of the core")
    parser.add_argument(
        "--tests", nargs="+", default=["tests/core"], help="which tests (default: tests/core)"
    )
    parser.add_argument(
        "--share", type=int, default=1, help="try one change in so many, always the same ones"
    )
    parser.add_argument(
        "--seconds", type=float, default=2, help="of tests for a change that none notices (default 2)"
    )
    parser.add_argument("--left", action="store_true", help="try again what was not noticed before")
    options = parser.parse_args()
    RECORDS.parent.mkdir(exist_ok=True)
    # What is not closed in this process is no failure of the test that runs when Python notices.
    quiet = ["-qq", "-s", "--assert=plain", "-pno:cacheprovider", "-pno:unraisableexception", "-otimeout=0"]
    code = pytest.main([*quiet, *options.tests], plugins=[Mutants(options)])
    _print(options.paths)
    return code


if __name__ == "__main__":
    sys.exit(main())
