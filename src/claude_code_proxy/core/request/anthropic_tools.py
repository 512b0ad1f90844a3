"""Tools that Anthropic defines and the client runs: the type alone stands for description and parameters.

Parameters from the pages "Bash tool", "Text editor tool", "Memory tool" and "Computer use tool" of the
Anthropic docs, those of the toolsets from the types of the `anthropic` SDK 2.14 (`BetaBrowserKeyInput` ...).
A toolset is one entry that stands for many tools; a call of one names the toolset too (`toolset_name`).
"""

from __future__ import annotations

import re
from typing import Any

from claude_code_proxy.core.wire import object_at

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_POINT: Schema = {"type": "array", "items": _WHOLE, "minItems": 2, "maxItems": 2}
_REGION: Schema = {"type": "array", "items": _WHOLE, "minItems": 4, "maxItems": 4}
_DIRECTION: Schema = {"type": "string", "enum": ["up", "down", "left", "right"]}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": [*words]}


def _object(*required: str, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": [*required]} if required else schema


_FILE_EDIT: dict[str, Schema] = {
    "path": _TEXT,
    "file_text": _TEXT,
    "old_str": _TEXT,
    "new_str": _TEXT,
    "insert_line": _WHOLE,
    "insert_text": _TEXT,
    "view_range": {"type": "array", "items": _WHOLE},
}
_COMPUTER_ACTIONS = (
    "key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click",
    "double_click", "triple_click", "left_mouse_down", "left_mouse_up", "hold_key", "scroll", "wait",
    "screenshot", "cursor_position", "zoom",
)  # fmt: skip
_DATED = re.compile(r"([a-z_]+)_[0-9]{8}")
"""A type and its date. `bash_code_execution` is not `bash`: Anthropic runs it."""
_TYPED: dict[str, tuple[str, Schema]] = {
    "bash": (
        "Run a command in a persistent shell, or restart the shell.",
        _object(command=_TEXT, restart={"type": "boolean"}),
    ),
    "text_editor": (
        "View, create and edit files.",
        _object(command=_one_of("view", "create", "str_replace", "insert", "undo_edit"), **_FILE_EDIT),
    ),
    "memory": (
        "Keep notes in files under /memories that last between conversations.",
        _object(
            command=_one_of("view", "create", "str_replace", "insert", "delete", "rename"),
            **_FILE_EDIT,
            old_path=_TEXT,
            new_path=_TEXT,
        ),
    ),
    "computer": (
        "Use a computer with mouse, keyboard and screenshots. Coordinates are pixels from the top left.",
        _object(
            "action",
            action=_one_of(*_COMPUTER_ACTIONS),
            coordinate=_POINT,
            start_coordinate=_POINT,
            text=_TEXT,
            duration=_NUMBER,
            scroll_direction=_DIRECTION,
            scroll_amount=_WHOLE,
            region=_REGION,
        ),
    ),
}

_REF = _object("type", "ref", type=_one_of("ref"), ref=_TEXT)
_SPOT = _object("type", "x", "y", type=_one_of("coordinate"), x=_WHOLE, y=_WHOLE)
_TARGET: Schema = {"anyOf": [_SPOT, _REF]}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def _click(which: str) -> tuple[str, Schema]:
    schema = _object("target", target=_TARGET, modifiers=_TEXT)
    return f"{which} at a coordinate of the viewport or on an element.", schema


def _pointer_click(which: str) -> tuple[str, Schema]:
    return f"{which} at a pixel coordinate, or where the cursor is.", _object(coordinate=_POINT, text=_TEXT)


_BROWSER: dict[str, tuple[str, Schema]] = {
    "navigate": ("Go to a URL, or `back`, `forward`, `reload`.", _object("url", url=_TEXT)),
    "screenshot": ("Take a screenshot of the viewport.", _object()),
    "zoom": ("Take an enlarged screenshot of a region of the viewport.", _object("region", region=_REGION)),
    "left_click": _click("Left-click"),
    "right_click": _click("Right-click"),
    "middle_click": _click("Middle-click"),
    "double_click": _click("Double-click"),
    "triple_click": _click("Triple-click"),
    "hover": ("Move the cursor to a coordinate or an element.", _object("target", target=_TARGET)),
    "left_click_drag": (
        "Press the left button at `from`, drag to `target`, release.",
        _object("from", "target", **{"from": _SPOT}, target=_SPOT),
    ),
    "left_mouse_down": ("Press the left button at a coordinate.", _object("target", target=_SPOT)),
    "left_mouse_up": ("Release the left button at a coordinate.", _object("target", target=_SPOT)),
    "mouse_move": ("Move the pointer to a coordinate.", _object("target", target=_SPOT)),
    "scroll": (
        "Scroll at a coordinate of the viewport.",
        _object(
            "scroll_direction", "target", scroll_direction=_DIRECTION, target=_SPOT, scroll_amount=_WHOLE
        ),
    ),
    "scroll_to": ("Scroll an element into view.", _object("target", target=_REF)),
    "type": ("Type text where the focus is.", _object("text", text=_TEXT)),
    "key": ("Press a key or a chord such as ctrl+a.", _object("text", text=_TEXT, repeat=_WHOLE)),
    "hold_key": (
        "Hold a key or a chord down for some seconds.",
        _object("duration", "text", duration=_NUMBER, text=_TEXT),
    ),
    "form_input": (
        "Set the value of a form element; a boolean for check boxes.",
        _object("target", "value", target=_REF, value={"anyOf": [_TEXT, _NUMBER, {"type": "boolean"}]}),
    ),
    "read_page": (
        "Read the accessibility tree of the page, or from `ref` on, with references to elements.",
        _object(depth=_WHOLE, filter=_one_of("all", "interactive"), ref=_TEXT),
    ),
    "find": ("Find elements by a description in words.", _object("query", query=_TEXT)),
    "get_page_text": ("Read the visible text of the page.", _object()),
    "wait": ("Wait for some seconds.", _object("duration", duration=_NUMBER)),
    "file_upload": (
        "Give files to a file input, by paths or document ids.",
        _object("target", target=_REF, document_ids=_TEXTS, paths=_TEXTS),
    ),
    "read_console": ("Read what the console printed since the last read.", _object()),
    "read_network": ("Read the requests that were made since the last read.", _object()),
    "javascript_exec": (
        "Run JavaScript in the page; the result is the value of its last expression.",
        _object("text", text=_TEXT),
    ),
    "new_tab": ("Open an empty tab.", _object()),
    "list_tabs": ("List the open tabs.", _object()),
    "switch_tab": ("Make a tab the active one.", _object("tab_id", tab_id=_TEXT)),
    "close_tab": ("Close a tab.", _object("tab_id", tab_id=_TEXT)),
}
_COMPUTER: dict[str, tuple[str, Schema]] = {
    "screenshot": ("Take a screenshot of the screen.", _object()),
    "cursor_position": ("Get the pixel coordinate of the cursor.", _object()),
    "mouse_move": ("Move the cursor to a pixel coordinate.", _object("coordinate", coordinate=_POINT)),
    "left_click": _pointer_click("Left-click"),
    "right_click": _pointer_click("Right-click"),
    "middle_click": _pointer_click("Middle-click"),
    "double_click": _pointer_click("Double-click"),
    "triple_click": _pointer_click("Triple-click"),
    "left_click_drag": (
        "Drag from one pixel coordinate to another.",
        _object("coordinate", "start_coordinate", coordinate=_POINT, start_coordinate=_POINT, text=_TEXT),
    ),
    "left_mouse_down": ("Press the left button where the cursor is.", _object()),
    "left_mouse_up": ("Release the left button.", _object()),
    "scroll": (
        "Scroll at a pixel coordinate, or where the cursor is.",
        _object(
            "scroll_amount",
            "scroll_direction",
            scroll_amount=_WHOLE,
            scroll_direction=_DIRECTION,
            coordinate=_POINT,
            text=_TEXT,
        ),
    ),
    "type": ("Type text.", _object("text", text=_TEXT)),
    "key": ("Press a key or a chord such as ctrl+s.", _object("text", text=_TEXT, repeat=_WHOLE)),
    "hold_key": (
        "Hold a key or a chord down for some seconds.",
        _object("duration", "text", duration=_WHOLE, text=_TEXT),
    ),
    "wait": ("Wait for some seconds.", _object("duration", duration=_WHOLE)),
    "zoom": ("Take an enlarged screenshot of a region of the screen.", _object("region", region=_REGION)),
}
_TOOLSETS = {"browser_toolset_": ("browser", _BROWSER), "computer_toolset_": ("computer", _COMPUTER)}
_OFF_BY_DEFAULT = frozenset(("file_upload", "read_console", "read_network", "javascript_exec"))
_NO_TAB = frozenset(("new_tab", "list_tabs"))


def typed_tool(tool: dict[str, Any]) -> tuple[str, Schema] | None:
    """Description and parameters of a tool by its `type`; None for a type that stands for nothing."""
    dated = _DATED.fullmatch(str(tool.get("type")))
    found = _TYPED.get(dated[1]) if dated is not None else None
    if found is None:
        return None
    description, schema = found
    width, height = tool.get("display_width_px"), tool.get("display_height_px")
    if isinstance(width, int) and isinstance(height, int):
        description += f" The display has {width} x {height} pixels."
    if isinstance(most := tool.get("max_characters"), int):
        description += f" Viewing shows at most {most} characters of a file."
    return description, schema


def schema_of(tool: dict[str, Any]) -> Any:
    """The JSON Schema of a declared tool's input: that of its type, or its own."""
    typed = typed_tool(tool)
    return tool.get("input_schema") if typed is None else typed[1]


def toolset_members(tool: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """The tools that a toolset stands for, by `member_key`, each as a declaration; None for other types.

    `configs` switches members on and off.
    """
    kind = str(tool.get("type"))
    found = next((entry for prefix, entry in _TOOLSETS.items() if kind.startswith(prefix)), None)
    if found is None:
        return None
    toolset, members = found
    configs = object_at(tool, "configs")
    tools: dict[str, dict[str, Any]] = {}
    for name, (description, schema) in members.items():
        config = object_at(configs, name)
        enabled = config.get("enabled")
        if enabled is False or (enabled is None and name in _OFF_BY_DEFAULT):
            continue
        if toolset == "browser" and name not in _NO_TAB:
            schema = {**schema, "properties": {**schema["properties"], "tab_id": _TEXT}}
        declared = {"name": name, "description": description, "input_schema": schema}
        tools[member_key(toolset, name)] = {**declared, "defer_loading": config.get("defer_loading") is True}
    return tools


def member_key(toolset: str, name: str) -> str:
    """The name under which a member is known in here: no client tool has a dot in its name."""
    return f"{toolset}.{name}"


def member_of(key: str) -> tuple[str, str] | None:
    """Toolset and name of a member by its key; None for any other tool."""
    toolset, _, name = key.partition(".")
    members = _MEMBERS.get(toolset)
    return (toolset, name) if members is not None and name in members else None


_MEMBERS = dict(_TOOLSETS.values())
