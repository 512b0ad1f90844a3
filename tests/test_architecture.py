"""The walls of the house (docs/architecture.md): who may import whom, and what the core may not know."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests import paths

NAME = "claude_code_proxy"
PACKAGE = paths.REPOSITORY / "src" / NAME
ROOMS = {
    "core": {"core"},
    "config": {"config", "core", "credentials"},
    "credentials": {"credentials"},
    "http1": {"http1"},
    "transports": {"transports", "http1"},
    "server": {"server", "config", "core", "credentials", "http1", "transports"},
    "demo": {"demo", "config", "core"},
    "conformance": {"conformance", "core", "demo", "http1"},
    "cli": {"cli", "server", "config", "core", "credentials", "demo"},
}
"""Each room and the rooms it may import."""

NOT_IN_CORE = {
    "aiohttp", "asyncio", "http", "httptools", "logging", "os", "pathlib", "random", "secrets",
    "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid", "uvicorn",
}  # fmt: skip
MOST_LINES = 400
"""A longer file has two jobs."""
MOST_FILES = 20
"""A fuller folder has two subjects."""
TWINS = (
    ("core/openai/chat", "core/openai/responses"),
    ("core/providers/hosted", "core/providers/model_families"),
)
"""Folders whose files have the same names on purpose."""

FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((paths.REPOSITORY / "tests").rglob("test_*.py"))
WHOLE_HOUSE = ("deploy", "e2e")
"""Folders of tests that test no single file."""


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def folder(path: Path) -> str:
    return path.parent.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@cache
def imports(path: Path) -> frozenset[str]:
    """The absolute names of everything a file imports, wherever in it."""
    package = [NAME, *path.relative_to(PACKAGE).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(found)


@pytest.mark.parametrize("path", FILES, ids=place)
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if not room:
        return  # the package itself and __main__ belong to no room
    others = {name.split(".")[1] for name in imports(path) if name.startswith(f"{NAME}.")}
    rooms = {other for other in others if (PACKAGE / other).is_dir()}
    assert rooms <= ROOMS[room], f"{room} may not import {rooms - ROOMS[room]}"


def modules() -> dict[str, Path]:
    """Every file by its dotted name, but those that only name a folder."""
    return {
        f"{NAME}.{place(path).removesuffix('.py').replace('/', '.')}": path
        for path in FILES
        if path.name != "__init__.py"
    }


def cycles(arrows: dict[str, set[str]]) -> list[str]:
    """What cannot be put in an order: the names left when those without arrows are taken away."""
    left = {name: set(others) for name, others in arrows.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_file_imports_itself_by_way_of_others() -> None:
    known = modules()
    arrows = {name: {other for other in imports(path) if other in known} for name, path in known.items()}
    assert cycles(arrows) == []


def test_no_folder_imports_itself_by_way_of_its_neighbours() -> None:
    """Between folders side by side; a folder and those inside it are one subject in two layers."""
    known = modules()
    arrows: dict[str, set[str]] = {}
    for path in known.values():
        here = Path(folder(path))
        for there in {Path(folder(known[other])) for other in imports(path) if other in known}:
            if here != there and here not in there.parents and there not in here.parents:
                arrows.setdefault(str(here), set()).add(str(there))
    assert cycles(arrows) == []


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) == "core"], ids=place)
def test_the_core_knows_nothing_of_the_world(path: Path) -> None:
    imported = imports(path)
    assert not (imported | {name.split(".")[0] for name in imported}) & NOT_IN_CORE
    tree = ast.parse(path.read_text())
    assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


@pytest.mark.parametrize("path", FILES, ids=place)
def test_a_file_has_one_job(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_a_folder_has_one_subject() -> None:
    sizes = Counter(folder(path) for path in FILES if path.name != "__init__.py")
    assert {name: size for name, size in sizes.items() if size > MOST_FILES} == {}


def test_no_file_name_stands_twice() -> None:
    twins = {name: pair[0] for pair in TWINS for name in pair}
    rooms: dict[str, set[str]] = {}
    for path in FILES:
        if not path.name.startswith("__"):
            rooms.setdefault(path.stem, set()).add(twins.get(folder(path), folder(path)))
    assert {name: sorted(where) for name, where in rooms.items() if len(where) > 1} == {}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_a_test_stands_where_the_file_stands_that_it_tests(path: Path) -> None:
    """`tests/ROOM/test_FILE.py`, or `test_FILE_ASPECT.py` where one file has several tests."""
    where = path.parent.relative_to(paths.REPOSITORY / "tests")
    if where == Path() or where.parts[0] in WHOLE_HOUSE:
        return
    subject = path.stem.removeprefix("test_")
    names = {file.stem.strip("_") for file in (PACKAGE / where).glob("*.py")}
    assert any(subject == name or subject.startswith(f"{name}_") for name in names)


def test_every_room_is_on_the_plan() -> None:
    folders = {folder(path) for path in FILES} - {"."}
    assert {name.split("/")[0] for name in folders} == set(ROOMS)
    plan = (paths.REPOSITORY / "docs" / "architecture.md").read_text()
    assert sorted(name for name in folders if f"`{name}" not in plan) == []


def test_no_provider_is_named_in_the_conversion() -> None:
    """What a provider needs is data (core.providers); a comparison with a name would hide it in code."""
    names = {"deepseek", "kimi", "glm", "qwen", "minimax", "openrouter", "groq", "mistral", "azure", "ollama"}
    for path in FILES:
        if "providers" in path.parts or room_of(path) in ("demo", "conformance"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                words = {
                    n.value
                    for n in ast.walk(node)
                    if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
                assert not words & names, f"{path}:{node.lineno}"


def test_nobody_is_told_to_install_a_strangers_program() -> None:
    """The name of the command belongs to another project on PyPI."""
    taken = re.compile(
        r"(install|add|uvx|--with|--from)\s[^\n`]*(?<![\w-])(claude-code-proxy|ccproxy)(?![\w-])(\[|\s*$|'|\")"
    )
    pages = [*FILES, *(paths.REPOSITORY / "docs").glob("*.md"), *paths.REPOSITORY.glob("*.md")]
    assert [path.name for path in pages if taken.search(path.read_text())] == []
    assert 'name = "keyless-claude-proxy"' in (paths.REPOSITORY / "pyproject.toml").read_text()
