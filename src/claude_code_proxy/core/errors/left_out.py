"""What of a request in Anthropic's format a host refuses that it can be sent without: betas and fields.

Hosts of Claude lag behind Anthropic, and which beta each model takes there differs. Vertex AI names the betas
("Unexpected value(s) `a`, `b` for the `anthropic-beta` header"), Bedrock does not ("invalid beta flag"); both
name fields ("tools.3.custom.defer_loading: Extra inputs are not permitted").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

_FIELD = re.compile(r"(?<![\w.-])([\w-]{1,64}(?:\.[\w-]{1,64}){0,12}): Extra inputs are not permitted")
_NEEDED = frozenset(("model", "messages", "max_tokens", "stream", "system", "tools"))


class LeftOut(NamedTuple):
    """Flags of `anthropic-beta`, and paths of fields as in `NativeProfile.drop_fields`."""

    betas: tuple[str, ...]
    fields: tuple[str, ...]


def left_out(message: str, request: dict[str, Any], betas: Sequence[str]) -> LeftOut | None:
    """What to leave out so that a 400 with this `message` does not come again; None where it does not say.

    `request` is the body that was refused, `betas` are the flags that went along.
    """
    flags: tuple[str, ...] = ()
    words = message.lower()
    named = "unexpected value" in words and "anthropic-beta" in words
    if named or "invalid beta flag" in words or "unsupported beta" in words:
        flags = tuple(flag for flag in betas if flag in message) or tuple(betas)
    paths = (_path(found[1].split("."), request) for found in _FIELD.finditer(message))
    fields = tuple(dict.fromkeys(path for path in paths if path))
    return LeftOut(flags, fields) if flags or fields else None


def _path(parts: Sequence[str], request: dict[str, Any]) -> str:
    """The path of a field that is there, for all elements of its lists; "" for none, or a needed one."""
    found = _names(parts, request)
    if not found or found[-1] == "*" or (len(found) == 1 and found[0] in _NEEDED):
        return ""
    return ".".join(found)


def _names(parts: Sequence[str], value: Any) -> list[str] | None:
    """The names of `parts` that lead from `value` to what is there, None where they do not.

    Between them stand tags of unions (`custom` in `tools.3.custom.defer_loading`), at times called as a name
    is that leads elsewhere.
    """
    if not parts:
        return []
    part, rest = parts[0], parts[1:]
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        names = _names(rest, value[int(part)])
        return None if names is None else ["*", *names]
    if isinstance(value, dict) and part in value and (names := _names(rest, value[part])) is not None:
        return [part, *names]
    return _names(rest, value) if rest else None
