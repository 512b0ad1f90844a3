"""What a request repeats many times takes time in proportion: four times as much of it, about four times as long."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 250
FACTOR = 4
_SUPER_LINEAR = 10.0
_SLOW = 0.2  # seconds; less is too little to be compared, and quadratic cases took longer


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def use(tool_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_id, "name": "n", "input": {}}


def result(tool_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_id, "content": "x"}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def tool(schema: Any) -> list[dict[str, Any]]:
    return [{"name": "t", "input_schema": schema}]


def properties(value: Any) -> list[dict[str, Any]]:
    return tool({"type": "object", "properties": {"a": value}})


def objects(n: int) -> list[Any]:
    return [{"type": "object", "properties": {f"p{i}": {}}} for i in range(n)]


def references(n: int, target: Callable[[int], str]) -> dict[str, Any]:
    return {f"p{i}": {"$ref": f"#/$defs/{target(i)}"} for i in range(n)}


LARGE: dict[str, Callable[[int], dict[str, Any]]] = {
    "messages": lambda n: {"messages": [user(text("a"))] * n},
    "turns": lambda n: {"messages": [user(text("a")), assistant(text("b"))] * n},
    "system messages": lambda n: {"messages": [user(text("a")), {"role": "system", "content": "b"}] * n},
    "system blocks": lambda n: {"system": [{**text("a"), "cache_control": {"type": "ephemeral"}}] * n},
    "one id": lambda n: {"messages": [assistant(use("s")), user(result("s"))] * n},
    "one id in a turn": lambda n: {
        "messages": [assistant(*[use("s")] * n), user(*[result("s")] * n), assistant(*[use("s")] * n)]
    },
    "numbered ids": lambda n: {"messages": [assistant(*[use(f"s_{i}") for i in range(n)], *[use("s")] * n)]},
    "illegal ids": lambda n: {"messages": [assistant(use(f"s:{i % 9}")) for i in range(n)]},
    "sealed ids": lambda n: {"messages": [assistant(use("px1_WyJ4IiwiYSIsbnVsbF0")) for _ in range(n)]},
    "calls without results": lambda n: {"messages": [assistant(*[use(f"s{i}") for i in range(n)])]},
    "results without calls": lambda n: {"messages": [user(*[result(f"s{i}") for i in range(n)])]},
    "results for one call": lambda n: {"messages": [assistant(use("s")), user(*[result("s")] * n)]},
    "blocks in a result": lambda n: {
        "messages": [assistant(use("s")), user({**result("s"), "content": [text("a")] * n})]
    },
    "thinking": lambda n: {
        "messages": [assistant({"type": "thinking", "thinking": "t", "signature": "s"}, text("a")), user()]
        * n
    },
    "reminders": lambda n: {"messages": [user(text("<system-reminder>a</system-reminder>" * n))]},
    "images": lambda n: {
        "messages": [
            user(
                *[
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "aaaa"},
                    }
                ]
                * n
            )
        ]
    },
    "unknown fields": lambda n: {f"x{i}": 1 for i in range(n)},
    "tools": lambda n: {"tools": [{"name": f"t{i}", "input_schema": {}} for i in range(n)]},
    "long tool names": lambda n: {
        "tools": [{"name": "n" * 99 + str(i), "input_schema": {}} for i in range(n)]
    },
    "references to tools": lambda n: {
        "tools": [{"name": f"t{i}", "defer_loading": True, "input_schema": {}} for i in range(n)],
        "messages": [
            assistant(use("s")),
            user(
                {
                    **result("s"),
                    "content": [{"type": "tool_reference", "tool_name": f"t{i}"} for i in range(n)],
                }
            ),
        ],
    },
    "properties": lambda n: {
        "tools": tool(
            {
                "type": "object",
                "properties": {f"p{i}": {"type": "string"} for i in range(n)},
                "required": [f"p{i}" for i in range(n)],
            }
        )
    },
    "enum": lambda n: {"tools": properties({"enum": [f"p{i}" for i in range(n)]})},
    "enum of arrays": lambda n: {"tools": properties({"enum": [[i] for i in range(n)]})},
    "types": lambda n: {"tools": properties({"type": ["string", "null"] * n})},
    "anyOf": lambda n: {"tools": properties({"anyOf": objects(n)})},
    "anyOf of constants": lambda n: {"tools": properties({"anyOf": [{"const": i} for i in range(n)]})},
    "anyOf at the top": lambda n: {"tools": tool({"anyOf": objects(n)})},
    "oneOf alike": lambda n: {"tools": tool({"oneOf": objects(1) * n})},
    "allOf": lambda n: {"tools": tool({"allOf": objects(n)})},
    "allOf alike": lambda n: {"tools": tool({"allOf": objects(1) * n})},
    "definitions": lambda n: {
        "tools": tool(
            {
                "type": "object",
                "$defs": {f"d{i}": {"type": "string"} for i in range(n)},
                "properties": references(n, lambda i: f"d{i}"),
            }
        )
    },
    "chained definitions": lambda n: {
        "tools": tool(
            {
                "type": "object",
                "$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(n)},
                "properties": references(1, lambda _: "d0"),
            }
        )
    },
    "one definition": lambda n: {
        "tools": tool(
            {
                "type": "object",
                "$defs": {"d": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "properties": references(n, lambda _: "d"),
            }
        )
    },
    "one large definition": lambda n: {
        "tools": tool(
            {
                "type": "object",
                "$defs": {
                    "d": {"type": "object", "properties": {f"q{i}": {"type": "string"} for i in range(n)}}
                },
                "properties": references(n, lambda _: "d"),
            }
        )
    },
}
PROFILES = {
    "chat": Profile(),
    "gemini": Profile(schema_dialect="gemini"),
    "alnum9": Profile(tool_id="alnum9"),
}


def seconds(make: Callable[[int], dict[str, Any]], n: int, profile: Profile) -> float:
    body = {"model": "m", "max_tokens": 5, "messages": [user(text("hi"))], **make(n)}
    request = wire.loads(wire.dumps(body))
    gc.collect()
    gc.disable()
    began = time.thread_time()
    try:
        convert_request(request, profile=profile, model="m", message_id="msg_1")
    except ApiError as error:
        assert error.status == 400  # noqa: PT017 - a refusal is an answer too
    finally:
        gc.enable()
    return time.thread_time() - began


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.parametrize("profile", PROFILES)
def test_four_times_as_much_takes_four_times_as_long(what: str, profile: str) -> None:
    make, n = LARGE[what], SMALL * FACTOR
    for _ in range(3):
        large = seconds(make, n, PROFILES[profile])
        if large < _SLOW or large < _SUPER_LINEAR * seconds(make, SMALL, PROFILES[profile]):
            return
    pytest.fail(f"{large:.2f} s for {n}, {seconds(make, SMALL, PROFILES[profile]):.3f} s for {SMALL}")
