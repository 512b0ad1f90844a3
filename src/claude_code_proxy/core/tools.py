"""Tools: which of the request's tools go upstream, in which form, and which one must be called."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.continuity import ToolNames
from claude_code_proxy.core.errors import invalid_request
from claude_code_proxy.core.fields import (
    check_nesting,
    kind_of,
    list_or_none,
    object_or_none,
    required_text,
    text_or_empty,
)
from claude_code_proxy.core.schema import clean_parameters, is_strict
from claude_code_proxy.core.turns import Tool, ToolChoice, WebSearch

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from claude_code_proxy.core.profile import Profile
    from claude_code_proxy.core.report import Report

PLACEHOLDER = "DeferredToolPlaceholder"
"""Claude Code 2.1.330 keeps this empty tool in the array while others are deferred; it can do nothing."""

_SERVER_TOOLS = (
    "web_search", "web_fetch", "code_execution", "advisor", "mcp_toolset", "tool_search_tool",
)  # fmt: skip
_SEARCH_TOOL = "tool_search_tool"
_WEB_SEARCH = "web_search"
_UNMET_IN_RESPONSES = ("blocked_domains", "max_uses")
_UNMET_IN_CHAT = (*_UNMET_IN_RESPONSES, "allowed_domains", "user_location")
_IMPOSSIBLE_TOOLS = ("computer_", "browser_toolset_")
_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict", "defer_loading"})

_STRING = {"type": "string"}
_TYPED_TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "bash_": (
        "Run a command in a persistent shell, or restart the shell.",
        {"command": _STRING, "restart": {"type": "boolean"}},
    ),
    "text_editor_": (
        "View, create and edit files.",
        {
            "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "undo_edit"]},
            "path": _STRING,
            "file_text": _STRING,
            "old_str": _STRING,
            "new_str": _STRING,
            "insert_line": {"type": "integer"},
            "insert_text": _STRING,
            "view_range": {"type": "array", "items": {"type": "integer"}},
        },
    ),
    "memory_": (
        "Keep notes in files under /memories that last between conversations.",
        {
            "command": {
                "type": "string",
                "enum": ["view", "create", "str_replace", "insert", "delete", "rename"],
            },
            "path": _STRING,
            "file_text": _STRING,
            "old_str": _STRING,
            "new_str": _STRING,
            "insert_line": {"type": "integer"},
            "insert_text": _STRING,
            "view_range": {"type": "array", "items": {"type": "integer"}},
            "old_path": _STRING,
            "new_path": _STRING,
        },
    ),
}
"""Tools that Anthropic defines and the client runs: the type stands for this schema.

