"""Learning from a refusal: the one change to the upstream body that its 400 asks for.

Only what does not change the meaning of a request is corrected: the output limit, optional parameters from
an allowlist, and the form of schemas. The caller converts again with what the correction teaches about the
model, applies it, reports it and tries again, at most three times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from claude_code_proxy.core.errors import lessons, schema_refusals
from claude_code_proxy.core.errors.fault import Fault, read_fault
from claude_code_proxy.core.errors.image_refusals import image_lesson
from claude_code_proxy.core.errors.kind_words import failure_in
from claude_code_proxy.core.errors.overflow import MIN_OUTPUT_TOKENS, SAFETY_TOKENS, find_overflow
from claude_code_proxy.core.errors.words import callers_own, own_words
from claude_code_proxy.core.header_values import whole_number
from claude_code_proxy.core.providers.profile import EFFORTS, REASONING_SUMMARY, Profile, clamp_effort

MAX_CORRECTIONS = 3
"""How often one request may be corrected."""

_LIMIT_FIELDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_OTHER_LIMIT = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_OPTIONAL = frozenset((
    "temperature", "top_p", "top_k", "stop", "parallel_tool_calls", "reasoning_effort", "thinking",
    "enable_thinking", "chat_template_kwargs", "user", "safety_identifier", "prompt_cache_key",
    "stream_options", "include",
))  # fmt: skip
_STATUSES = (400, 403, 413, 422, 500)
_NAME_OF_LIMIT = re.compile(r"max_(?:(?:completion|output|new)_)?tokens|above maximum value", re.IGNORECASE)
_LIMITS = tuple(
    re.compile(pattern.replace("#", r"(\d[\d,]*)"), re.IGNORECASE)
    for pattern in (
        r"supports? at most #",
        r"range (?:of \S+ )?(?:should be|is) \[\d+, ?#\]",
        r"max_(?:[a-z]{1,20}_)?tokens\W{1,4}\d+ > #",
        r"(?:less than or equal to|at most|no more than|cannot exceed|must not exceed|<=) [`'\"]?#",
    )
)
_EXCLUSIVE_LIMIT = re.compile(r"to (\d+) \(exclusive\)")
_MODEL_LEN = re.compile(r"cannot be greater than max_model_len\S*?=(\d+)")
_REFUSED = re.compile(
    r"unsupported|not supported|not support|unrecognized|unknown (?:parameter|field|name|argument)"
    r"|extra inputs are not permitted|extra_forbidden|not permitted|not allowed|deprecated"
    r"|unexpected keyword|only the default|unavailable|cannot be (?:combined|used)|supported (?:\w+ )?values"
    r"|input should be '",
    re.IGNORECASE,
)
_TRIGGER = re.compile(
    f"{_REFUSED.pattern}|{_NAME_OF_LIMIT.pattern}|at most|no more than|exceed|range|supported|unknown"
    r"|json|schema|thinking|reasoning|tool",
    re.IGNORECASE,
)
"""Words that make a refusal teach something."""
_STATE_FIELDS = frozenset(("reasoning_details", "reasoning_opaque"))
_TOOLS_NEED_RESPONSES = re.compile(r"function tools with reasoning_effort are not supported", re.IGNORECASE)
_NO_SUMMARY = re.compile(r"reasoning\.summary|reasoning summar", re.IGNORECASE)
# What the upstream would take instead comes after one of these.
_INSTEAD = re.compile(
    r"(?:supported (?:\w+ )?values|must be one of|expected one of|input should be)(.*)",
    re.IGNORECASE | re.DOTALL,
)
_PATH_MARK = re.compile(r"[.\[]")
_WORD = re.compile(r"[a-z]+")
_JSON_WITH_TOOLS = re.compile(r"(?:json mode|response_format)\b.*\b(?:tools?|function)\b", re.IGNORECASE)
# A name is quoted, stands in a path, or has an underscore: "user" and "stop" are also plain English.
_NAME = re.compile(r"(?:[`'\"]|\bbody\.|\bproperty |\bsupplied: )([a-z_]{3,})|\b([a-z]+_[a-z_]+)")


class Correction(NamedTuple):
    """One change to a top-level `field` of the upstream body.

    `clamp` lowers it to `value`, `set` gives it `value`, `rename` calls it `value`, `drop` removes it.
    `drop_strict` removes `strict` from the tools (`field` "tools") or from the response schema (`field`
    "response_format" or "text"). `convert` changes the body through its lesson alone: convert the request
    again. `lesson` are the `Profile` fields that hold for this request and, where it is `learned` and the
    request passes, for the model from now on (see `core.errors.lessons`).
    """

    kind: Literal["clamp", "rename", "drop", "set", "drop_strict", "convert"]
    field: str
    value: Any = None
    lesson: Mapping[str, Any] = MappingProxyType({})
    reason: str = ""
    learned: bool = True


def corrections(
    status: int, body: Any, profile: Profile, sent: Mapping[str, Any], *, input_tokens: int = 0
) -> Correction | None:
    """The correction that the upstream's answer (`status`, `body`) asks for, or None.

    `profile` is what the refused body `sent` was made by: what `sent` does not hold is never corrected, and
    what `profile` has already learned is not learned again. `input_tokens` is the estimate of the prompt,
    for servers that name only the window.
    """
    if status not in _STATUSES:
        return None
    fault = read_fault(body)
    own = fault._replace(message=own_words(fault.message, sent))
    found = _explained(own, _find(status, own, profile, sent, input_tokens))
    if found is None and own.message != fault.message:
        # The words are the caller's as well: they may correct this request, and say nothing of the model.
        found = _explained(fault, _find(status, fault, profile, sent, input_tokens))
        return found and _for_once(found)
    if found is not None:
        numbers = [value for value in found.lesson.values() if type(value) is int and value > 0]
        if callers_own(fault.message, sent, _TRIGGER, numbers):
            return _for_once(found)
    return found


def _explained(fault: Fault, found: Correction | None) -> Correction | None:
    """`found` with a reason: the upstream's words, where it has none of ours."""
    return found and found._replace(reason=found.reason or f"refused by the upstream: {fault.message[:200]}")


