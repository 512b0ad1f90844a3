from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import continuity, wire
from claude_code_proxy.core.continuity import ToolId, ToolNames
from claude_code_proxy.core.providers.profile import Profile
from tests.core.test_json_prefix import JSON

NAMES = st.lists(st.text(min_size=1, max_size=80), max_size=6)
VALID_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


@given(st.text(), st.text(), st.text(), st.lists(JSON.filter(lambda v: v == v), max_size=3))
def test_a_signature_brings_back_what_was_sealed(
    profile: str, model: str, kind: str, items: list[Any]
) -> None:
    signature = continuity.seal_reasoning(profile, model, kind, items)
    assert re.fullmatch(r"px1\.[A-Za-z0-9_-]*", signature)
    opened = continuity.open_reasoning(signature)
    assert opened is not None
    assert opened[:3] == (profile, model, kind)
    assert opened.items == items


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "EqoBCkgIARAB",
        "px1.",
        "px1.!",
        "px1.e30",
        "px1.W10",
        "px1.\u00e9",
        "px1.eyJwIjoxfQ",
        "px1." + "A" * 2_000_000,
        *(
            "px1." + wire.to_base64url({"p": "a", "m": "b", "k": "c"} | odd)
            for odd in ({"p": 1}, {"m": 1}, {"k": 1}, {"x": "a" * (1 << 20)})
        ),
        "px2." + wire.to_base64url({"p": "a", "m": "b", "k": "c"}),
    ],
)
def test_foreign_and_broken_signatures_are_ignored(signature: str) -> None:
    assert continuity.open_reasoning(signature) is None


def test_sealed_items_must_be_a_list() -> None:
    seal = "px1." + wire.to_base64url({"p": "a", "m": "b", "k": "rd", "d": {}})
    assert continuity.open_reasoning(seal) is None


@given(st.text(min_size=1), st.lists(st.none() | JSON.filter(lambda v: v is not None), max_size=1))
def test_tool_ids_come_back(raw: str, extra: list[Any]) -> None:
    tool_id = ToolId(raw, "kimi", extra[0] if extra else None)
    used: set[str] = set()
    for _ in range(3):  # the same id again and again: each time another for the client
        client = continuity.client_tool_id(tool_id, used)
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", client)
        assert client not in used
        used.add(client)
        opened = continuity.open_tool_id(client)
        assert opened.id == raw
        assert opened.extra == tool_id.extra
        assert continuity.upstream_tool_id(opened, Profile(tool_id="raw")) == raw


def test_plain_ids_stay() -> None:
    assert continuity.client_tool_id(ToolId("call_1", "openai"), set()) == "call_1"
    assert continuity.open_tool_id("call_1") == ToolId("call_1")
    assert continuity.open_tool_id("px1_broken") == ToolId("px1_broken")


def test_ids_that_look_like_ours_are_sealed() -> None:
    client = continuity.client_tool_id(ToolId("px1_x", "odd"), set())
    assert continuity.open_tool_id(client) == ToolId("px1_x", "odd", None)


def test_upstream_ids() -> None:
    kimi, mistral = Profile(name="kimi"), Profile(tool_id="alnum9")
    sealed = ToolId("functions.Read:0", "kimi")
    assert continuity.upstream_tool_id(sealed, kimi) == "functions.Read:0"
    assert continuity.upstream_tool_id(sealed, Profile(name="groq")) == "functions_Read_0"
    assert continuity.upstream_tool_id(ToolId("abcdefgh1"), mistral) == "abcdefgh1"
    short = continuity.upstream_tool_id(ToolId("call_1"), mistral)
    assert re.fullmatch(r"[0-9A-Za-z]{9}", short)
    long = continuity.upstream_tool_id(ToolId("x" * 100), Profile())
    assert len(long) == 61
    assert continuity.upstream_tool_id(ToolId("x" * 64), Profile()) == "x" * 64
    assert long != continuity.upstream_tool_id(ToolId("x" * 101), Profile())


FIRST = {"any": r"", "letter": r"[a-zA-Z]", "letter_or_underscore": r"[a-zA-Z_]"}


@pytest.mark.parametrize("start", FIRST)
@given(NAMES)
def test_names_are_valid_unique_and_come_back(start: Any, names: list[str]) -> None:
    mapped = ToolNames(names, start)
    upstream = [mapped.upstream(name) for name in dict.fromkeys(names)]
    assert all(VALID_NAME.match(name) and re.match(FIRST[start], name) for name in upstream)
    assert [mapped.restore[name] for name in upstream] == list(dict.fromkeys(names))


def test_names_that_collide_when_shortened() -> None:
    mapped = ToolNames(["a.b", "a_b", "a" * 70, "a" * 69 + "b"])
    assert len({mapped.upstream(name) for name in ("a.b", "a_b", "a" * 70, "a" * 69 + "b")}) == 4
    assert mapped.upstream("only.in.history") == "only_in_history"


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("any", {"21st_magic": "21st_magic", "-x": "-x", "_x": "_x"}),
        ("letter", {"21st_magic": "t_21st_magic", "-x": "t_-x", "_x": "t__x", "x": "x", "é": "t__"}),
        ("letter_or_underscore", {"21st_magic": "t_21st_magic", "-x": "t_-x", "_x": "_x"}),
    ],
)
def test_how_names_may_begin(start: Any, names: dict[str, str]) -> None:
    mapped = ToolNames(names, start)
    assert {name: mapped.upstream(name) for name in names} == names
    assert mapped.restore == {upstream: name for name, upstream in names.items()}


def test_a_prefix_makes_no_name_that_is_there() -> None:
    names = ["1", "t_1", "1" * 64]
    mapped = ToolNames(names, "letter")
    upstream = [mapped.upstream(name) for name in names]
    assert len(set(upstream)) == 3
    assert [mapped.restore[name] for name in upstream] == names
    assert all(re.match(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}\Z", name) for name in upstream)


def test_pieces_of_reasoning_details_become_whole_objects() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "Let", "index": 0, "format": "f"},
        {"type": "reasoning.text", "text": " me", "index": 0, "format": None},
        {"type": "reasoning.text", "signature": "S", "index": 0},
        {"type": "reasoning.text", "text": "Next", "index": 0},
        {"type": "reasoning.summary", "summary": "x", "index": 1},
        {"type": "reasoning.encrypted", "data": "E1", "index": 0},
        {"type": "reasoning.encrypted", "data": "E2", "index": 0},
        "odd",
    ]
    assert continuity.merge_details(pieces) == [
        {"type": "reasoning.text", "text": "Let me", "index": 0, "format": "f", "signature": "S"},
        {"type": "reasoning.text", "text": "Next", "index": 0},
        {"type": "reasoning.summary", "summary": "x", "index": 1},
        {"type": "reasoning.encrypted", "data": "E1", "index": 0},
        {"type": "reasoning.encrypted", "data": "E2", "index": 0},
        "odd",
    ]
    assert pieces[0] == {"type": "reasoning.text", "text": "Let", "index": 0, "format": "f"}
