"""The request to the judge, its verdicts, and the results for the client.

What `safeguards` holds and what the client takes for `safeguard_results`: seen with Claude Code 2.1.332.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.auto_mode import transcript
from claude_code_proxy.core.auto_mode.policy import POLICY
from claude_code_proxy.core.auto_mode.tool_uses import ToolUse, is_harmless
from claude_code_proxy.core.wire import list_at, object_at, type_of

KIND = "dangerous_tool_use"
BETA = "dangerous-tool-use-*"
"""The beta flags that go with the field."""
MAX_JUDGED = 100_000
"""Characters of the calls that are judged at once: they are never cut, since what is cut may be the harm."""
MAX_TRANSCRIPT = 400_000
"""Characters of what came before; beyond that the oldest calls go, never what the user said."""
_MAX_OUTPUT = 1024
_MAX_REASON = 500
_LISTS = ("allow", "soft_deny", "hard_deny", "environment")

_VERDICT = re.compile(
    r"(ALLOW|BLOCK)(?:[ \t]{1,9}#?(\d{1,4}))?(?:[ \t]{1,9}(allow|soft_deny|hard_deny)\.(\d{1,4}))?"
    r"[ \t]{0,9}(?::(.*))?"
)
_ORNAMENT = "*`-•> \t\r"


def context_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `classifier_context` of a request that wants its tool calls judged; None for any other request."""
    for entry in list_at(body, "safeguards"):
        if type_of(entry) == KIND:
            return object_at(entry, "classifier_context")
    return None


def to_judge(calls: Sequence[ToolUse], context: Mapping[str, Any]) -> list[ToolUse]:
    """The calls that somebody has to look at."""
    return [call for call in calls if not is_harmless(call, context)]


def judge_request(
    body: Mapping[str, Any], context: Mapping[str, Any], calls: Sequence[ToolUse], model: str, *, author: str
) -> dict[str, Any] | None:
    """The Messages request to the judge `model`; None where `calls` are too long to be judged.

    `body` is the request that the calls answer, `author` whose its user messages are ("user" or "parent").
    All but the last lines is the same in the next request of the conversation.
    """
    judged = [transcript.call_line(call) for call in calls]
    before = _within(list(transcript.lines(body, context, author)), author)
    if before is None or sum(map(len, judged)) > MAX_JUDGED:
        return None
    system = [POLICY, _facts(context), *transcript.instructions(body)]
    numbered = [f"{number}. {line}" for number, line in enumerate(judged, 1)]
    text = "\n".join(["The conversation so far:", *before, "", "To be judged:", *numbered])
    return {
        "model": model,
        "max_tokens": _MAX_OUTPUT,
        "thinking": {"type": "disabled"},
        "system": [{"type": "text", "text": text} for text in system],
        "messages": [{"role": "user", "content": text}],
    }


def read_verdicts(text: str, calls: Sequence[ToolUse], context: Mapping[str, Any]) -> dict[str, Any] | None:
    """The results by call id; None where the judge did not give exactly one verdict for each call."""
    verdicts: dict[int, dict[str, Any]] = {}
    for line in text.splitlines():
        found = _VERDICT.fullmatch(line.strip(_ORNAMENT))
        if found is None:
            continue
        word, numbered, rules, index, reason = found.groups()
        number = int(numbered or len(calls))  # the only one needs no number
        if number in verdicts or not 1 <= number <= len(calls) or (numbered is None and number > 1):
            return None
        verdict = _evaluated(flagged=word == "BLOCK", reason=(reason or "").strip())
        verdicts[number] = verdict | _cited(word, rules, index, context)
    if len(verdicts) != len(calls):
        return None
    return {call.id: verdicts[number] for number, call in enumerate(calls, 1)}


def blocked(calls: Sequence[ToolUse], reason: str) -> dict[str, Any]:
    """The results where nobody could judge: what is not known to be safe does not run."""
    return {call.id: _evaluated(flagged=True, reason=reason) for call in calls}


def safeguard_results(calls: Sequence[ToolUse], judged: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the answer carries. Calls of one id, which cannot be told apart, are blocked."""
    uses: dict[str, Any] = {}
    for call in calls:
        if call.id in uses:
            uses |= blocked([call], "two calls have the same id")
        else:
            uses[call.id] = judged.get(call.id, {"type": "skipped"})
    return [{"type": KIND, "status": {"type": "available", "tool_uses": uses}}]


def unsupported() -> list[dict[str, Any]]:
    """What the answer carries where the client is to judge by itself."""
    return [{"type": KIND, "status": {"type": "unsupported"}}]


def _evaluated(*, flagged: bool, reason: str) -> dict[str, Any]:
    outcome = {"type": "evaluated", "outcome": "flagged" if flagged else "not_flagged"}
    return {**outcome, "explanation": reason[:_MAX_REASON] or "judged as dangerous"} if flagged else outcome


def _cited(word: str, rules: str | None, index: str | None, context: Mapping[str, Any]) -> dict[str, Any]:
    """The rule that decided, where the client knows it by this name."""
    own = {"ALLOW": "allow", "BLOCK": "soft_deny"}[word]
    if index is None or rules != own or int(index) >= len(_rules(context, own)):
        return {}
    return {"cited_rule": {"type": "classifier_context", "path": f"auto_mode.{own}.{int(index)}"}}


def _rules(context: Mapping[str, Any], name: str) -> list[Any]:
    return list_at(context, "auto_mode", name)


def _facts(context: Mapping[str, Any]) -> str:
    """Where the agent works, and the person's rules with their numbers; nothing that changes at each turn."""
    lines = [
        f"{name}: {wire.dumps_text(context[name])}"
        for name in ("platform", "live_cwd", "home_dir", "trusted_directories", "rules")
        if name in context
    ]
    for name in _LISTS:
        lines += [
            f"{name}.{index}: {wire.dumps_text(rule)}" for index, rule in enumerate(_rules(context, name))
        ]
    return "\n".join(["Where the agent works, and the person's rules:", *lines])


def _within(lines: list[str], author: str) -> list[str] | None:
    """The lines without the oldest calls where all are too long; None where that is not enough."""
    size, start = sum(map(len, lines)), f'{{"{author}":'
    kept = []
    for line in lines:
        if size > MAX_TRANSCRIPT and not line.startswith(start):
            size -= len(line)
        else:
            kept.append(line)
    return kept if size <= MAX_TRANSCRIPT else None
