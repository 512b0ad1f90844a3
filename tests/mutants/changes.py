"""Small changes of a module: each is a mistake that a test of its behaviour should notice.

Only what runs within functions is changed; prose, annotations and default values are not.
"""

from __future__ import annotations

import ast
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_PAIRS: list[tuple[type[ast.AST], type[ast.AST]]] = [
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),
]
_PAIRS += [(ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.BitOr, ast.BitAnd)]
_OPERATORS: dict[type[ast.AST], Any] = {ast.Div: ast.Mult, ast.Mod: ast.FloorDiv}
_METHODS = {"lower": "upper", "lstrip": "rstrip", "find": "rfind", "index": "rindex", "split": "rsplit"}
_METHODS |= {"removeprefix": "removesuffix", "partition": "rpartition"}
for one, other in _PAIRS:
    _OPERATORS |= {one: other, other: one}
for name, opposite in list(_METHODS.items()):
    _METHODS[opposite] = name


@dataclass(frozen=True, slots=True)
class Change:
    """A node of a function, and what stands in its place."""

    function: Function
    statement: ast.AST
    old: Any
    new: Any
    parent: ast.AST
    field: str
    index: int | None

    def __str__(self) -> str:
        """The code before and after, in a line."""
        texts = (" ".join(ast.unparse(node).split())[:150] for node in (self.old, self.new))
        return " -> ".join(texts)

    def lines(self) -> Iterator[range]:
        """Yield the lines of the node, of the statement around it, and of the function around that."""
        for node in (self.old, self.statement, self.function):
            parts = [each for each in ast.walk(node) if isinstance(each, ast.expr | ast.stmt)]
            yield range(min(each.lineno for each in parts), max(each.end_lineno or 0 for each in parts) + 1)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Change the tree for as long as the context lasts."""
        self._put(self.new)
        try:
            yield
        finally:
            self._put(self.old)

    def _put(self, node: Any) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def changes(node: ast.AST) -> Iterator[Change]:
    """Yield all changes of a module, function by function; what is nested belongs to the function around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield from _within(child, child, child)
        else:
            yield from changes(child)


def _within(function: Function, statement: ast.AST, parent: ast.AST) -> Iterator[Change]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "format_spec") or isinstance(
            value, ast.arguments
        ):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            is_type = field == "args" and index == 0 and _called(parent) == "cast"
            if isinstance(node, ast.AST) and not is_type:
                around = node if isinstance(node, ast.stmt) else statement
                for new in _replacements(node):
                    if not hasattr(new, "lineno"):
                        ast.copy_location(new, node)
                    yield Change(function, around, node, new, parent, field, index)
                yield from _within(function, around, node)


def _replacements(node: Any) -> Iterator[Any]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if " " not in value:
            yield ast.Constant(value + "XX")
        case ast.Constant(value=bytes(value)):
            yield ast.Constant(value + b"XX")
        case ast.Compare(ops=[operator]) if type(operator) in _OPERATORS:
            yield _with(node, ops=[_OPERATORS[type(operator)]()])
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(node.op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BoolOp(values=[first, second]):
            yield from (first, second)
        case ast.BoolOp():
            yield from _without_one(node, "values")
        case ast.If() | ast.IfExp():
            yield _with(node, test=ast.copy_location(ast.Constant(False), node))
            yield _with(node, test=ast.copy_location(ast.Constant(True), node))
        case ast.comprehension():
            yield from _without_one(node, "ifs")
        case ast.Return(value=ast.Constant()):
            pass
        case ast.Assign() | ast.AnnAssign(value=ast.expr()) | ast.NamedExpr() | ast.Return(value=ast.expr()):
            if not _is_none(node.value):
                yield _with(node, value=_none(node))
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Set() | ast.List(ctx=ast.Load()) | ast.Tuple(ctx=ast.Load()) if len(node.elts) > 1:
            yield from _without_one(node, "elts")
        case ast.Dict():
            yield from _without_one(node, "keys", "values")
        case ast.Match() if len(node.cases) > 1:
            yield from _without_one(node, "cases")
        case ast.match_case(guard=ast.expr()):
            yield _with(node, guard=None)
        case ast.Call():
            yield from _calls(node)


def _calls(node: ast.Call) -> Iterator[ast.Call]:
    called = _called(node)
    if called in ("cast", "isinstance", "len"):
        return
    if called in _METHODS and isinstance(node.func, ast.Attribute):
        yield _with(node, func=_with(node.func, attr=_METHODS[called]))
    for index, argument in enumerate(node.args):
        if not (_is_none(argument) or _is_prose(argument) or isinstance(argument, ast.Starred)):
            yield _with(node, args=[*node.args[:index], _none(node), *node.args[index + 1 :]])
    for index, keyword in enumerate(node.keywords):
        if not _is_prose(keyword.value):
            yield _with(node, keywords=[*node.keywords[:index], *node.keywords[index + 1 :]])


def _called(node: ast.AST) -> str:
    called = getattr(node, "func", None)
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _with(node: Any, **fields: Any) -> Any:
    return ast.copy_location(type(node)(**dict(ast.iter_fields(node)) | fields), node)


def _without_one(node: Any, *fields: str) -> Iterator[Any]:
    lists = [getattr(node, field) for field in fields]
    for index in range(len(lists[0])):
        yield _with(
            node,
            **{field: each[:index] + each[index + 1 :] for field, each in zip(fields, lists, strict=True)},
        )


def _none(place: ast.AST) -> ast.Constant:
    return ast.copy_location(ast.Constant(None), place)


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_prose(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    )