def _for_once(found: Correction) -> Correction:
    """`found` for this request only."""
    kept = found.lesson if found.kind == "convert" else MappingProxyType[str, Any]({})
    return found._replace(lesson=kept, learned=False)


def _find(
    status: int, fault: Fault, profile: Profile, sent: Mapping[str, Any], input_tokens: int
) -> Correction | None:
    if status in (400, 422, 500) and (found := _in_schemas(fault, profile, sent)):
        return found
    if status == 500:
        return None
    if status != 403 and (limits := image_lesson(fault.message, profile, sent)):
        return Correction("convert", "input" if "input" in sent else "messages", lesson=limits)
    limit_field = next((field for field in _LIMIT_FIELDS if field in sent), None)
    if limit_field and (found := _lower_limit(fault, profile, sent, limit_field, input_tokens)):
        return found
    if failure_in(f"{fault.message}. {' '.join(fault.codes)}") == "state" and (
        found := _without_state(profile, sent)
    ):
        return found
    if "input" in sent and (found := _in_responses(fault, profile, sent)):
        return found
    if status in (400, 422) and _REFUSED.search(fault.message + " " + " ".join(fault.codes)):
        return _refused(fault, profile, sent, limit_field)
    return None


def apply(correction: Correction, body: dict[str, Any]) -> dict[str, Any]:
    """The upstream `body` with `correction` made. `body` itself is left as it is."""
    kind, field, value = correction[:3]
    if kind == "convert" or field not in body:
        return body
    if kind == "clamp":
        return {**body, field: min(body[field], value)}
    if kind == "set":
        return {**body, field: value}
    if kind == "rename":
        return {value if key == field else key: item for key, item in body.items() if key != value}
    if kind == "drop":
        return {key: item for key, item in body.items() if key != field}
    if field == "tools":
        return {**body, "tools": [_not_strict(tool) for tool in body["tools"]]}
    if field == "text":
        return {**body, "text": {**body["text"], "format": {**body["text"]["format"], "strict": False}}}
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
        room, window = overflow.room, overflow.limit
    elif found := _MODEL_LEN.search(fault.message):
        window = whole_number(found[1]) or 0
        room = window - input_tokens - SAFETY_TOKENS if input_tokens else 0
        room = room if room >= MIN_OUTPUT_TOKENS else 0
    else:
        room, window = _named_limit(fault), 0
    if not 0 < room < asked:
        return None
    if window:
        reason = f"prompt and output together exceed the window of {window} tokens"
        return Correction("clamp", field, room, lessons.of_window(window, profile), reason)
    reason = f"{profile.name} allows at most {room} output tokens for this model"
    return Correction("clamp", field, room, lessons.of_limit(room), reason)


def _named_limit(fault: Fault) -> int:
    """The output limit that the message names, or 0."""
    if not _NAME_OF_LIMIT.search(fault.message + " " + fault.param):
        return 0
    if found := _EXCLUSIVE_LIMIT.search(fault.message):
        return (whole_number(found[1]) or 1) - 1
    for pattern in _LIMITS:
        if found := pattern.search(fault.message):
            return whole_number(found[1].replace(",", "")) or 0
    return 0


def _refused(
    fault: Fault, profile: Profile, sent: Mapping[str, Any], limit_field: str | None
) -> Correction | None:
    if _TOOLS_NEED_RESPONSES.search(fault.message):
        return None  # without the effort the model would reason all the same, and refuse again
    words = [_PATH_MARK.split(fault.param)[0]]
    words += [quoted or plain for quoted, plain in _NAME.findall(fault.message)]
    if limit_field in _OTHER_LIMIT and limit_field in words:
        other = _OTHER_LIMIT[limit_field]
        return Correction("rename", limit_field, other, {"max_tokens_field": other})
    if "tool_choice" in words and sent.get("tool_choice", "auto") != "auto":
        return _free_choice(fault, sent)
    if "response_format" in words or _JSON_WITH_TOOLS.search(fault.message):
        return _lesser_form(fault, profile, sent)
    for word in words:
        if word == "reasoning_effort" and (lower := _known_effort(fault, sent)):
            return lower
        if word in _OPTIONAL and word in sent:
            return Correction("drop", word, lesson=lessons.of_refused(word, profile))
    return None


