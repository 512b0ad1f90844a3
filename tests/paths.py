"""Where the tests' data are."""

from __future__ import annotations

import json
import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
CASES = REPOSITORY / "tests" / "cases"
FIXTURES = REPOSITORY / "tests" / "fixtures"
"""Requests in the shape of the real Claude Code's, with filler text."""

_BESIDE = REPOSITORY.parent / "shared" / "recorded"


def recordings(api: str, suffix: str) -> list[Path]:
    """Recorded answers of real providers in one format: none where they are not on this machine.

    They are not ours to publish. The variable RECORDINGS names their folder, and then it has to be there.
    """
    named = os.environ.get("RECORDINGS")
    folder = Path(named) if named else _BESIDE
    if not named and not folder.is_dir():
        return []
    index = json.loads((folder / "index.json").read_text())
    files = [entry["file"] for entry in index if entry["api"] == api]
    return [folder / file for file in files if file.endswith(suffix)]
