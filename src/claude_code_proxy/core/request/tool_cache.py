"""What the `tools` array of a request declares, read for one profile.

Claude Code sends the same 25 tools, most of a short request, with every message of a session. So an array
that was seen before (`ToolList`) keeps what was made of it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.continuity import ToolNames
from claude_code_proxy.core.conversation import OfferedTools, Tool, WebSearch
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import (
    check_nesting,
    kind_of,
    list_or_none,
    object_or_none,
    text_or_empty,
)
from claude_code_proxy.core.request.tool_schema import clean_parameters, is_strict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_code_proxy.core.providers.profile import Profile
    from claude_code_proxy.core.report import Notice

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
_FILE_EDIT = {
    "path": _STRING,
    "file_text": _STRING,
    "old_str": _STRING,
    "new_str": _STRING,
    "insert_line": {"type": "integer"},
    "insert_text": _STRING,
    "view_range": {"type": "array", "items": {"type": "integer"}},
}
_TYPED_TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "bash_": (
        "Run a command in a persistent shell, or restart the shell.",
        {"command": _STRING, "restart": {"type": "boolean"}},
    ),
    "text_editor_": (
        "View, create and edit files.",
        {
            "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "undo_edit"]},
            **_FILE_EDIT,
        },
    ),
    "memory_": (
        "Keep notes in files under /memories that last between conversations.",
        {
            "command": {
                "type": "string",
                "enum": ["view", "create", "str_replace", "insert", "delete", "rename"],
            },
            **_FILE_EDIT,
            "old_path": _STRING,
            "new_path": _STRING,
        },
    ),
}
"""Tools that Anthropic defines and the client runs: the type stands for this schema.

