"""The rows of Claude Code's `/model`: the session's own models, in place of Anthropic's names for them.

`modelPicker` of `--settings` counts from 2.1.332 on (2.1.197 does not know it and shows the tiers' names). It
is worth nothing without a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class PickerRow(NamedTuple):
    """A model that the session serves; the sizes are in tokens, None where they are not known."""

    model_id: str
    name: str
    provider: str
    context: int | None = None
    max_tokens: int | None = None


def picker_settings(rows: Sequence[PickerRow]) -> dict[str, Any]:
    """Claude Code's settings that show exactly these rows, beside its own "Default"; {} for none."""
    if not rows:
        return {}
    options = [
        {"model": row.model_id, "label": f"{row.name} ({row.provider})", "description": _described(row)}
        for row in rows
    ]
    return {"modelPicker": {"options": options, "replaceBuiltInOptions": True}}


def _described(row: PickerRow) -> str:
    context = f"{size(row.context)} context" if row.context else "context not known"
    return f"{context}, {size(row.max_tokens)} output" if row.max_tokens else context


def size(tokens: int) -> str:
    """A number of tokens for people: 128k, 1m, by thousands or by 1024 as vendors count."""
    for unit, letter in ((1_000_000, "m"), (1 << 20, "m"), (1000, "k"), (1024, "k")):
        if tokens >= unit and tokens % unit == 0:
            return f"{tokens // unit}{letter}"
    return f"{round(tokens / 1000)}k" if tokens >= 1000 else str(tokens)