Parameters from the pages "Bash tool", "Text editor tool" and "Memory tool" of the Anthropic docs.
"""


class ToolSet:
    """The declared tools of a request, with the changes that system messages made to them."""

    def __init__(self, declared: list[Any], profile: Profile, report: Report) -> None:
        self._profile = profile
        self._report = report
        self._tools: dict[str, tuple[dict[str, Any], str]] = {}
        self._added: set[str] = set()
        self._removed: set[str] = set()
        self._unwanted: set[str] = set()
        self._server: list[str] = []
        self.web_search: WebSearch | None = None
        """The web search to offer, if the client asked for one and the provider has its own."""
        self._searched_upstream = False
        # orjson's limit on nesting holds for the whole body; this is the place that can say where it is.
        check_nesting(declared, "tools")
        for index, tool in enumerate(declared):
            self._declare(tool, f"tools.{index}")

    @property
    def names(self) -> ToolNames:
        """The names of all client tools, sent or not, so that loading a tool renames no other."""
        return ToolNames(self._tools)

    def add(self, change: dict[str, Any], path: str) -> None:
        """Apply a `tool_addition` block: a `tool_reference`, or a `tool_definition` of a new tool."""
        match change.get("tool"):
            case {"type": "tool_definition", "definition": dict(definition)}:
                self._tools.pop(text_or_empty(definition, "name"), None)
                self._declare(definition, f"{path}.tool.definition")
            case {"type": "tool_reference", "name": str(name)}:
                self._removed.discard(name)
                self._added.add(name)
            case _:
                self._report.dropped("tool_change", path, "this kind of tool addition has no counterpart")

    def remove(self, change: dict[str, Any], path: str) -> None:
        """Apply a `tool_removal` block."""
        match change.get("tool"):
            case {"type": "tool_reference", "name": str(name)}:
                self._removed.add(name)
            case _:
                self._report.dropped("tool_change", path, "this kind of tool removal has no counterpart")

    def selected(self, referenced: Container[str], names: ToolNames) -> tuple[Tool, ...]:
        """The tools to send; a deferred one only if it is `referenced` or nothing could ever find it."""
        tools = {
            name: entry
            for name, entry in self._tools.items()
            if name not in self._removed and name != PLACEHOLDER
        }
        deferred = {name for name, (tool, _) in tools.items() if tool.get("defer_loading") is True}
        hidden = {name for name in deferred if name not in referenced and name not in self._added}
        if hidden and (self._searched_upstream or not _can_search(tools.keys() - deferred)):
            self._report.emulated(
                "deferred_tools_sent", "tools", "the provider cannot search tools: all are sent"
            )
            hidden = set()
        return tuple(
            self._tool(tool, names.upstream(name), path)
            for name, (tool, path) in tools.items()
            if name not in hidden
        )

    def choice(
        self, choice: dict[str, Any] | None, tools: tuple[Tool, ...], names: ToolNames
    ) -> ToolChoice | None:
        """The tool choice, or None. Raises `ApiError` 400 where it forces what is not there."""
        if choice is None:
            return None
        kind = choice.get("type")
        if kind not in ("auto", "any", "tool", "none"):
            raise invalid_request("tool_choice.type: must be auto, any, tool or none")
        if kind == "tool" and choice.get("name") in self._unwanted:
            self._report.dropped("tool_choice", "tool_choice", "the model's entry drops the tool it names")
            return None
        name = names.upstream(required_text(choice, "name", "tool_choice")) if kind == "tool" else ""
        search = self.web_search
        if search is not None and kind == "tool" and choice["name"] == search.name:
            if tools:
                self._report.changed("tool_choice_relaxed", "tool_choice.name", "a search cannot be forced")
            return ToolChoice("auto" if tools else "any")
        if kind == "any" and not tools and search is None and self._server:
            raise invalid_request(
                f"tool_choice: the provider has none of these tools: {', '.join(self._server)}"
            )
        if kind == "tool" and name not in {tool.name for tool in tools}:
            raise invalid_request(
                f"tool_choice.name: no tool {choice['name'][:200]} is offered to this provider"
            )
        return ToolChoice(kind, name) if tools or search is not None else None

    def _declare(self, tool: Any, path: str) -> None:
        if not isinstance(tool, dict):
            raise invalid_request(f"{path}: must be an object, found {kind_of(tool)}")
        kind = tool.get("type")
        kind = kind if isinstance(kind, str) else "custom"
        name = text_or_empty(tool, "name")
        if drops_tool(name, self._profile.drop_tools):
            self._unwanted.add(name)
            self._report.dropped("tool_dropped", path, "the model's entry drops this tool")
            return
        if kind.startswith(_IMPOSSIBLE_TOOLS):
            raise invalid_request(f"{path}: the provider cannot use a tool of type {kind[:80]}; leave it out")
        if kind.startswith(_SERVER_TOOLS):
            if kind.startswith(_SEARCH_TOOL):
                self._searched_upstream = True
            if kind.startswith(_WEB_SEARCH) and self._profile.searches_web:
                self.web_search = self._read_web_search(tool, path)
                return
            self._server.append(kind[:80])
            self._report.dropped(
                "server_tool_dropped", path, f"only Anthropic runs tools of type {kind[:80]}"
            )
            return
        if not name:
            self._report.dropped("nameless_tool", path, "a tool without a name cannot be called")
        elif kind != "custom" and _typed(kind) is None and not isinstance(tool.get("input_schema"), dict):
            self._report.dropped("unknown_tool", path, f"tool type {kind[:80]} is unknown and has no schema")
        elif name in self._tools:
            self._report.dropped("duplicate_tool", path, "a tool of this name came before")
        else:
            self._tools[name] = tool, path

    def _read_web_search(self, tool: dict[str, Any], path: str) -> WebSearch:
        self._report.changed("web_search_native", path, "the provider's own web search is offered instead")
        for field in _UNMET_IN_RESPONSES if self._profile.api == "responses" else _UNMET_IN_CHAT:
            if tool.get(field):
                self._report.dropped("web_search_field", f"{path}.{field}", "the provider has no such limit")
        domains = list_or_none(tool, "allowed_domains", f"{path}.allowed_domains") or []
        return WebSearch(
            text_or_empty(tool, "name") or _WEB_SEARCH,
            tuple(domain for domain in domains if isinstance(domain, str)),
            object_or_none(tool, "user_location", f"{path}.user_location"),
        )

    def _tool(self, tool: dict[str, Any], upstream_name: str, path: str) -> Tool:
        for field in () if tool.keys() <= _FIELDS else tool.keys() - _FIELDS:
            self._report.dropped("tool_field", f"{path}.{field}", "no such field upstream", quiet=True)
        kind = tool.get("type")
        typed = _typed(kind) if isinstance(kind, str) else None
        if typed is not None:
            default, properties = typed
            schema: Any = {"type": "object", "properties": properties}
        else:
            default, schema = "", tool.get("input_schema")
        parameters, note = clean_parameters(
            schema, self._profile.schema_dialect, f"{path}.input_schema", self._report
        )
        description = text_or_empty(tool, "description") or default
        if note:
            description = f"{description}\n\n{note}" if description else note
        strict = tool.get("strict") is True
        if strict and not (self._profile.schema_dialect == "openai_strict" and is_strict(parameters)):
            self._report.dropped("tool_strict", f"{path}.strict", "the provider or this schema is not strict")
            strict = False
        return Tool(upstream_name, description, parameters, strict)


def drops_tool(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the globs `patterns` (`drop_tools` of an entry) means the tool `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _typed(kind: str) -> tuple[str, dict[str, Any]] | None:
    return next((entry for prefix, entry in _TYPED_TOOLS.items() if kind.startswith(prefix)), None)


def _can_search(names: Iterable[str]) -> bool:
    """Whether the client itself offers the model a tool that finds deferred tools.

    Claude Code's is an ordinary tool named ToolSearch; others follow the same idea.
    """
    return any("search" in name.lower() and "tool" in name.lower() for name in names)
