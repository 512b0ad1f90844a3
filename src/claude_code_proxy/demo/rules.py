"""The demo's model: simple rules from the last instruction to an answer. Pure: same request, same answer.

What it understands, at the start of the user's text:

    run the tool NAME with {json}       calls NAME
    run: COMMAND   or   run `COMMAND`   calls the shell tool
    read FILE                           calls the file reader
    list the files in FOLDER            calls the file lister
    calculate EXPRESSION                calls the calculator
    explore: TASK                       starts an Explore subagent
    background agent: TASK              starts a subagent in the background
    A and also run B                    both at once, as parallel calls
    say TEXT   or   count to N          answers with just that
    Which colour ...?                   answers red

A tool that is not offered while `ToolSearch` is gets searched for first. Results come back in the answer.
Anything else is answered with a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.demo.chat_request import Conversation, read

_SEARCH = "ToolSearch"
_SUMMARY = "<analysis>\nRead it all.\n</analysis>\n<summary>\nThe demo went well so far.\n</summary>"
_QUOTE_LIMIT = 2000
_COUNT_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: the name and the arguments, not yet serialised."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: reasoning, then text, then tool calls; each may be empty."""

    reasoning: str = ""
    text: str = ""
    calls: tuple[Call, ...] = field(default=())


def answer(request: Mapping[str, Any]) -> Answer:
    """Answer a Chat Completions request that `checks.check` found to be in order."""
    conversation = read(request["messages"])
    offered = {tool["function"]["name"]: tool["function"] for tool in request.get("tools") or ()}
    said = _say(request, conversation, offered)
    if not reasons(request):
        return said
    return Answer(
        f"The user wrote {_quote(conversation.instruction, 60)}. A short answer will do.",
        said.text,
        said.calls,
    )


def reasons(request: Mapping[str, Any]) -> bool:
    """Whether the answer starts with reasoning: a model with `reason` in its id whose thinking is not off."""
    if "reason" not in request["model"]:
        return False
    if (request.get("thinking") or {}).get("type") == "disabled" or request.get("enable_thinking") is False:
        return False
    return request.get("reasoning_effort") not in ("none", "minimal")


def _say(request: Mapping[str, Any], conversation: Conversation, offered: dict[str, Any]) -> Answer:
    instruction = conversation.instruction
    if "<summary>" in instruction:  # Claude Code compacts: only text is of use to it
        return Answer(text=_SUMMARY)
    choice = request.get("tool_choice")
    planned = () if choice == "none" or not offered else plan(instruction, offered)
    if isinstance(choice, dict):
        planned = _only(choice["function"]["name"], planned, offered)
    elif choice == "required" and not planned:
        planned = _only(next(iter(offered)), (), offered)
    if planned and (isinstance(choice, dict) or choice == "required"):
        return Answer(calls=planned)
    if planned and not conversation.called - {_SEARCH}:
        return _call(planned, conversation, offered)
    if conversation.results:
        return Answer(text=_report(conversation))
    schema = _asked_schema(request)
    if schema is not None:
        return Answer(text=wire.dumps_text(sample(schema, _quote(instruction, 60))))
    return Answer(text=_plain(conversation))


def _call(planned: tuple[Call, ...], conversation: Conversation, offered: dict[str, Any]) -> Answer:
    """Call what is offered; search for what is not; say so when there is no way to it."""
    missing = [call.name for call in planned if call.name not in offered]
    if not missing:
        names = " and ".join(dict.fromkeys(call.name for call in planned))
        return Answer(text=f"I will use {names}.\n", calls=planned)
    if _SEARCH in offered and _SEARCH not in conversation.called:
        query = {"query": "select:" + ",".join(dict.fromkeys(missing)), "max_results": 5}
        return Answer(text="Let me look for that tool.\n", calls=(Call(_SEARCH, query),))
    return Answer(text=f"This needs the tool {', '.join(missing)}, which is not offered.")


# --- from an instruction to tool calls ---


@dataclass(frozen=True, slots=True)
class _Rule:
    """Text that asks for a tool. `tools` are the names it goes by, the usual one first."""

    pattern: re.Pattern[str]
    tools: tuple[str, ...]
    arguments: Callable[[str], dict[str, Any]]


def _agent(task: str, **more: Any) -> dict[str, Any]:
    return {"description": _short(task), "prompt": task, **more}


