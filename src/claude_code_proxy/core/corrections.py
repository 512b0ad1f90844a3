"""Learning from a refusal: the one change to the upstream body that its 400 asks for.

Only what does not change the meaning of a request is corrected: the output limit, and optional parameters
from an allowlist. The caller applies a correction, reports it and tries again, at most three times.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from claude_code_proxy.core.error_body import Fault, read_fault
from claude_code_proxy.core.overflow import MIN_OUTPUT_TOKENS, SAFETY_TOKENS, find_overflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_code_proxy.core.profile import Profile

MAX_CORRECTIONS = 3
"""How often one request may be corrected."""

_LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
_OTHER_LIMIT = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_OPTIONAL = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "parallel_tool_calls",
        "reasoning_effort",
        "thinking",
        "enable_thinking",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "stream_options",
    }
)
_STATUSES = (400, 403, 413, 422)
_NAME_OF_LIMIT = re.compile(r"max_(?:(?:completion|output|new)_)?tokens|above maximum value", re.IGNORECASE)
_LIMITS = tuple(
    re.compile(pattern.replace("#", r"(\d[\d,]*)"), re.IGNORECASE)
    for pattern in (
        r"supports? at most #",
        r"range (?:of \S+ )?(?:should be|is) \[\d+, ?#\]",
        r"max_\w*tokens\W+\d+ > #",
        r"(?:less than or equal to|at most|no more than|cannot exceed|must not exceed|<=) [`'\"]?#",
    )
)
_EXCLUSIVE_LIMIT = re.compile(r"to (\d+) \(exclusive\)")
_MODEL_LEN = re.compile(r"cannot be greater than max_model_len\S*?=(\d+)")
_REFUSED = re.compile(
    r"unsupported|not supported|not support|unrecognized|unknown (?:parameter|field|name|argument)"
    r"|extra inputs are not permitted|extra_forbidden|not permitted|not allowed|deprecated"
    r"|unexpected keyword|only the default",
    re.IGNORECASE,
)
_TOOLS_NEED_RESPONSES = re.compile(r"function tools with reasoning_effort are not supported", re.IGNORECASE)
# A name is quoted, stands in a path, or has an underscore: "user" and "stop" are also plain English.
_NAME = re.compile(r"(?:[`'\"]|\bbody\.|\bproperty |\bsupplied: )([a-z_]{3,})|\b([a-z]+_[a-z_]+)")


class Correction(NamedTuple):
    """One change to a top-level `field` of the upstream body.

    `clamp` and `set` give it `value`, `rename` calls it `value`, `drop` removes it. `drop_strict` removes
    `strict` from the tools (`field` "tools") or from the response schema (`field` "response_format").
    """

    kind: Literal["clamp", "rename", "drop", "set", "drop_strict"]
    field: str
    value: Any
    reason: str


def corrections(
    status: int, body: Any, profile: Profile, sent: Mapping[str, Any], *, input_tokens: int = 0
) -> Correction | None:
    """The correction that the upstream's answer (`status`, `body`) asks for, or None.

    `sent` is the body that was refused: what it does not hold is never corrected, and no correction leaves
    it as it was. `input_tokens` is the estimate of the prompt, for servers that name only the window.
    """
    if status not in _STATUSES:
        return None
    fault = read_fault(body)
    limit_field = next((field for field in _LIMIT_FIELDS if field in sent), None)
    if limit_field and (found := _lower_limit(fault, profile, sent, limit_field, input_tokens)):
        return found
    if status in (400, 422) and _REFUSED.search(fault.message + " " + " ".join(fault.codes)):
        return _refused_parameter(fault, sent, limit_field)
    return None


def apply(correction: Correction, body: dict[str, Any]) -> dict[str, Any]:
    """A copy of the upstream `body` with `correction` made. `body` itself is left as it is."""
    kind, field, value, _ = correction
    if kind in ("clamp", "set"):
        return {**body, field: value}
    if kind == "rename":
        return {value if key == field else key: item for key, item in body.items() if key != value}
    if kind == "drop":
        return {key: item for key, item in body.items() if key != field}
    if field == "tools":
        tools = [{**tool, "function": _without_strict(tool.get("function", {}))} for tool in body["tools"]]
        return {**body, "tools": tools}
    form = body["response_format"]
    return {**body, "response_format": {**form, "json_schema": _without_strict(form["json_schema"])}}


def _lower_limit(
    fault: Fault, profile: Profile, sent: Mapping[str, Any], field: str, input_tokens: int
) -> Correction | None:
    asked = sent[field]
    if not isinstance(asked, int):
        return None
    overflow = find_overflow(fault)
    if overflow:
        room = overflow.room
        reason = f"prompt and output together exceed the window of {overflow.limit} tokens"
    elif found := _MODEL_LEN.search(fault.message):
        room = int(found[1]) - input_tokens - SAFETY_TOKENS if input_tokens else 0
        room = room if room >= MIN_OUTPUT_TOKENS else 0
        reason = f"prompt and output together exceed the window of {found[1]} tokens"
    else:
        room = _named_limit(fault)
        reason = f"{profile.name} allows at most {room} output tokens for this model"
    return Correction("clamp", field, room, reason) if 0 < room < asked else None


def _named_limit(fault: Fault) -> int:
    """The output limit that the message names, or 0."""
    if not _NAME_OF_LIMIT.search(fault.message + " " + fault.param):
        return 0
    if found := _EXCLUSIVE_LIMIT.search(fault.message):
        return int(found[1]) - 1
    for pattern in _LIMITS:
        if found := pattern.search(fault.message):
            return int(found[1].replace(",", ""))
    return 0


def _refused_parameter(fault: Fault, sent: Mapping[str, Any], limit_field: str | None) -> Correction | None:
    if _TOOLS_NEED_RESPONSES.search(fault.message):
        return None  # without the effort the model would reason all the same, and refuse again
    words = [re.split(r"[.\[]", fault.param)[0]]
    words += [quoted or plain for quoted, plain in _NAME.findall(fault.message)]
    reason = f"refused by the upstream: {fault.message[:200]}"
    if limit_field and limit_field in words:
        return Correction("rename", limit_field, _OTHER_LIMIT[limit_field], reason)
    if "tool_choice" in words and sent.get("tool_choice", "auto") != "auto":
        return Correction("set", "tool_choice", "auto", reason)
    if "strict" in fault.param or "strict" in words:
        return _drop_strict(sent, reason)
    for word in words:
        if word in _OPTIONAL and word in sent:
            return Correction("drop", word, None, reason)
    return None


def _drop_strict(sent: Mapping[str, Any], reason: str) -> Correction | None:
    if any("strict" in tool.get("function", {}) for tool in sent.get("tools") or ()):
        return Correction("drop_strict", "tools", None, reason)
    form = sent.get("response_format")
    if isinstance(form, dict) and "strict" in (form.get("json_schema") or {}):
        return Correction("drop_strict", "response_format", None, reason)
    return None


def _without_strict(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "strict"}
