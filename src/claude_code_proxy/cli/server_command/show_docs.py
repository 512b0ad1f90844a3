"""`claude-code-proxy docs`: the documentation that belongs to this version, which the package holds."""

from __future__ import annotations

import difflib
import pydoc
import sys
from pathlib import Path

import claude_code_proxy
from claude_code_proxy.cli import output


def pages() -> dict[str, Path]:
    """The file of each page by its name: of the package, else of the checkout that this runs from."""
    package = Path(claude_code_proxy.__file__).parent
    files = list((package / "docs").glob("*.md"))
    if not files:
        root = package.parents[1]
        files = [*(root / "docs").glob("*.md"), root / "SECURITY.md", root / "CHANGELOG.md"]
    return {file.stem.lower(): file for file in sorted(files) if file.is_file()}


def show_docs(name: str | None) -> int:
    """Print the page `name`, in a pager on a terminal; without a name the list of pages. The exit code."""
    found = pages()
    if name is None:
        output.table([(page, _title(file)) for page, file in found.items()])
        output.note("One of them: claude-code-proxy docs PAGE")
        return output.OK
    file = found.get(name.lower().removeprefix("docs/").removesuffix(".md"))
    if file is None:
        near = difflib.get_close_matches(name.lower(), found, 1) or found
        output.error(f"there is no page {name} (hint: {', '.join(near)})")
        return output.USAGE
    text = file.read_text(encoding="utf-8")
    if sys.stdin.isatty() and sys.stdout.isatty():
        pydoc.pager(text)
    else:
        print(text, end="")
    return output.OK


def _title(file: Path) -> str:
    with file.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), "")
