"""Learned profile fields as lines of a models.yaml entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from claude_code_proxy.config.models_yaml.entry import PROFILE_KEYS
from claude_code_proxy.config.models_yaml.preset_entries import scalar

_USUAL = {"max_output": "max_tokens", "context_window": "context"}
"""The keys that people know, for fields that have one."""


def entry_lines(model_id: str, fields: Mapping[str, Any]) -> str:
    """An entry's `model_id` with a line for each learned field, ready to be merged into models.yaml.

    Fields that an entry cannot set (a newer server may know more) are left out.
    """
    lines = [f"- model_id: {scalar(model_id)}"]
    for field, value in fields.items():
        if field in PROFILE_KEYS:
            lines.append(f"  {_USUAL.get(field, field)}: {json.dumps(value)}")  # JSON is YAML, on one line
    return "\n".join(lines)
