"""Pairs tool calls with their results and gives both the ids that the upstream shall see.

The order a chat upstream demands is stricter than Anthropic's: every call must have exactly one result,
directly after the message that made it. What a client may send beyond that is repaired here and reported.
All rules look backwards only, so that a longer conversation keeps the upstream bytes of a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from claude_code_proxy.core.continuity import ToolId, ToolNames, open_tool_id, upstream_tool_id
from claude_code_proxy.core.conversation import (
    AssistantPart,
    AssistantTurn,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    UserPart,
    UserTurn,
)
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.drafts import AssistantDraft, CallDraft, Draft, ResultDraft, UserDraft
from claude_code_proxy.core.request.fields import check_nesting
from claude_code_proxy.core.request.refused_arguments import refused_arguments

MISSING_RESULT = "[Tool result missing: the call was interrupted]"


Refused: TypeAlias = dict[str, set[str]]
"""Empty arguments that tools have refused, by the tool's name."""


def pair(
    drafts: Iterable[Draft], names: ToolNames, profile: Profile, model: str, report: Report
) -> tuple[tuple[Turn, ...], Refused]:
    """The turns of a conversation with `model`, the client's name, with every call answered once."""
    pairing = _Pairing(names, profile, model, report)
    return pairing.run(drafts), pairing.refused


class _OpenCall:
    """A call of the last assistant turn and the results that came for it."""

    __slots__ = ("draft", "id", "results")

    def __init__(self, draft: CallDraft, upstream_id: str) -> None:
        self.draft = draft
        self.id = upstream_id
        self.results: list[ResultDraft] = []


def _numbered(tool_id: ToolId, occurrence: int) -> ToolId:
    return ToolId(f"{tool_id.id}_{occurrence}")


class _Pairing:
    def __init__(self, names: ToolNames, profile: Profile, model: str, report: Report) -> None:
        self._names = names
        self._profile = profile
        self._model = model
        self._report = report
        self._seen_ids: set[str] = set()
        self._occurrences: dict[tuple[str, int | None], int] = {}
        self._open: list[_OpenCall] = []
        self._turns: list[Turn] = []
        self.refused: Refused = {}

    def run(self, drafts: Iterable[Draft]) -> tuple[Turn, ...]:
        for draft in drafts:
            if isinstance(draft, AssistantDraft):
                self._assistant(draft)
            else:
                self._user(draft)
        if self._open:
            self._turns.append(UserTurn(self._answers(), ()))
        return tuple(self._turns)

    def _assistant(self, draft: AssistantDraft) -> None:
        parts: list[AssistantPart] = []
        ids_of_turn: set[str] = set()
        for item in draft.items:
            if isinstance(item, CallDraft):
                tool_id = open_tool_id(item.id)
                upstream_id = self._unique_id(tool_id, ids_of_turn, item.path)
                ids_of_turn.add(upstream_id)
                extra = tool_id.extra
                if extra is not None and not self._made(tool_id):
                    extra = None
                elif extra is not None:
                    check_nesting(extra, f"{item.path}.id")
                parts.append(ToolCall(upstream_id, self._names.upstream(item.name), item.arguments, extra))
                self._open.append(_OpenCall(item, upstream_id))
            else:
                parts.append(item)
        self._seen_ids |= ids_of_turn
        self._turns.append(AssistantTurn(tuple(parts)))

    def _made(self, tool_id: ToolId) -> bool:
        """Whether the model of this request made the state beside an id; earlier seals do not name one."""
        return tool_id.profile == self._profile.name and tool_id.model in ("", self._model)

    def _unique_id(self, tool_id: ToolId, ids_of_turn: set[str], path: str) -> str:
        profile = self._profile
        # A provider's own ids go back as they came, even if it used one twice in the conversation.
        own = profile.tool_id == "raw" or (tool_id.profile != "" and tool_id.profile == profile.name)
        counted = (tool_id.id, len(self._turns) if own else None)
        occurrence = self._occurrences.get(counted, 1)  # all before it are used
        first = tool_id if occurrence == 1 else _numbered(tool_id, occurrence)
        upstream_id = upstream_tool_id(first, profile)
        while upstream_id in ids_of_turn or (not own and upstream_id in self._seen_ids):
            occurrence += 1
            upstream_id = upstream_tool_id(_numbered(tool_id, occurrence), profile)
        if occurrence > 1:
            self._occurrences[counted] = occurrence
            self._report.changed("duplicate_tool_id", path, f"this id was used before; sent as {upstream_id}")
        return upstream_id

    def _user(self, draft: UserDraft) -> None:
        waiting: dict[str, list[_OpenCall]] = {}
        for call in reversed(self._open):
            waiting.setdefault(call.draft.id, []).append(call)
        parts: list[UserPart] = []
        for item in draft.items:
            if not isinstance(item, ResultDraft):
                parts.append(item)
            elif calls := waiting.get(item.id):
                # Calls that share an id take the results in turn; what is left over joins the last one.
                if calls[-1].results and len(calls) > 1:
                    calls.pop()
                calls[-1].results.append(item)
            else:
                parts.extend(self._orphan(item))
        self._turns.append(UserTurn(self._answers(), tuple(parts)))

    def _answers(self) -> tuple[ToolResult, ...]:
        answers = tuple([self._answer(call) for call in self._open])
        self._open.clear()
        return answers

    def _answer(self, call: _OpenCall) -> ToolResult:
        match call.results:
            case []:
                self._report.changed(
                    "orphan_tool_use", call.draft.path, "the call has no result; a placeholder was added"
                )
                return ToolResult(call.id, (Text(MISSING_RESULT),))
            case [result]:
                if result.is_error and (refused := refused_arguments(call.draft, result)):
                    self.refused.setdefault(call.draft.name, set()).update(refused)
                return ToolResult(call.id, result.parts, result.is_error, result.cached)
            case results:
                self._report.changed(
                    "joined_tool_results", results[-1].path, "several results for one call were joined"
                )
                return ToolResult(
                    call.id,
                    tuple(part for result in results for part in result.parts),
                    any(result.is_error for result in results),
                    results[-1].cached,
                )

    def _orphan(self, result: ResultDraft) -> list[UserPart]:
        self._report.changed(
            "orphan_tool_result", result.path, "the message before has no such call; sent as user text"
        )
        upstream_id = upstream_tool_id(open_tool_id(result.id), self._profile)
        heading = f"[Result of an earlier tool call {upstream_id}]"
        first, *others = result.parts or (Text(""),)
        if isinstance(first, Text):
            return [Text(f"{heading}\n{first.text}", "" if others else result.cached), *others]
        return [Text(heading), first, *others]
