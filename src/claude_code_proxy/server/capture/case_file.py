"""A captured exchange as a case of the test suite: what came in, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.server.capture.differences import answer_of
from claude_code_proxy.server.capture.recorded_upstream import Cut
from claude_code_proxy.server.capture.replay import replay_offline


async def outcome(
    case: Mapping[str, Any], settings: ServerSettings, cut: Cut | None = None
) -> dict[str, Any]:
    """What becomes of a case, or of a capture, today: the part `expected` of a case."""
    made = await replay_offline(case, settings, cut)
    return {
        "upstream": [sent["body"] for sent in made["upstream"]],
        "answer": answer_of(made["answer"]),
        "notices": [f"{notice['code']} {notice['path']}" for notice in made["notices"]],
    }


async def case_of(capture: Mapping[str, Any], settings: ServerSettings) -> dict[str, Any]:
    """The case: `why` and `expected` are for its author to look at; the latter is what comes out today."""
    return {
        "why": "",
        "models": capture["models"],
        "request": capture["request"],
        "upstream": [
            {
                "error": sent["error"],
                "response": {
                    **sent["response"],
                    "chunks": [
                        {name: value for name, value in chunk.items() if name != "seconds"}
                        for chunk in sent["response"]["chunks"]
                    ],
                },
            }
            for sent in capture["upstream"]
        ],
        "expected": await outcome(capture, settings),
    }
