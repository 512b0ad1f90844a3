"""Reading the case files, and comparing with their placeholders."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core import sse
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

CASES = paths.CASES
PROFILE_KEYS = {field.name for field in fields(Profile)}


def case_files(kind: str) -> list[Path]:
    found = sorted((CASES / kind).glob("*.json"))
    assert found, f"no cases in {CASES / kind}"
    return found


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def told(report: Report) -> list[str]:
    """The notices of a report, as cases have them: all but the reasons."""
    return sorted(
        f"{notice.action} {notice.code}: {notice.path}{' (quiet)' if notice.quiet else ''}"
        for notice in report.notices
    )


def profile_of(case: dict[str, Any]) -> Profile:
    config = {key: value for key, value in case.get("model_config", {}).items() if key in PROFILE_KEYS}
    config = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
    return Profile(**{"start_usage": "zero", **config})


def reply_of(case: dict[str, Any], profile: Profile) -> ReplyContext:
    """What the answer needs of the request, read here independently of the converter."""
    request = case["anthropic_request"]
    stops = tuple(request.get("stop_sequences", ()))
    used = {
        block["id"]
        for message in request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_use"
    }
    return ReplyContext(
        model=request["model"],
        message_id="msg_test",
        tool_names={tool["name"]: tool["name"] for tool in request.get("tools", ())},
        used_tool_ids=frozenset(used),
        stop_sequences=stops,
        local_stop_sequences=stops if profile.stop_mode == "local" else (),
        show_thinking=request.get("thinking", {}).get("type", "disabled") != "disabled",
        max_tokens=request["max_tokens"],
        input_tokens=case.get("input_tokens", 0),
    )


def chunks_of(case: dict[str, Any]) -> list[bytes]:
    if case.get("chunks_encoding") == "base64":
        return [base64.b64decode(chunk) for chunk in case["chunks"]]
    return [chunk.encode() for chunk in case["chunks"]]


def parse_events(raw: bytes) -> list[dict[str, Any]]:
    """Our own output, read back; also checks that each event's name is its type."""
    decoder = sse.Decoder()
    events = []
    for event in decoder.feed(raw):
        data = json.loads(event.data)
        assert event.name == data["type"]
        events.append(data)
    assert decoder.close() == []
    return events


def merged(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without pings (but the one after message_start), adjacent deltas of one block joined."""
    out: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "ping" and (not out or out[-1]["type"] != "message_start"):
            continue
        if event["type"] == "content_block_delta" and out and out[-1]["type"] == "content_block_delta":
            last, delta = out[-1]["delta"], event["delta"]
            if last["type"] == delta["type"] and delta["type"] != "signature_delta":
                field = next(key for key in delta if key != "type")
                out[-1] = {**out[-1], "delta": {**last, field: last[field] + delta[field]}}
                continue
        out.append(event)
    return out


def matches(expected: Any, actual: Any, path: str = "$") -> None:
    """Assert equality, with `$ID`, `$SIG`, `$STR` for any text that is not empty and `$INT` for a count."""
    if expected in ("$ID", "$SIG", "$STR"):
        assert isinstance(actual, str), path
        assert actual, path
    elif expected == "$INT":
        assert isinstance(actual, int), path
        assert actual >= 0, path
    elif isinstance(expected, dict):
        assert isinstance(actual, dict), path
        assert expected.keys() == actual.keys(), path
        for key, value in expected.items():
            matches(value, actual[key], f"{path}.{key}")
    elif isinstance(expected, list):
        assert isinstance(actual, list), path
        assert len(expected) == len(actual), f"{path}: {actual}"
        for at, value in enumerate(expected):
            matches(value, actual[at], f"{path}[{at}]")
    else:
        assert expected == actual, path


def new_report() -> Report:
    return Report()
