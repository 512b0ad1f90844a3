"""The cases of each provider: tests/cases/providers/NAME.json holds all that is about one."""

from __future__ import annotations

import json
from typing import Any

from tests import paths

FOLDER = paths.CASES / "providers"
REQUEST: dict[str, Any] = json.loads((FOLDER / "_request.json").read_text())
"""A request that asks for all that providers disagree on."""


def cases(kind: str) -> list[dict[str, Any]]:
    """The cases of one kind (`profile`, `native`, `requests`, `overflow`), each with its provider's name."""
    return [
        {**case, "provider": path.stem}
        for path in sorted(FOLDER.glob("[a-z]*.json"))
        for case in json.loads(path.read_text()).get(kind, ())
    ]
