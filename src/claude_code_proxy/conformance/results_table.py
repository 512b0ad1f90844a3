"""Results as a table for people and as a document for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from claude_code_proxy.conformance.behaviour import Behaviour
from claude_code_proxy.conformance.judge import VERDICTS
from claude_code_proxy.conformance.requester import Result


def table(results: Sequence[Result]) -> str:
    """Every behaviour by group with both verdicts, the reasons of the failures below it, and the sums."""
    lines: list[str] = []
    width = max((len(result.case.behaviour.id) for result in results), default=0)
    for group, in_group in groupby(results, key=lambda result: result.case.behaviour.group):
        lines += ["", f"{group:<{width}}    stream  whole"]
        for behaviour, both in groupby(in_group, key=lambda result: result.case.behaviour):
            asked = list(both)
            verdicts = {result.case.mode: result.judgement.verdict for result in asked}
            row = f"  {behaviour.id:<{width}}  {verdicts.get('stream', '-'):<6}  {verdicts.get('whole', '-')}"
            lines.append(row)
            lines += [
                f"      {result.case.mode}: {result.judgement.because}"
                for result in asked
                if result.judgement.verdict != "ok"
            ]
    return "\n".join([*lines, "", summary(results)])


def summary(results: Sequence[Result]) -> str:
    """One line: how many behaviours, how many answers, how many of each verdict."""
    counts = Counter(result.judgement.verdict for result in results)
    behaviours = len({result.case.behaviour.id for result in results})
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    return f"{behaviours} behaviours, {len(results)} answers: {verdicts}"


def groups(results: Sequence[Result]) -> str:
    """The sums by group, as a Markdown table."""
    lines = [f"| group | answers | {' | '.join(VERDICTS)} |", "|---|" + "---:|" * (len(VERDICTS) + 1)]
    for group, in_group in groupby(results, key=lambda result: result.case.behaviour.group):
        lines.append(_sums(group, list(in_group)))
    return "\n".join([*lines, _sums("**all**", results)])


def _sums(name: str, results: Sequence[Result]) -> str:
    counts = Counter(result.judgement.verdict for result in results)
    numbers = [len(results), *(counts[verdict] for verdict in VERDICTS)]
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def document(results: Sequence[Result]) -> dict[str, Any]:
    """The results as one JSON document."""
    counts = Counter(result.judgement.verdict for result in results)
    return {
        "version": 1,
        "summary": {verdict: counts[verdict] for verdict in VERDICTS},
        "results": [
            {
                "id": result.case.behaviour.id,
                "group": result.case.behaviour.group,
                "what": result.case.behaviour.what,
                "mode": result.case.mode,
                "verdict": result.judgement.verdict,
                "because": result.judgement.because,
                "seconds": round(result.seconds, 3),
            }
            for result in results
        ],
    }


def listing(behaviours: Sequence[Behaviour]) -> str:
    """What there is to run."""
    lines: list[str] = []
    for group, rows in groupby(behaviours, key=lambda behaviour: behaviour.group):
        lines += ["", group]
        lines += [f"  {row.id:<34}  {', '.join(row.modes):<13}  {row.what}" for row in rows]
    return "\n".join([*lines, "", f"{len(behaviours)} behaviours"])
