"""What is read from each shape of an error body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_code_proxy.core.errors.fault import read_fault
from tests.core.cases import CASES, load

TABLE = [pytest.param(case, id=case["name"]) for case in load(CASES / "error" / "table_faults.json")["cases"]]
NOTHING: dict[str, Any] = {"codes": [], "status": 0, "base_code": 0, "param": ""}


@pytest.mark.parametrize("case", TABLE)
def test_fault(case: dict[str, Any]) -> None:
    found = read_fault(case["body"])._asdict()
    del found["fields"]
    assert found | {"codes": list(found["codes"])} == NOTHING | case["expected"]


@pytest.mark.parametrize(("length", "read"), [(4096, "x" * 4096), (4097, "x" * 3072 + " ... " + "x" * 1024)])
def test_a_long_message_is_read_from_both_ends(length: int, read: str) -> None:
    assert read_fault(json.dumps({"message": "x" * length})).message == read


def test_bytes_may_be_broken() -> None:
    assert read_fault(b"a\xff").message == "a\N{REPLACEMENT CHARACTER}"
