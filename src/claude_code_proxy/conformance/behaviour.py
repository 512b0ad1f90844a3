"""One way in which an upstream can behave, and what an honest gateway makes of it.

The rows are in `behaviours/*.json`, one file per group; `script` explains how a reply is written. Of a row:

    stream         the upstream's answer to a streamed request
    whole          its answer to a request that is not streamed; "stream": the same bytes (rows without it are
                   only asked as streams)
    expect         what the client must get, or a list of what it may get
    expect_whole   the same for a request that is not streamed, where it differs
    request        what to add to the client's request

An expectation is `"error"` (an HTTP error or a terminal `error` event), `{"error": "4xx"}` (an HTTP error
of this class or number, or the event), or the right content: `{"text": "Hi"}`, or `{"content": [...],
"stop": "end_turn", "usage": [10, 5]}` with blocks `["text", ...]`, `["thinking", ...]` and `["tool", name,
input]`. An `input` that is a text stands for what the model wrote where that is no JSON. `stop` may be a
list, and `usage` counts the whole prompt, cached or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, NamedTuple

from .script import JSON_TYPE, STREAM_TYPE, Reply, read_reply

Mode = Literal["stream", "whole"]
Block = tuple[Any, ...]
"""`("text", text)`, `("thinking", text)` or `("tool", name, input)`."""

_ROW = frozenset(("id", "what", "stream", "whole", "expect", "expect_whole", "request"))
_OUTCOME = frozenset(("text", "content", "stop", "usage", "error"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One honest ending: an error (`error` is its HTTP class, "" for any) or a message."""

    error: str | None = None
    content: tuple[Block, ...] = ()
    stops: tuple[str, ...] = ()
    usage: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One row."""

    id: str
    group: str
    what: str
    replies: Mapping[Mode, Reply]
    expected: Mapping[Mode, tuple[Outcome, ...]]
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The kinds of client request this row is asked with."""
        return tuple(self.expected)

    def reply(self, mode: Mode) -> Reply:
        """The answer to an upstream request of this kind; a row that has one kind only gives that."""
        return self.replies.get(mode) or next(iter(self.replies.values()))


class Case(NamedTuple):
    """One behaviour, asked in one way."""

    behaviour: Behaviour
    mode: Mode

    @property
    def name(self) -> str:
        """`id/mode`."""
        return f"{self.behaviour.id}/{self.mode}"

    @property
    def reply(self) -> Reply:
        """What the upstream answers."""
        return self.behaviour.reply(self.mode)

    @property
    def expected(self) -> tuple[Outcome, ...]:
        """What the client may get."""
        return self.behaviour.expected[self.mode]


def load() -> list[Behaviour]:
    """Every behaviour, in the order of the files. Raises `ValueError` for a row that is not well-formed."""
    folder = resources.files(__package__) / "behaviours"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".json")), key=lambda f: f.name)
    found: dict[str, Behaviour] = {}
    for file in files:
        document = json.loads(file.read_text("utf-8"))
        for row in document["behaviours"]:
            behaviour = _read(row, document["group"])
            if behaviour.id in found:
                raise ValueError(f"{file.name}: {behaviour.id} is there twice")
            found[behaviour.id] = behaviour
    return list(found.values())


def cases(behaviours: list[Behaviour]) -> list[Case]:
    """Each behaviour in each way it is asked."""
    return [Case(behaviour, mode) for behaviour in behaviours for mode in behaviour.modes]


def _read(row: dict[str, Any], group: str) -> Behaviour:
    if unknown := row.keys() - _ROW:
        raise ValueError(f"{row.get('id')}: unknown keys {sorted(unknown)}")
    row = _expanded(row)
    replies: dict[Mode, Reply] = {}
    if "stream" in row:
        replies["stream"] = read_reply(row["stream"], STREAM_TYPE)
    if "whole" in row:
        same = row["whole"] == "stream"
        replies["whole"] = replies["stream"] if same else read_reply(row["whole"], JSON_TYPE)
    expect, expect_whole = row["expect"], row.get("expect_whole", row["expect"])
    return Behaviour(
        id=row["id"],
        group=group,
        what=row["what"],
        replies=replies,
        expected={mode: _outcomes(expect if mode == "stream" else expect_whole) for mode in replies},
        request=row.get("request", {}),
    )


def _outcomes(notation: Any) -> tuple[Outcome, ...]:
    return tuple(map(_outcome, notation if isinstance(notation, list) else [notation]))


def _outcome(notation: Any) -> Outcome:
    if notation == "error":
        return Outcome(error="")
    if notation.keys() - _OUTCOME:
        raise ValueError(f"not an expectation: {notation}")
    if "error" in notation:
        return Outcome(error=str(notation["error"]))
    blocks = [["text", notation["text"]]] if "text" in notation else notation["content"]
    stop = notation.get("stop", "tool_use" if any(block[0] == "tool" for block in blocks) else "end_turn")
    usage = notation.get("usage")
    return Outcome(
        content=tuple(tuple(block) for block in blocks),
        stops=tuple(stop) if isinstance(stop, list) else (stop,),
        usage=(usage[0], usage[1]) if usage else None,
    )


def _expanded(value: Any) -> Any:
    """`{"$repeat": ["ab", 3]}` is the text "ababab", wherever it stands."""
    if isinstance(value, dict):
        if value.keys() == {"$repeat"}:
            text, times = value["$repeat"]
            return text * times
        return {key: _expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    return value
