from __future__ import annotations

from typing import Any

import pytest

from claude_code_proxy.core.wire import list_at, object_at, objects_in, type_of, value_at

ODD: list[Any] = [None, "text", 1, True, [], {}, {"a": None}, {"a": "text"}, {"a": [1]}, [{"a": {"b": 1}}]]


@pytest.mark.parametrize("value", ODD)
def test_what_is_not_there_is_nothing(value: Any) -> None:
    assert value_at(value, "a", "b") is None
    assert object_at(value, "a") == {}
    assert list_at(value, "a", "b") == []
    assert type_of(value) == ""


def test_what_is_there() -> None:
    value = {"type": "x", "a": {"b": [1, {"c": 2}]}}
    assert value_at(value) is value
    assert value_at(value, "a", "b") == [1, {"c": 2}]
    assert object_at(value, "a") == {"b": [1, {"c": 2}]}
    assert list_at(value, "a", "b") == [1, {"c": 2}]
    assert objects_in(value_at(value, "a", "b")) == [{"c": 2}]
    assert type_of(value) == "x"
    assert type_of({"type": 1}) == ""