Parameters from the pages "Bash tool", "Text editor tool" and "Memory tool" of the Anthropic docs.
"""


# What is kept for one array. Which of its tools go upstream changes as deferred ones are loaded.
_MOST_OFFERS = 4
_MOST_PROFILES = 4


class ToolList(list[Any]):
    """A `tools` array that may come again as the same object, and that nobody changes."""

    def __init__(self, tools: Iterable[Any]) -> None:
        super().__init__(tools)
        self._declared: list[tuple[Profile, Declared]] = []

    def declared(self, profile: Profile) -> Declared:
        """What the array declares to an upstream of `profile`. Raises `ApiError` 400."""
        for known, declared in self._declared:
            if known is profile:
                return declared
        declared = Declared(self, profile)
        self._declared = [*self._declared[1 - _MOST_PROFILES :], (profile, declared)]
        return declared


class Declared:
    """The declared tools of a request. Shared between requests as long as nothing is added: see `copy`.

    `tools` are those the client runs, by name, each with its JSON path; `report` says what was left out.
    """

    def __init__(self, declared: Iterable[Any], profile: Profile) -> None:
        self._profile = profile
        self._names: ToolNames | None = None
        self._tools: dict[str, tuple[Tool, list[Notice]]] = {}
        self._offers: dict[frozenset[str], tuple[OfferedTools, list[Notice]]] = {}
        self.report = Report()
        self.tools: dict[str, tuple[dict[str, Any], str]] = {}
        self.deferred: set[str] = set()
        """Names of tools that are to be found by a search."""
        self.unwanted: set[str] = set()
        """Names that the model's entry drops."""
        self.server: list[str] = []
        """Types of tools that only Anthropic runs."""
        self.web_search: WebSearch | None = None
        """The web search to offer, if the client asked for one and the provider has its own."""
        self.searched_upstream = False
        # orjson's limit on nesting holds for the whole body; this is the place that can say where it is.
        check_nesting(declared, "tools")
        for index, tool in enumerate(declared):
            self.declare(tool, f"tools.{index}", self.report)

    @property
    def names(self) -> ToolNames:
        """The names of all client tools, sent or not, so that loading a tool renames no other."""
        if self._names is None:
            self._names = ToolNames(self.tools)
        return self._names

    def copy(self) -> Declared:
        """The same for one request alone, which may declare more."""
        other = Declared((), self._profile)
        other.tools, other.deferred = dict(self.tools), set(self.deferred)
        other.unwanted, other.server = set(self.unwanted), list(self.server)
        other.web_search, other.searched_upstream = self.web_search, self.searched_upstream
        return other

    def forget(self, name: str) -> None:
        """Take a tool out, for another of its name."""
        self.tools.pop(name, None)
        self.deferred.discard(name)
        self._names = None

    def offer(self, left_out: frozenset[str], report: Report) -> OfferedTools:
        """The tools but those `left_out`, as the upstream gets them."""
        found = self._offers.get(left_out)
        if found is None:
            made = [self._made(name) for name in self.tools if name not in left_out]
            if len(self._offers) >= _MOST_OFFERS:
                self._offers.clear()
            found = self._offers[left_out] = (
                OfferedTools(tool for tool, _ in made),
                [notice for _, notices in made for notice in notices],
            )
        tools, notices = found
        report.notices += notices
        return tools

    def _made(self, name: str) -> tuple[Tool, list[Notice]]:
        """One tool as the upstream gets it, and what was changed for that."""
        if name not in self._tools:
            told = Report()
            tool, path = self.tools[name]
            self._tools[name] = self._tool(tool, self.names.upstream(name), path, told), told.notices
        return self._tools[name]

    def declare(self, tool: Any, path: str, report: Report) -> None:
        """Take one entry of an array of tools. Raises `ApiError` 400."""
        if not isinstance(tool, dict):
            raise invalid_request(f"{path}: must be an object, found {kind_of(tool)}")
        kind = tool.get("type")
        kind = kind if isinstance(kind, str) else "custom"
        name = text_or_empty(tool, "name")
        if drops_tool(name, self._profile.drop_tools):
            self.unwanted.add(name)
            report.dropped("tool_dropped", path, "the model's entry drops this tool")
            return
        if kind.startswith(_IMPOSSIBLE_TOOLS):
            raise invalid_request(f"{path}: the provider cannot use a tool of type {kind[:80]}; leave it out")
        if kind.startswith(_SERVER_TOOLS):
            if kind.startswith(_SEARCH_TOOL):
                self.searched_upstream = True
            if kind.startswith(_WEB_SEARCH) and self._profile.searches_web:
                self.web_search = self._read_web_search(tool, path, report)
                return
            self.server.append(kind[:80])
            report.dropped("server_tool_dropped", path, f"only Anthropic runs tools of type {kind[:80]}")
            return
        if not name:
            report.dropped("nameless_tool", path, "a tool without a name cannot be called")
        elif kind != "custom" and _typed(kind) is None and not isinstance(tool.get("input_schema"), dict):
            report.dropped("unknown_tool", path, f"tool type {kind[:80]} is unknown and has no schema")
        elif name in self.tools:
            report.dropped("duplicate_tool", path, "a tool of this name came before")
        else:
            self.tools[name] = tool, path
            if tool.get("defer_loading") is True:
                self.deferred.add(name)

    def _read_web_search(self, tool: dict[str, Any], path: str, report: Report) -> WebSearch:
        report.changed("web_search_native", path, "the provider's own web search is offered instead")
        for field in _UNMET_IN_RESPONSES if self._profile.api == "responses" else _UNMET_IN_CHAT:
            if tool.get(field):
                report.dropped("web_search_field", f"{path}.{field}", "the provider has no such limit")
        domains = list_or_none(tool, "allowed_domains", f"{path}.allowed_domains") or []
        return WebSearch(
            text_or_empty(tool, "name") or _WEB_SEARCH,
            tuple(domain for domain in domains if isinstance(domain, str)),
            object_or_none(tool, "user_location", f"{path}.user_location"),
        )

    def _tool(self, tool: dict[str, Any], upstream_name: str, path: str, report: Report) -> Tool:
        for field in () if tool.keys() <= _FIELDS else tool.keys() - _FIELDS:
            report.dropped("tool_field", f"{path}.{field}", "no such field upstream", quiet=True)
        kind = tool.get("type")
        typed = _typed(kind) if isinstance(kind, str) else None
        if typed is not None:
            default, properties = typed
            schema: Any = {"type": "object", "properties": properties}
        else:
            default, schema = "", tool.get("input_schema")
        parameters, note = clean_parameters(
            schema, self._profile.schema_dialect, f"{path}.input_schema", report
        )
        description = text_or_empty(tool, "description") or default
        if note:
            description = f"{description}\n\n{note}" if description else note
        strict = tool.get("strict") is True
        if strict and not (self._profile.schema_dialect == "openai_strict" and is_strict(parameters)):
            report.dropped("tool_strict", f"{path}.strict", "the provider or this schema is not strict")
            strict = False
        return Tool(upstream_name, description, parameters, strict)


def drops_tool(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the globs `patterns` (`drop_tools` of an entry) means the tool `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _typed(kind: str) -> tuple[str, dict[str, Any]] | None:
    return next((entry for prefix, entry in _TYPED_TOOLS.items() if kind.startswith(prefix)), None)
