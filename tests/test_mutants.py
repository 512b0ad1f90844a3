"""Which changes `make mutants` makes."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.changes import changes


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return 5", ["5 -> 6"]),
        ("return 'word'", ["'word' -> 'wordXX'"]),
        ("return 'some prose'", []),
        ("return f'{x} prose'", ["return f'{x} prose' -> return None"]),
        ("x: int = True", ["x: int = True -> x: int = None", "True -> False"]),
        ("return x < y", ["return x < y -> return None", "x < y -> x <= y"]),
        ("x(not y)", ["x(not y) -> pass", "x(not y) -> x(None)", "not y -> y"]),
        ("x(y, z=1)", ["x(y, z=1) -> pass", "x(y, z=1) -> x(None, z=1)", "x(y, z=1) -> x(y)", "1 -> 2"]),
        ("x.lstrip()", ["x.lstrip() -> pass", "x.lstrip() -> x.rstrip()"]),
        ("if x and y: pass", [*(f"if x and y: pass -> if {new}: pass" for new in (False, True)), "x and y -> x", "x and y -> y"]),
        ("while x or y or z: break", ["x or y or z -> y or z", "x or y or z -> x or z", "x or y or z -> x or y", "break -> pass"]),
        ("return {'a': x, **y}", ["return {'a': x, **y} -> return None", "{'a': x, **y} -> {**y}", "{'a': x, **y} -> {'a': x}", "'a' -> 'aXX'"]),
        ("return [x, y]", ["return [x, y] -> return None", "[x, y] -> [y]", "[x, y] -> [x]"]),
        ("for x in (y for y in z if y): continue", ["for y in z if y -> for y in z", "continue -> pass"]),
        ("match x:\n  case 1 if y: pass\n  case _: pass", ["match x: case 1 if y: pass case _: pass -> match x: case _: pass", "match x: case 1 if y: pass case _: pass -> match x: case 1 if y: pass", "case 1 if y: pass -> case 1: pass", "1 -> 2"]),
        ("return cast('A', x)", ["return cast('A', x) -> return None"]),
    ],
)  # fmt: skip
def test_changes(code: str, expected: list[str]) -> None:
    module = ast.parse(
        "class A:\n  B = 1\n  def f(self, a=1):\n" + "".join(f"    {line}\n" for line in code.splitlines())
    )
    before = ast.dump(module)
    made = []
    for change in changes(module):
        with change.made():
            compile(module, "", "exec")
            assert ast.dump(module) != before
        made.append(str(change).replace("\n", " "))
    assert made == expected
    assert ast.dump(module) == before
