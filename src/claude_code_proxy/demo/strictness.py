"""What a strict provider refuses in a Chat Completions request, and how it says so.

The rules are those that OpenAI and its strictest followers apply, so that a request which passes here passes
there; the wording is our own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_PARTS: Mapping[str, frozenset[str]] = {
    "system": frozenset({"text"}),
    "developer": frozenset({"text"}),
    "user": frozenset({"text", "image_url", "input_audio", "file"}),
    "assistant": frozenset({"text", "refusal"}),
    "tool": frozenset({"text"}),
}
# Fields of the Anthropic API that mean nothing here: one that gets through is a conversion that forgot it.
_FOREIGN = frozenset(
    {"system", "stop_sequences", "context_management", "output_config", "container", "mcp_servers", "betas"}
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MAX_STOPS = 4


class Refusal(Exception):  # noqa: N818 - it is the provider's answer, not a fault of ours
    """A request that a strict provider refuses, with status 400 unless said otherwise."""

    def __init__(
        self, message: str, param: str | None = None, *, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status


def check(body: Any) -> None:
    """Raise `Refusal` for the first thing that a strict provider would not take."""
    if not isinstance(body, dict):
        raise Refusal("The request must be a JSON object.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refusal("'model' must be a non-empty string.", "model")
    if "no-such-model" in body["model"]:
        raise Refusal(
            f"The model {body['model']} does not exist.", "model", code="model_not_found", status=404
        )
    for name in sorted(_FOREIGN & body.keys()):
        raise Refusal(f"Unknown argument: {name}", name, code="unknown_parameter")
    _check_limits(body)
    _check_tools(body)
    _check_messages(body)


def _check_limits(body: dict[str, Any]) -> None:
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise Refusal("Give either 'max_tokens' or 'max_completion_tokens', not both.", "max_tokens")
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body and (not isinstance(body[name], int) or body[name] < 1):
            raise Refusal(f"'{name}' must be an integer of at least 1.", name)
    temperature = body.get("temperature")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 2):
        raise Refusal("'temperature' must be a number from 0 to 2.", "temperature")
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > _MAX_STOPS:
        raise Refusal(f"'stop' takes at most {_MAX_STOPS} sequences.", "stop")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Refusal("'stream_options' is only allowed when 'stream' is true.", "stream_options")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        if body.get("tool_choice") is not None:
            raise Refusal("'tool_choice' is only allowed when 'tools' are given.", "tool_choice")
        return
    if not isinstance(tools, list) or not tools:
        raise Refusal("'tools' must be a list of at least one tool.", "tools", code="empty_array")
    names = set()
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        if (
            not isinstance(tool, dict)
            or tool.get("type") != "function"
            or not isinstance(tool.get("function"), dict)
        ):
            raise Refusal(f"{where} must be a function tool.", where)
        unknown = tool.keys() - {"type", "function"}
        if unknown:
            raise Refusal(f"Unknown parameter: {where}.{min(unknown)}", where, code="unknown_parameter")
        function = tool["function"]
        name = function.get("name")
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            raise Refusal(f"{where}.function.name must match {_TOOL_NAME.pattern}.", f"{where}.function.name")
        if name in names:
            raise Refusal(f"{where}.function.name {name} occurs twice.", f"{where}.function.name")
        names.add(name)
        parameters = function.get("parameters")
        if parameters is not None and (
            not isinstance(parameters, dict) or parameters.get("type") != "object"
        ):
            raise Refusal(f"{where}.function.parameters must be a schema of type object.", where)
    _check_choice(body.get("tool_choice"), names)


def _check_choice(choice: Any, names: set[str]) -> None:
    if choice in (None, "none", "auto", "required"):
        return
    named = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    if named not in names:
        raise Refusal(
            "'tool_choice' must be none, auto, required or the name of a given tool.", "tool_choice"
        )


def _check_messages(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal("'messages' must be a list of at least one message.", "messages", code="empty_array")
    wants_reasoning = "strict-reason" in body["model"]
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        _check_message(message, where)
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                raise Refusal(
                    f"{where}: a message with role 'tool' must answer a call in the 'tool_calls' before it.",
                    where,
                )
            waiting.remove(message["tool_call_id"])
            continue
        _check_answered(waiting, index)
        if message["role"] == "assistant":
            waiting = _check_calls(message, where)
            if waiting and wants_reasoning and not isinstance(message.get("reasoning_content"), str):
                raise Refusal(f"{where}: 'reasoning_content' must be passed back with its tool calls.", where)
    _check_answered(waiting, len(messages))


def _check_answered(waiting: set[str], index: int) -> None:
    if waiting:
        raise Refusal(
            "An assistant message with 'tool_calls' must be followed by a 'tool' message for each "
            f"'tool_call_id'; before messages[{index}] these have none: {', '.join(sorted(waiting))}",
            "messages",
        )


def _check_message(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise Refusal(f"{where} must be an object.", where)
    role = message.get("role")
    if role not in _ROLES:
        raise Refusal(
            f"{where}.role must be one of {', '.join(sorted(_ROLES))}, not {role!r}.", f"{where}.role"
        )
    content = message.get("content")
    if content is None and role == "assistant" and message.get("tool_calls"):
        return
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise Refusal(f"{where}.content must be a string or a list of parts.", f"{where}.content")
    for number, part in enumerate(content):
        _check_part(part, role, f"{where}.content[{number}]")


def _check_part(part: Any, role: str, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _PARTS[role]:
        raise Refusal(f"{where}.type {kind!r} is not allowed in a message of role '{role}'.", where)
    unknown = part.keys() - {"type", kind}
    if unknown:
        raise Refusal(f"Unknown parameter: {where}.{min(unknown)}", where, code="unknown_parameter")
    value = part.get(kind)
    if kind == "text" and not isinstance(value, str):
        raise Refusal(f"{where}.text must be a string.", where)
    if kind == "image_url":
        url = value.get("url") if isinstance(value, dict) else None
        if not isinstance(url, str) or not url.startswith(("data:image/", "http://", "https://")):
            raise Refusal(f"{where}.image_url.url must be a web address or an image as a data URL.", where)


def _check_calls(message: dict[str, Any], where: str) -> set[str]:
    """Check the tool calls of an assistant message and return their ids."""
    calls = message.get("tool_calls")
    if calls is None:
        return set()
    if not isinstance(calls, list) or not calls:
        raise Refusal(f"{where}.tool_calls must be a list of at least one call.", where, code="empty_array")
    ids = set()
    for number, call in enumerate(calls):
        place = f"{where}.tool_calls[{number}]"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type") != "function":
            raise Refusal(f"{place} must be a function call.", place)
        if not isinstance(function.get("name"), str) or not _TOOL_NAME.fullmatch(function["name"]):
            raise Refusal(f"{place}.function.name must match {_TOOL_NAME.pattern}.", place)
        if not isinstance(function.get("arguments"), str):
            raise Refusal(f"{place}.function.arguments must be a string of JSON.", place)
        if not isinstance(call.get("id"), str) or not call["id"] or call["id"] in ids:
            raise Refusal(f"{place}.id must be a non-empty string that occurs once.", place)
        ids.add(call["id"])
    return ids
