"""Empty optional arguments that a tool has refused in this conversation.

Some models fill in every argument that a schema names. Claude Code's Read refuses `"pages": ""`, and the
model writes it again with the next file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.conversation import Text
from claude_code_proxy.core.request.drafts import CallDraft, ResultDraft
from claude_code_proxy.core.wire import list_at

_EMPTY: tuple[Any, ...] = ("", None, [], {})
_WRITTEN = (':""', ":null", ":[]", ":{}")
"""What one of them looks like in the arguments of a call; most calls that fail have none."""
_WORD = re.compile(r"\w++(?:-\w++)*+")
_LONGEST_ERROR = 4096  # characters that are read of it


def refused_arguments(call: CallDraft, result: ResultDraft) -> set[str]:
    """The empty arguments of `call` that its `result`, an error, names as a word of its own."""
    if not any(written in call.arguments for written in _WRITTEN):
        return set()
    empty = empty_arguments(wire.loads(call.arguments))
    said = "\n".join(part.text for part in result.parts if isinstance(part, Text))[:_LONGEST_ERROR]
    words = set(_WORD.findall(said.lower()))
    return {name for name in empty if name.lower() in words}


def empty_arguments(arguments: dict[str, Any]) -> set[str]:
    """The names of those that are an empty string, null, an empty array or an empty object."""
    return {name for name, value in arguments.items() if value in _EMPTY}


def optional(schema: Any, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that `schema`, a tool's JSON Schema, allows to leave out."""
    if not isinstance(schema, dict):
        return frozenset(names)
    branches = [schema, *(one for key in ("allOf", "anyOf", "oneOf") for one in list_at(schema, key))]
    required = [list_at(branch, "required") for branch in branches]
    return frozenset(name for name in names if not any(name in listed for listed in required))
