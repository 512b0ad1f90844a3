"""Tools: which of the request's tools go upstream, and which one must be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.core.conversation import ToolChoice
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.request.fields import required_text, text_or_empty
from claude_code_proxy.core.request.tool_cache import PLACEHOLDER, Declared, ToolList

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from claude_code_proxy.core.continuity import ToolNames
    from claude_code_proxy.core.conversation import OfferedTools, WebSearch
    from claude_code_proxy.core.providers.profile import Profile
    from claude_code_proxy.core.report import Report


class ToolSet:
    """The declared tools of a request, with the changes that system messages made to them."""

    def __init__(self, tools: list[Any], profile: Profile, report: Report) -> None:
        self._report = report
        self._shared = isinstance(tools, ToolList)
        self._declared = tools.declared(profile) if isinstance(tools, ToolList) else Declared(tools, profile)
        self._added: set[str] = set()
        self._removed: set[str] = set()
        report.notices += self._declared.report.notices

    @property
    def web_search(self) -> WebSearch | None:
        """The web search to offer, if the client asked for one and the provider has its own."""
        return self._declared.web_search

    @property
    def names(self) -> ToolNames:
        """The names of all client tools, sent or not, so that loading a tool renames no other."""
        return self._declared.names

    def add(self, change: dict[str, Any], path: str) -> None:
        """Apply a `tool_addition` block: a `tool_reference`, or a `tool_definition` of a new tool."""
        match change.get("tool"):
            case {"type": "tool_definition", "definition": dict(definition)}:
                if self._shared:
                    self._declared, self._shared = self._declared.copy(), False
                self._declared.forget(text_or_empty(definition, "name"))
                self._declared.declare(definition, f"{path}.tool.definition", self._report)
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

    def selected(self, referenced: Container[str]) -> OfferedTools:
        """The tools to send; a deferred one only if it is `referenced` or nothing could ever find it."""
        declared = self._declared
        left_out = self._removed | {PLACEHOLDER}
        deferred = declared.deferred - left_out
        hidden = {name for name in deferred if name not in referenced and name not in self._added}
        if hidden:
            if declared.searched_upstream or not _can_search(declared.tools.keys() - left_out - deferred):
                self._report.emulated(
                    "deferred_tools_sent", "tools", "the provider cannot search tools: all are sent"
                )
            else:
                left_out |= hidden
        return declared.offer(frozenset(left_out), self._report)

    def choice(self, choice: dict[str, Any] | None, tools: OfferedTools) -> ToolChoice | None:
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
                self._report.changed("tool_choice_relaxed", "tool_choice.name", "a search cannot be forced")
            return ToolChoice("auto" if tools else "any")
        if kind == "any" and not tools and search is None and self._declared.server:
            raise invalid_request(
                f"tool_choice: the provider has none of these tools: {', '.join(self._declared.server)}"
            )
        if kind == "tool" and name not in {tool.name for tool in tools}:
            raise invalid_request(
                f"tool_choice.name: no tool {choice['name'][:200]} is offered to this provider"
            )
        return ToolChoice(kind, name) if tools or search is not None else None


def _can_search(names: Iterable[str]) -> bool:
    """Whether the client itself offers the model a tool that finds deferred tools.

    Claude Code's is an ordinary tool named ToolSearch; others follow the same idea.
    """
    return any("search" in name.lower() and "tool" in name.lower() for name in names)
