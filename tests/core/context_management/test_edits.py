"""Edits as they are read: tests/cases/context_management/edits.json, and bad_edits.json for what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from claude_code_proxy.core.context_management.edits import read_edits
from claude_code_proxy.core.errors.api import ApiError
from tests import paths

CASES = paths.CASES / "context_management"
GOOD = json.loads((CASES / "edits.json").read_text())
BAD = json.loads((CASES / "bad_edits.json").read_text())


def plain(edit: Any) -> dict[str, Any]:
    """An edit as JSON, with the name of its class."""
    fields = msgspec.structs.asdict(edit)
    sets = {key: sorted(value) for key, value in fields.items() if isinstance(value, frozenset)}
    return {"edit": type(edit).__name__, **fields, **sets}


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case["why"])
def test_what_is_read(case: dict[str, Any]) -> None:
    edits = read_edits({"context_management": case["context_management"]})
    assert edits is not None
    assert [plain(edit) for edit in edits] == case["edits"]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["why"])
def test_what_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        read_edits({"context_management": case["context_management"]})
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert case["error"] in caught.value.message


@pytest.mark.parametrize("request_", [{}, {"context_management": None}, [], "text", None, 3])
def test_without_the_field_there_is_nothing_to_do(request_: Any) -> None:
    assert read_edits(request_) is None