_RULES = (
    _Rule(
        re.compile(r"run:\s*(?P<what>[^\n]+)|run\s+`(?P<quoted>[^`]+)`", re.IGNORECASE),
        ("Bash", "bash", "shell", "run_command"),
        lambda command: {"command": command, "description": _short(command)},
    ),
    _Rule(
        re.compile(r"read\s+(?:the\s+file\s+)?(?:`(?P<quoted>[^`]+)`|(?P<what>\S+))", re.IGNORECASE),
        ("Read", "read_file"),
        lambda path: {"file_path": path},
    ),
    _Rule(
        re.compile(r"list\s+the\s+files\s+in\s+(?P<what>\S+)", re.IGNORECASE),
        ("list_files", "LS"),
        lambda path: {"path": path},
    ),
    _Rule(
        re.compile(r"calculate\s+(?P<what>[^\n]+)", re.IGNORECASE),
        ("calculator",),
        lambda expression: {"expression": expression},
    ),
    _Rule(
        re.compile(r"explore:\s*(?P<what>.+)", re.IGNORECASE | re.DOTALL),
        ("Agent", "Task"),
        lambda task: _agent(task, subagent_type="Explore"),
    ),
    _Rule(
        re.compile(r"background\s+agent:\s*(?P<what>.+)", re.IGNORECASE | re.DOTALL),
        ("Agent", "Task"),
        lambda task: _agent(task, subagent_type="general-purpose", run_in_background=True),
    ),
)
_EXACT = re.compile(
    r"run\s+the\s+tool\s+(?P<name>[\w-]+)(?:\s+with\s+(?P<json>\{.*\}))?", re.IGNORECASE | re.DOTALL
)
_AND_ALSO = re.compile(r"\s+and\s+also\s+(?=(?:run|read)\b)", re.IGNORECASE)
_BARE_RUN = re.compile(r"run\s+(?!the\s+tool\s|`)", re.IGNORECASE)


def plan(instruction: str, offered: Mapping[str, Any]) -> tuple[Call, ...]:
    """The tool calls that `instruction` asks for, in order; none when it asks for none."""
    # What follows the colon of an agent's task is the agent's own business, joined commands and all.
    if re.match(r"(?:explore|background\s+agent):", instruction, re.IGNORECASE):
        parts = [instruction]
    else:
        first, *rest = _AND_ALSO.split(instruction)
        parts = [first, *(_BARE_RUN.sub("run: ", part, count=1) for part in rest)]
    calls = [call for part in parts if (call := _one(part, offered))]
    return tuple(calls) if len(calls) == len(parts) else ()


def _one(text: str, offered: Mapping[str, Any]) -> Call | None:
    if exact := _EXACT.match(text):
        try:
            arguments = wire.loads(exact["json"] or "{}")
        except wire.WireError:
            return None
        return Call(exact["name"], arguments)
    for rule in _RULES:
        if match := rule.pattern.match(text):
            name = next((name for name in rule.tools if name in offered), rule.tools[0])
            groups = match.groupdict()
            return Call(name, rule.arguments((groups.get("quoted") or groups["what"]).strip()))
    return None


def _only(name: str, planned: tuple[Call, ...], offered: Mapping[str, Any]) -> tuple[Call, ...]:
    """The planned calls of the tool that the request insists on, or one with made-up arguments."""
    insisted = tuple(call for call in planned if call.name == name)
    return insisted or (Call(name, sample(offered[name].get("parameters") or {}, "demo")),)


# --- from results and plain talk to text ---


def _report(conversation: Conversation) -> str:
    parts = [
        f"{result.tool} returned:\n{result.text.strip()}"
        for result in conversation.results
        if result.tool != _SEARCH
    ]
    if not parts:
        parts = [f"{result.tool} returned:\n{result.text.strip()}" for result in conversation.results]
    return "\n\n".join([*parts, *_seen(conversation)])


def _plain(conversation: Conversation) -> str:
    instruction = conversation.instruction
    if say := re.match(r"(?:say|echo)[:\s]\s*(.+)", instruction, re.IGNORECASE | re.DOTALL):
        return "\n\n".join([say[1], *_seen(conversation)])
    if count := re.match(r"count\s+to\s+(\d+)", instruction, re.IGNORECASE):
        return " ".join(str(number) for number in range(1, min(int(count[1]), _COUNT_LIMIT) + 1))
    if re.match(r"which colou?r\b", instruction, re.IGNORECASE):
        return "Red."
    if re.match(r"(?:hi|hello|hey)\b", instruction, re.IGNORECASE):
        return "\n\n".join(
            ["Hello! I am the demo model: a handful of rules, and no neurons.", *_seen(conversation)]
        )
    return "\n\n".join([f"You wrote {_quote(instruction, _QUOTE_LIMIT)}.", *_seen(conversation)])


def _seen(conversation: Conversation) -> list[str]:
    return [f"I see an image ({image})." for image in conversation.images]


def _asked_schema(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON Schema that the answer must satisfy, if the request names one."""
    wanted = request.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    if wanted.get("type") != "json_schema":
        return None
    schema: dict[str, Any] = wanted["json_schema"]["schema"]
    return schema


def sample(schema: Mapping[str, Any], text: str) -> Any:
    """A small value that satisfies the usual kind of schema; strings are `text`."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample(schema[key][0], text)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: sample(properties.get(name, {}), text) for name in schema.get("required", ())}
    if kind == "array":
        return [sample(schema.get("items") or {}, text)] * schema.get("minItems", 0)
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}.get(kind, text)


def _quote(text: str, limit: int) -> str:
    return f"“{text if len(text) <= limit else text[:limit] + '…'}”"


def _short(text: str) -> str:
    """A few words for the `description` that agents' tools ask for."""
    return " ".join(text.split()[:5])
