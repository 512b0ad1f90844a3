from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core import wire
from claude_code_proxy.core.conversation import Image, Text
from claude_code_proxy.core.request.drafts import CallDraft, ResultDraft
from claude_code_proxy.core.request.refused_arguments import optional, refused_arguments

READ = {"file_path": "/a", "pages": ""}
CASES: list[tuple[str, dict[str, Any], str, set[str]]] = [
    ("Claude Code's Read", READ, '<tool_use_error>Invalid pages parameter: "".</tool_use_error>', {"pages"}),
    ("a type", {"offset": ""}, "The parameter `offset` type is expected as `number`", {"offset"}),
    ("null", {"limit": None}, 'Invalid arguments: [{"path": ["limit"], "code": "invalid_type"}]', {"limit"}),
    ("an array", {"fields": []}, "fields: must not be empty", {"fields"}),
    ("an object", {"filter": {}}, "/filter: must have at least one property", {"filter"}),
    ("another case", {"maxResults": ""}, "MAXRESULTS must be a number", {"maxResults"}),
    ("a dash", {"max-results": ""}, "--max-results: expected a number", {"max-results"}),
    ("two", {"a": "", "b": None, "c": ""}, "a and b are wrong", {"a", "b"}),
    ("another error", READ, "File does not exist.", set()),
    ("only part of a word", READ, "No subpages here", set()),
    ("not empty", {"file_path": "/a", "pages": "x"}, "Invalid pages parameter", set()),
    ("zero and false are values", {"a": 0, "b": False, "c": ""}, "a and b are wrong", set()),
    ("empty further inside", {"a": {"pages": ""}}, "pages", set()),
    ("named too late", READ, "x" * 5000 + " pages", set()),
]


@pytest.mark.parametrize(("why", "arguments", "error", "refused"), CASES, ids=[case[0] for case in CASES])
def test_refused(why: str, arguments: dict[str, Any], error: str, refused: set[str]) -> None:
    call = CallDraft("id", "Read", wire.dumps_text(arguments), "messages.1")
    parts = (Text("Error:"), Image("data:image/png;base64,"), Text(error))
    assert refused_arguments(call, ResultDraft("id", parts, True, "", "messages.2")) == refused


@pytest.mark.parametrize(
    ("schema", "left_out"),
    [
        ({"properties": {"a": {}, "b": {}}, "required": ["a"]}, {"b"}),
        ({"type": "object"}, {"a", "b"}),
        (None, {"a", "b"}),
        ({"required": "a"}, {"a", "b"}),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}, 7]}, set()),
        ({"allOf": [{"required": ["b"]}]}, {"a"}),
    ],
)
def test_optional(schema: Any, left_out: set[str]) -> None:
    assert optional(schema, ["a", "b"]) == left_out
