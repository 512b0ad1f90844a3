"""Tools: which of the request's tools go upstream, and which one must be called."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from claude_code_proxy.core.continuity import ToolNames
from claude_code_proxy.core.conversation import PreparedTools, Tool, ToolChoice, WebSearch
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Notice, Report
from claude_code_proxy.core.request.anthropic_tools import schema_of
from claude_code_proxy.core.request.fields import required_text, text_or_empty
from claude_code_proxy.core.request.refused_arguments import optional
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.core.request.tool_declarations import PLACEHOLDER, Declared

_Made = TypeVar("_Made")


class ToolSet:
    """The declared tools of a request, with the changes that system messages made to them.

    `prepare` writes tools in the upstream's form. `cache`, where there is one, knows what was made of the
    same array for an earlier request.
    """

    def __init__(
        self,
        tools: list[Any],
        profile: Profile,
        report: Report,
        prepare: Callable[[tuple[Tool, ...]], PreparedTools],
        cache: ToolCache | None = None,
    ) -> None:
        self._array = tools
        self._profile = profile
        self._report = report
        self._prepare = prepare
        self._cache = cache
        self.loaded: dict[str, None] = {}
        """The tools that the conversation has found, called or defined, in this order."""
        self._added: set[str] = set()
        self._removed: set[str] = set()
        self._declared, self.names = self._once("declared", self._read)
        report.notices += self._declared.report.notices

    def _once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        return make() if self._cache is None else self._cache.once(self._array, self._profile, key, make)

    def _read(self) -> tuple[Declared, ToolNames]:
        """What the array declares, and the names of all client tools: loading a tool renames no other."""
        declared = Declared(self._array, self._profile)
        return declared, ToolNames(declared.tools, self._profile.tool_name_start)

    @property
    def web_search(self) -> WebSearch | None:
        """The web search to offer, if the client asked for one and the provider has its own."""
        return self._declared.web_search

    def add(self, change: dict[str, Any], path: str) -> None:
        """Apply a `tool_addition` block: a `tool_reference`, or a `tool_definition` of a new tool."""
        match change.get("tool"):
            case {"type": "tool_definition", "definition": dict(definition)}:
                self._declare(definition, f"{path}.tool.definition")
            case {"type": "tool_reference", "name": str(name)}:
                self._removed.discard(name)
                self._added.add(name)
            case _:
                self._report.dropped("tool_change", path, "this kind of tool addition has no counterpart")

    def _declare(self, definition: dict[str, Any], path: str) -> None:
        if self._cache is not None:  # what is shared stays as it is
            self._declared, self._cache = self._declared.copy(), None
        name = text_or_empty(definition, "name")
        self._removed.discard(name)
        self._declared.forget(name)
        self._declared.declare(definition, path, self._report)
        self.loaded.pop(name, None)
        self.loaded[name] = None
        self.names = ToolNames(self._declared.tools, self._profile.tool_name_start)

    def remove(self, change: dict[str, Any], path: str) -> None:
        """Apply a `tool_removal` block."""
        match change.get("tool"):
            case {"type": "tool_reference", "name": str(name)}:
                self._removed.add(name)
            case _:
                self._report.dropped("tool_change", path, "this kind of tool removal has no counterpart")

    def selected(self) -> PreparedTools:
        """The tools to send; a deferred one only if it is `loaded` or nothing could ever find it.

        Those that are loaded stand last, in the order in which they were: what precedes them stays as it was,
        and the provider's cache hits.
        """
        declared = self._declared
        left_out = self._removed | {PLACEHOLDER}
        deferred = declared.deferred - left_out
        last: tuple[str, ...] = ()
        if deferred:
            found = deferred - self._added
            hidden = found - self.loaded.keys()
            if not declared.searched_upstream and _can_search(declared.tools.keys() - left_out - deferred):
                left_out |= hidden
                last = tuple(name for name in self.loaded if name in found or declared.is_new(name))
            elif hidden:
                self._report.emulated(
                    "deferred_tools_sent", "tools", "the provider cannot search tools: all are sent"
                )
        out = frozenset(left_out)
        tools, notices = self._once((out, last), lambda: self._make(out, last))
        self._report.notices += notices
        return tools

    def _make(self, left_out: frozenset[str], last: tuple[str, ...]) -> tuple[PreparedTools, list[Notice]]:
        report = Report()
        return self._prepare(self._declared.make(self.names, left_out, last, report)), report.notices

    def optional(self, arguments: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
        """Those of the `arguments`, by the tool's name, that the tool's schema allows to leave out."""
        declared = self._declared.tools
        found = {
            name: optional(schema_of(declared[name][0]), listed)
            for name, listed in arguments.items()
            if name in declared
        }
        return {name: listed for name, listed in found.items() if listed}

    def choice(self, choice: dict[str, Any] | None, tools: PreparedTools) -> ToolChoice | None:
        """The tool choice, or None. Raises `ApiError` 400 where it forces what is not there."""
        if choice is None:
            return None
        kind = choice.get("type")
        if kind not in ("auto", "any", "tool", "none"):
            raise invalid_request("tool_choice.type: must be auto, any, tool or none")
        if kind == "tool" and choice.get("name") in self._declared.unwanted:
            self._report.dropped("tool_choice", "tool_choice", "the model's entry drops the tool it names")
            return None
        name = self.names.upstream(required_text(choice, "name", "tool_choice")) if kind == "tool" else ""
        search = self.web_search
        if search is not None and kind == "tool" and choice["name"] == search.name:
            if tools:
                self._report.changed(
                    "tool_choice_relaxed", "tool_choice.name", "a web search cannot be forced"
                )
            return ToolChoice("auto" if tools else "any")
        if kind == "any" and not tools and search is None and self._declared.server:
            raise invalid_request(
                f"tool_choice: the provider has none of these tools: {', '.join(self._declared.server)}"
            )
        if kind == "tool" and name not in {tool.name for tool in tools.tools}:
            raise invalid_request(
                f"tool_choice.name: no tool {choice['name'][:200]} is offered to this provider"
            )
        return ToolChoice(kind, name) if tools or search is not None else None


def _can_search(names: Iterable[str]) -> bool:
    """Whether the client itself offers the model a tool that finds deferred tools.

    Claude Code's is an ordinary tool named ToolSearch; others follow the same idea.
    """
    return any("search" in name.lower() and "tool" in name.lower() for name in names)