def _without_state(profile: Profile, sent: Mapping[str, Any]) -> Correction | None:
    """The request without a model's own state: the key, the resource or the model is another one now."""
    field = "input" if "input" in sent else "messages"
    items = sent.get(field)
    if not isinstance(items, list):
        return None
    kept = [_stateless(item, profile) for item in items if item.get("type") != "reasoning"]
    return Correction("set", field, kept) if kept != items else None


def _stateless(message: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """A message without reasoning of its model; its first call has a stand-in for a thought signature."""
    rest = {key: value for key, value in message.items() if key not in _STATE_FIELDS}
    if calls := message.get("tool_calls"):
        rest["tool_calls"] = [
            {key: value for key, value in call.items() if key != "extra_content"} for call in calls
        ]
        if profile.signature_filler:
            rest["tool_calls"][0]["extra_content"] = {
                "google": {"thought_signature": profile.signature_filler}
            }
    return rest


def _in_responses(fault: Fault, profile: Profile, sent: Mapping[str, Any]) -> Correction | None:
    """What only a Responses request can hold: encrypted reasoning, and an object that asks to see it."""
    reasoning = sent.get("reasoning")
    if not isinstance(reasoning, dict):
        return None
    if "summary" in reasoning and _NO_SUMMARY.search(f"{fault.param} {fault.message}"):
        rest = {key: value for key, value in reasoning.items() if key != "summary"}
        return Correction("set", "reasoning", rest, lessons.of_refused(REASONING_SUMMARY, profile))
    if fault.param == "reasoning.effort":
        gone = Correction("drop", "reasoning", lesson={"thinking_switch": "none"})
        return _known_effort(fault, sent) or gone
    return None


def _free_choice(fault: Fault, sent: Mapping[str, Any]) -> Correction:
    """The freest choice that is left: any tool where only a named one was refused, else the model's own."""
    named = isinstance(sent["tool_choice"], dict)
    choice = "required" if named and "required" in _instead(fault) else "auto"
    return Correction("set", "tool_choice", choice, lessons.of_tool_choice(choice, fault.message))


def _lesser_form(fault: Fault, profile: Profile, sent: Mapping[str, Any]) -> Correction | None:
    form = schema_refusals.answer_form(sent)
    if not isinstance(form, dict):
        return None
    field = schema_refusals.answer_field(sent)
    if _JSON_WITH_TOOLS.search(fault.message) and "tools" in sent and profile.structured_with_tools:
        return Correction("convert", field, lesson={"structured_with_tools": False})
    lesser = "json_object" if form.get("type") == "json_schema" else "none"
    return Correction("convert", field, lesson={"structured_output": lesser})


def _known_effort(fault: Fault, sent: Mapping[str, Any]) -> Correction | None:
    """The nearest effort that the upstream takes, where it says which ones it does."""
    named = _instead(fault)
    accepted = tuple(word for word in EFFORTS if word in named)
    inner = sent.get("reasoning")
    asked = inner.get("effort") if isinstance(inner, dict) else sent.get("reasoning_effort")
    known = next((word for word in EFFORTS if word == asked), None)
    if known is None or not accepted or known in accepted:
        return None
    value = clamp_effort(known, accepted)
    lesson = {"effort_values": accepted}
    if isinstance(inner, dict):
        return Correction("set", "reasoning", {**inner, "effort": value}, lesson)
    return Correction("set", "reasoning_effort", value, lesson)


def _instead(fault: Fault) -> set[str]:
    """The words that stand where the message says what the upstream would take."""
    found = _INSTEAD.search(fault.message)
    return set(_WORD.findall(found[1].lower())) if found else set()


def _in_schemas(fault: Fault, profile: Profile, sent: Mapping[str, Any]) -> Correction | None:
    """What a refused schema, or a refused name of a tool, asks for."""
    if field := schema_refusals.strict_field(fault, sent):
        strict_tools = field == "tools" and profile.schema_dialect == "openai_strict"
        return Correction("drop_strict", field, lesson={"schema_dialect": "plain"} if strict_tools else {})
    if "tools" in sent and (start := schema_refusals.name_start(fault, profile)):
        return Correction("convert", "tools", lesson={"tool_name_start": start})
    form = schema_refusals.answer_form(sent)
    if not schema_refusals.is_about_schema(fault) or not ("tools" in sent or form):
        return None
    if dialect := schema_refusals.dialect_for(fault, profile):
        field = "tools" if "tools" in sent else schema_refusals.answer_field(sent)
        return Correction("convert", field, lesson={"schema_dialect": dialect})
    return _lesser_form(fault, profile, sent) if schema_refusals.is_about_answer(fault) else None


def _not_strict(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in either format; Responses wants the key."""
    if "function" in tool:
        return {**tool, "function": _without_strict(tool["function"])}
    return {**tool, "strict": False} if "strict" in tool else {**tool}


def _without_strict(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "strict"}
