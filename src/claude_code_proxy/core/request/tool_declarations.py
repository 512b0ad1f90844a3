"""What the `tools` array of a request declares, read for one profile."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from claude_code_proxy.core.continuity import ToolNames
from claude_code_proxy.core.conversation import Tool, WebSearch
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.anthropic_tools import toolset_members, typed_tool
from claude_code_proxy.core.request.fields import (
    check_nesting,
    json_text,
    kind_of,
    list_or_none,
    object_or_none,
    text_or_empty,
)
from claude_code_proxy.core.schemas.convert import tool_parameters
from claude_code_proxy.core.schemas.strict import is_strict

PLACEHOLDER = "DeferredToolPlaceholder"
"""Claude Code 2.1.330 keeps this empty tool in the array while others are deferred; it can do nothing."""

_SERVER_TOOLS = (
    "web_search", "web_fetch", "code_execution", "advisor", "mcp_toolset", "tool_search_tool",
)  # fmt: skip
_SEARCH_TOOL = "tool_search_tool"
_WEB_SEARCH = "web_search"
_UNMET_IN_RESPONSES = ("blocked_domains", "max_uses")
_UNMET_IN_CHAT = (*_UNMET_IN_RESPONSES, "allowed_domains", "user_location")
_FIELDS = frozenset(
    {
        "type", "name", "description", "input_schema", "strict", "defer_loading", "input_examples",
        "allowed_callers", "max_characters", "display_width_px", "display_height_px",
    }
)  # fmt: skip
_MOST_EXAMPLES = 20


class Declared:
    """The declared tools of a request. One that was read for several requests is not changed: see `copy`.

    `tools` are those the client runs, by name, each with its JSON path; `report` says what was left out.
    """

    def __init__(self, declared: Iterable[Any], profile: Profile) -> None:
        self._profile = profile
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

    def is_new(self, name: str) -> bool:
        """Whether a message declares the tool, and not the array."""
        return name in self.tools and not self.tools[name][1].startswith("tools.")

    def make(
        self, names: ToolNames, left_out: Container[str], last: Sequence[str], report: Report
    ) -> tuple[Tool, ...]:
        """The tools but those `left_out`, as the upstream gets them: as declared, and then the `last`."""
        order = [name for name in self.tools if name not in last]
        order += [name for name in last if name in self.tools]
        return tuple(
            self._tool(tool, names.upstream(name), path, report)
            for name, (tool, path) in ((name, self.tools[name]) for name in order)
            if name not in left_out
        )

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
        if (members := toolset_members(tool)) is not None:
            self._declare_members(members, path)
            return
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
        elif kind != "custom" and typed_tool(tool) is None and not isinstance(tool.get("input_schema"), dict):
            report.dropped("unknown_tool", path, f"tool type {kind[:80]} is unknown and has no schema")
        elif name in self.tools:
            report.dropped("duplicate_tool", path, "a tool of this name came before")
        else:
            self.tools[name] = tool, path
            if tool.get("defer_loading") is True:
                self.deferred.add(name)

    def _declare_members(self, members: dict[str, dict[str, Any]], path: str) -> None:
        for key, member in members.items():
            if not drops_tool(member["name"], self._profile.drop_tools):
                self.tools[key] = member, path
                if member["defer_loading"]:
                    self.deferred.add(key)

    def _read_web_search(self, tool: dict[str, Any], path: str, report: Report) -> WebSearch:
        report.changed("web_search_native", path, "replaced by the provider's own web search")
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
        typed = typed_tool(tool)
        default, schema = typed if typed is not None else ("", tool.get("input_schema"))
        callers = tool.get("allowed_callers")
        if isinstance(callers, list) and "direct" not in callers and callers:
            reason = "only the model itself calls tools here"
            report.dropped("tool_callers", f"{path}.allowed_callers", reason)
        parameters, note = tool_parameters(
            schema, self._profile.schema_dialect, f"{path}.input_schema", report
        )
        described = (text_or_empty(tool, "description") or default, note, _examples(tool, path))
        description = "\n\n".join(text for text in described if text)
        strict = tool.get("strict") is True
        if strict and not (self._profile.schema_dialect == "openai_strict" and is_strict(parameters)):
            report.dropped("tool_strict", f"{path}.strict", "the provider or this schema is not strict")
            strict = False
        return Tool(upstream_name, description, parameters, strict)


def drops_tool(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the globs `patterns` (`drop_tools` of an entry) means the tool `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _examples(tool: dict[str, Any], path: str) -> str:
    """`input_examples` in words: no other format has a place for them."""
    examples = tool.get("input_examples")
    if not isinstance(examples, list) or not examples:
        return ""
    kept = [example for example in examples[:_MOST_EXAMPLES] if isinstance(example, dict)]
    lines = [json_text(example, f"{path}.input_examples") for example in kept]
    return "\n".join(["Examples of input:", *lines]) if lines else ""
