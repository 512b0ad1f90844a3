"""What must hold for every request that reaches a converted upstream, whatever Claude Code did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_code_proxy.demo.strictness import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.world import Received, World

_FOREIGN_FIELDS = frozenset(
    {
        *("cache_control", "defer_loading", "eager_input_streaming", "input_schema", "tool_use_id"),
        *("betas", "container", "context_management", "mcp_servers", "metadata", "output_config"),
        *("stop_sequences", "system", "top_k"),
    }
)
_FOREIGN_HEADERS = ("anthropic-", "x-app", "x-api-key", "x-claude", "x-stainless", "cookie")


def check_received(world: World) -> None:
    """Look at everything that the provider of `world` received."""
    for request in world.received:
        if request.path == "/v1/models":  # the catalogue behind a wildcard entry
            assert request.headers["authorization"] == f"Bearer {world.key}"
            continue
        assert request.path == "/v1/chat/completions"
        check_request(request, world.key)


def check_request(request: Received, key: str) -> None:
    """Well-formed for a strict provider, the caller's key, and nothing of the Anthropic API left in it."""
    check(request.body)
    assert request.headers["authorization"] == f"Bearer {key}"
    assert [name for name in request.headers if name.startswith(_FOREIGN_HEADERS)] == []
    assert "x-anthropic-billing-header" not in request.text
    assert request.text.count(key) == 0
    without_schemas = {**request.body, "tools": [_shell(tool) for tool in request.body.get("tools", ())]}
    assert set(_keys(without_schemas)) & _FOREIGN_FIELDS == set()


def _shell(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool without its parameters: a user's own schema may use any name for a property."""
    function = {name: value for name, value in tool["function"].items() if name != "parameters"}
    return {**tool, "function": function}


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
