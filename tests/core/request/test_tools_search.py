"""What tool search saves: a session of Claude Code 2.1.330 with 200 MCP tools, on any provider.

`python -m tests.core.request.test_tools_search` prints the measure that docs/conversion.md quotes.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.tokens.estimate import estimate
from tests import paths

FIXTURE = paths.FIXTURES / "330_02_mcp_tool_reference.json"
OBJECTS = (
    "issue",
    "branch",
    "comment",
    "review",
    "release",
    "label",
    "milestone",
    "workflow",
    "page",
    "invoice",
)
VERBS = ("create", "list", "update", "delete", "search", "assign", "close", "merge", "export", "describe")
SERVERS = ("tracker", "ledger")


def mcp_tool(server: str, verb: str, noun: str) -> dict[str, Any]:
    """A tool as MCP servers of issue trackers and the like describe theirs: some 300 tokens."""
    described = {
        "owner": "The account that owns the repository. The name is not case sensitive.",
        "repo": "The name of the repository without the .git extension. The name is not case sensitive.",
        noun: f"The {noun} to {verb}: its number, or its identifier as other tools of this server return it.",
        "fields": f"Which fields of the {noun} to return. Leave it out for all of them; large ones are cut.",
        "filter": "An expression in the query language of the server, for example state:open author:me.",
        "cursor": "Where to go on, as the last answer said. Leave it out to begin at the beginning.",
    }
    properties: dict[str, Any] = {
        name: {"type": "string", "description": text} for name, text in described.items()
    }
    properties["per_page"] = {"type": "integer", "minimum": 1, "maximum": 100, "default": 30}
    properties["state"] = {"type": "string", "enum": ["open", "closed", "merged", "draft", "all"]}
    return {
        "name": f"mcp__{server}__{verb}_{noun}",
        "description": f"{verb.capitalize()} a {noun} of a repository. Needs the permission to read the "
        f"repository, and to {verb} a {noun} the permission to write it. Answers with JSON; an error names the "
        "field that was wrong. Use the search tools first when the identifier is not known.",
        "input_schema": {"type": "object", "properties": properties, "required": ["owner", "repo", noun]},
    }


TOOLS = [mcp_tool(server, verb, noun) for server in SERVERS for verb in VERBS for noun in OBJECTS]
LOADED = ("mcp__tracker__create_issue", "mcp__ledger__search_invoice")


def own_request() -> dict[str, Any]:
    """The client's own request after a tool search, without its MCP tools."""
    request: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))["body"]
    request["tools"] = [tool for tool in request["tools"] if not tool["name"].startswith("mcp__")]
    return request


def searched(*, declared: bool) -> dict[str, Any]:
    """200 tools by name only, two of them found; `declared` sends the rest along as deferred ones."""
    request = copy.deepcopy(own_request())
    names = "\n".join(tool["name"] for tool in TOOLS)
    request["messages"].insert(1, {"role": "system", "content": f"These tools can be loaded:\n{names}"})
    found = request["messages"][4]["content"][0]
    assert found["content"][0]["type"] == "tool_reference"
    found["content"] = [{"type": "tool_reference", "tool_name": name} for name in LOADED]
    request["tools"] += [
        {**tool, "defer_loading": True} for tool in TOOLS if declared or tool["name"] in LOADED
    ]
    return request


def up_front() -> dict[str, Any]:
    """The same with tool search off."""
    request = own_request()
    own = [tool for tool in request["tools"] if tool["name"] not in ("ToolSearch", "DeferredToolPlaceholder")]
    return {**request, "tools": [*own, *TOOLS]}


def sent(request: dict[str, Any], provider: str) -> dict[str, Any]:
    profile = providers.profile_named(provider)
    return convert_request(request, profile=profile, model="m", message_id="msg_1").body


def tool_tokens(request: dict[str, Any], provider: str = "deepseek") -> tuple[int, int]:
    """The tokens of the whole request, and those that the 200 tools add to it."""
    whole = estimate(sent(request, provider))
    return whole, whole - estimate(sent(own_request(), provider))


PROVIDERS = [name for name in providers.PROFILE_NAMES if providers.profile_named(name).api == "chat"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("declared", [False, True], ids=["as claude code sends it", "all declared"])
def test_200_tools_cost_a_tenth(provider: str, declared: bool) -> None:
    _, all_of_them = tool_tokens(up_front(), provider)
    _, found = tool_tokens(searched(declared=declared), provider)
    assert all_of_them > 40_000
    assert 0 < found <= all_of_them / 10


@pytest.mark.parametrize("provider", PROVIDERS)
def test_found_tools_and_no_others_reach_the_model(provider: str) -> None:
    names = {tool["function"]["name"] for tool in sent(searched(declared=True), provider)["tools"]}
    assert {name for name in names if name.startswith("mcp__")} == set(LOADED)
    assert "ToolSearch" in names
    assert "DeferredToolPlaceholder" not in names
    assert "defer_loading" not in json.dumps(sent(searched(declared=True), provider))


if __name__ == "__main__":
    for title, request in (("all up front", up_front()), ("tool search", searched(declared=False))):
        whole, tools = tool_tokens(request)
        print(f"{title:14} whole request {whole:7,} tokens, of these for the 200 tools {tools:7,}")


def conversation(loaded: list[str], kind: str) -> list[dict[str, Any]]:
    """A conversation that has loaded these tools, one after the other."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    for number, name in enumerate(loaded):
        called = "ToolSearch" if kind == "found" else name
        call = {"type": "tool_use", "id": f"t{number}", "name": called, "input": {}}
        content = [{"type": "tool_reference", "tool_name": name}] if kind == "found" else "done"
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": content}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return messages


@pytest.mark.parametrize("kind", ["found", "called"])
@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 4), st.permutations(["ToolSearch", "Read"]))
def test_what_is_loaded_is_appended(kind: str, order: list[str], count: int, own: list[str]) -> None:
    """In the order in which it was: no tool moves, and the provider's cache hits."""
    schema = {"type": "object", "properties": {}}
    deferred = [{"name": name, "input_schema": schema, "defer_loading": True} for name in "abcd"]
    plain = [{"name": name, "input_schema": schema} for name in own]
    tools = [*deferred[:2], *plain, *deferred[2:]]

    def sent(loaded: list[str]) -> list[str]:
        body = {"model": "m", "max_tokens": 9, "tools": tools, "messages": conversation(loaded, kind)}
        converted = convert_request(
            body,
            profile=providers.profile_for(api_base="https://x.example", model="m"),
            model="m",
            message_id="i",
        )
        return [tool["function"]["name"] for tool in converted.body["tools"]]

    assert sent(order[:count]) == [*own, *order[:count]]


def test_tools_that_nothing_could_find_stay_in_their_order() -> None:
    tools = [{"name": name, "input_schema": {"type": "object"}, "defer_loading": True} for name in "abc"]
    for loaded in ([], ["c"], ["c", "b", "a"]):
        body = {"model": "m", "max_tokens": 9, "tools": tools, "messages": conversation(loaded, "called")}
        converted = convert_request(
            body,
            profile=providers.profile_for(api_base="https://x.example", model="m"),
            model="m",
            message_id="i",
        )
        assert [tool["function"]["name"] for tool in converted.body["tools"]] == ["a", "b", "c"]
