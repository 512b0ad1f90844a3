"""The documentation as web pages: `make site`, or `python -m publish.site build/site`.

The pages are the repository's own files, with their links made to fit. A link that leads nowhere ends the
build, and so does every warning of Zensical.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "examples/README.md": "examples.md",
}
"""Where pages from outside of `docs` are."""
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)


class BrokenLinkError(Exception):
    """A page links to what is not in the repository; the text says which."""


def collect(folder: Path) -> None:
    """Write the pages, and the files that they link to, into `folder`. Raises `BrokenLinkError`."""
    places = PAGES | {f"docs/{path.name}": path.name for path in (ROOT / "docs").glob("*.md")}
    folder.mkdir(parents=True, exist_ok=True)
    for source, place in places.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        parts = _FENCE.split(text)  # every second one is code
        parts[::2] = [_linked(part, source, places, folder) for part in parts[::2]]
        (folder / place).write_text("".join(parts), encoding="utf-8")


def links(text: str) -> list[tuple[str, str, str]]:
    """The links of a page outside of its code: what is shown, where they lead, with which anchor."""
    return [found.groups("") for part in _FENCE.split(text)[::2] for found in _LINK.finditer(part)]  # type: ignore[misc]


def _linked(text: str, source: str, places: dict[str, str], folder: Path) -> str:
    def link(found: re.Match[str]) -> str:
        shown, target, anchor = found[1], found[2], found[3] or ""
        if re.match(r"[a-z]+:", target):
            return found[0]
        path = (ROOT / source).parent.joinpath(target).resolve()
        name = path.relative_to(ROOT).as_posix()
        if name in places:
            return f"{shown}({places[name]}{anchor})"
        if path.is_dir():
            return shown[1:-1]  # a site has no folders to look into
        if not path.is_file():
            raise BrokenLinkError(f"{source}: {target} is not there")
        copy = folder / "files" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        return f"{shown}(files/{name}{anchor})"

    return _LINK.sub(link, text)


def build(target: Path) -> None:
    """Write the site into `target`. Raises `BrokenLinkError`, and `CalledProcessError` for a warning."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        collect(work / "docs")
        shutil.copy(ROOT / "publish" / "zensical.toml", work)
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        subprocess.run(command, cwd=work, check=True)  # noqa: S603 - the site's generator
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(work / "site", target)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
