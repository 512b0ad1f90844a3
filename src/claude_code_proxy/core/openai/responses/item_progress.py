"""The items of a Responses answer: which one an event belongs to, and how much of it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from claude_code_proxy.core.answer_context import DEFAULT_LIMITS, AnswerLimits


@dataclass(slots=True)
class Item:
    """One item of the answer. `key` is unique in it."""

    key: int
    kind: str
    pieces: list[str] = field(default_factory=list)  # of text, reasoning or arguments
    size: int = 0  # characters of the arguments
    call_id: str = ""
    announced: bool = False  # the client, or the seal, knows of it
    done: bool = False
    voice: str = ""  # reasoning: the kind of event that brought its first text
    part: Any = None  # reasoning: which part of the text the last piece belonged to

    @property
    def said(self) -> str:
        """Everything of it that came so far."""
        return "".join(self.pieces)


class Items:
    """The items so far, found by their place: `output_index`, since ids may differ from event to event."""

    def __init__(self, limits: AnswerLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self.all: list[Item] = []
        """In order of appearance."""
        self._by_place: dict[int | str, Item] = {}

    def find(self, event: dict[str, Any], kind: str, call_id: str = "") -> Item:
        """The item of `kind` at the event's place; a new one if there is none, or another one."""
        place = _place(event)
        item = self._by_place.get(place)
        if item is None or item.kind != kind or (call_id and item.call_id not in ("", call_id)):
            item = self._by_place[place] = Item(len(self.all), kind)
            self.all.append(item)
            self._limits.check_calls(len(self.all))
        return item

    def went_on_after(self, item: Item) -> bool:
        """Whether something of a later item was written already."""
        return any(later.announced or later.pieces or later.done for later in self.all[item.key + 1 :])

    def match(self, contents: list[Any]) -> bool:
        """Whether `contents`, a list of whole items, has every item so far at its place."""
        if len(self._by_place) < len(self.all):
            return False  # two items shared a place
        return all(
            isinstance(place, int)
            and 0 <= place < len(contents)
            and isinstance(contents[place], dict)
            and contents[place].get("type") == item.kind
            for place, item in self._by_place.items()
        )


def _place(event: dict[str, Any]) -> int | str:
    index = event.get("output_index")
    if isinstance(index, int) and not isinstance(index, bool):
        return index
    content = event.get("item")
    item_id = event.get("item_id") or (content.get("id") if isinstance(content, dict) else None)
    return f"id {item_id}"
