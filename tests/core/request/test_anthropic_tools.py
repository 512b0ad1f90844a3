"""Anthropic's own client tools for any model; the types of the `anthropic` SDK are the judge."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import anthropic.types.beta as sdk
import pytest

from claude_code_proxy.core import providers
from claude_code_proxy.core.convert_answer import message_from_answer
from claude_code_proxy.core.convert_request import ConvertedRequest, convert_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.request.anthropic_tools import member_of, toolset_members, typed_tool

BROWSER = {"type": "browser_toolset_20260801"}
COMPUTER = {"type": "computer_toolset_20260801"}
ALL = {name: {"enabled": True} for name in ("file_upload", "read_console", "read_network", "javascript_exec")}
OPENAI = providers.profile_for(api_base="https://api.openai.com/v1", model="gpt-5.5")
CHAT = providers.profile_named("openrouter")


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@pytest.mark.parametrize("tool", [BROWSER, COMPUTER])
def test_members_are_those_of_the_sdk(tool: dict[str, Any]) -> None:
    members = toolset_members({**tool, "configs": ALL})
    assert members is not None
    family = tool["type"].partition("_")[0]
    names = get_args(getattr(sdk, f"Beta{family.capitalize()}MemberName", None)) or {
        re.sub(r"(?<!^)(?=[A-Z])", "_", found[1]).lower()
        for found in (re.fullmatch(f"Beta{family.capitalize()}(\\w+)Config", name) for name in dir(sdk))
        if found
    }
    assert {member["name"] for member in members.values()} == set(names)
    for key, member in members.items():
        assert member_of(key) == (family, member["name"])
        model = getattr(sdk, f"Beta{family.capitalize()}{camel(member['name'])}Input")
        theirs = model.model_json_schema(by_alias=True)
        ours = member["input_schema"]
        assert set(ours["properties"]) == set(theirs.get("properties", {})), key
        assert sorted(ours.get("required", [])) == sorted(theirs.get("required", [])), key


def test_configs_switch_members() -> None:
    assert toolset_members({"type": "bash_20250124"}) is None
    members = toolset_members(
        {**BROWSER, "configs": {"navigate": {"enabled": False}, "find": {"defer_loading": True}, "key": 7}}
    )
    assert members is not None
    assert "browser.navigate" not in members
    assert "browser.javascript_exec" not in members
    assert members["browser.find"]["defer_loading"] is True
    assert toolset_members({**COMPUTER, "configs": None}) is not None
    assert all(
        member_of(name) is None for name in ("navigate", "browser_navigate", "browser.none", "x.key", ".")
    )


@pytest.mark.parametrize("version", ["20241022", "20250124", "20251124", "20991231"])
def test_one_computer_tool(version: str) -> None:
    found = typed_tool({"type": f"computer_{version}", "display_width_px": 1024, "display_height_px": 768})
    assert found is not None
    assert "1024 x 768" in found[0]
    assert found[1]["required"] == ["action"]
    assert typed_tool({"type": "unheard_of"}) is None
    assert typed_tool({}) is None


def made(profile: Any, tools: list[Any], messages: list[Any]) -> ConvertedRequest:
    request = {"model": "m", "max_tokens": 99, "tools": tools, "messages": messages}
    return convert_request(request, profile=profile, model="m", message_id="msg_1")


USER = {"role": "user", "content": "q"}
NAVIGATE = {
    "type": "tool_use",
    "id": "call_1",
    "name": "navigate",
    "input": {"url": "x"},
    "toolset_name": "browser",
}


def test_a_call_of_a_member_goes_there_and_back_on_chat() -> None:
    tools = [BROWSER, COMPUTER, {"name": "browser_key", "input_schema": {"type": "object"}}]
    request = made(CHAT, tools, [USER])
    offered = [tool["function"]["name"] for tool in request.body["tools"]]
    assert len(offered) == len(set(offered)) == 27 + 17 + 1
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "browser_navigate", "arguments": '{"url":"x"}'},
    }
    answer = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    (block,) = message_from_answer(answer, CHAT, request.reply, request.report)[0]["content"]
    assert block == NAVIGATE
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}]}
    again = made(CHAT, tools, [USER, {"role": "assistant", "content": [block]}, result])
    assert again.body["messages"][1]["tool_calls"] == [call]
    assert not {"unknown_field", "block_field"} & set(again.report.codes)


def test_a_call_of_a_member_goes_there_and_back_on_responses() -> None:
    request = made(OPENAI, [BROWSER], [USER])
    item = {
        "type": "function_call",
        "call_id": "call_1",
        "name": "browser_navigate",
        "arguments": '{"url":"x"}',
    }
    answer = {"object": "response", "status": "completed", "output": [item]}
    (block,) = message_from_answer(answer, OPENAI, request.reply, request.report)[0]["content"]
    assert block == NAVIGATE
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}]}
    again = made(OPENAI, [BROWSER], [USER, {"role": "assistant", "content": [block]}, result])
    assert item in again.body["input"]


def test_members_can_be_dropped_and_deferred() -> None:
    profile = providers.profile_named("openrouter")
    search = {"name": "ToolSearch", "input_schema": {"type": "object"}}
    config = {name: {"defer_loading": True} for name in ("navigate", "find")}
    request = made(profile, [{**BROWSER, "configs": config}, search], [USER])
    offered = [tool["function"]["name"] for tool in request.body["tools"]]
    assert "browser_navigate" not in offered
    assert "browser_screenshot" in offered
    request = made(replace(profile, drop_tools=("zoom", "left_*")), [BROWSER], [USER])
    offered = [tool["function"]["name"] for tool in request.body["tools"]]
    assert not {"browser_zoom", "browser_left_click"} & set(offered)
    assert "browser_find" in offered


def test_what_has_no_field_is_said_in_the_description() -> None:
    tools = [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object"},
            "input_examples": [{"a": 1}, {"b": "x"}],
            "allowed_callers": ["code_execution_20260120"],
        },
        {
            "name": "g",
            "input_schema": {"type": "object"},
            "input_examples": [{}],
            "allowed_callers": ["direct"],
        },
        {"name": "h", "input_schema": {"type": "object"}, "input_examples": [], "allowed_callers": []},
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9000},
    ]
    request = made(CHAT, tools, [USER])
    described = [tool["function"].get("description", "") for tool in request.body["tools"]]
    assert described[0] == 'd\n\nExamples of input:\n{"a":1}\n{"b":"x"}'
    assert described[1] == "Examples of input:\n{}"
    assert described[2] == ""
    assert "9000 characters" in described[3]
    callers = [notice.path for notice in request.report.notices if notice.code == "tool_callers"]
    assert callers == ["tools.0.allowed_callers"]
    assert "tool_field" not in request.report.codes


TOOLS_WITHOUT_DATE = {"BetaToolParam", "BetaMCPToolsetParam"}


def typed_tools() -> dict[str, str]:
    """The name of every dated tool of the SDK, by its type."""
    found: dict[str, str] = {}
    for param in get_args(sdk.BetaToolUnionParam):
        hints = get_type_hints(param)
        if param.__name__ not in TOOLS_WITHOUT_DATE:
            found[get_args(hints["type"])[0]] = get_args(hints["name"])[0] if "name" in hints else ""
    return found


@pytest.mark.parametrize(("kind", "name"), sorted(typed_tools().items()))
def test_every_tool_of_the_sdk_is_the_clients_or_told(kind: str, name: str) -> None:
    converted = offered({"type": kind, "name": name} if name else {"type": kind})
    runs_on_the_client = kind.startswith(("bash_2", "text_editor_2", "memory_2", "computer_", "browser_"))
    assert bool(converted.tools) == runs_on_the_client
    assert converted.report.codes == ([] if runs_on_the_client else ["server_tool_dropped"])
    if runs_on_the_client:
        assert all(tool.parameters["properties"] or "_" in tool.name for tool in converted.tools.tools)


@pytest.mark.parametrize(
    ("tool", "code"),
    [
        ({"type": "mcp_toolset", "mcp_server_name": "s"}, "server_tool_dropped"),
        ({"type": "advisor_20991231", "name": "advisor", "model": "claude-x"}, "server_tool_dropped"),
        ({"type": "bash_code_execution_20991231", "name": "bash_code_execution"}, "unknown_tool"),
        ({"type": "text_editor_code_execution_20991231", "name": "edit"}, "unknown_tool"),
        ({"type": "memory_server_20991231", "name": "memory"}, "unknown_tool"),
        ({"type": "image_generation_20991231", "name": "image_generation"}, "unknown_tool"),
        ({"type": "bash", "name": "bash"}, "unknown_tool"),
    ],
)
def test_a_tool_that_nobody_here_can_run_is_told_and_never_offered(tool: dict[str, Any], code: str) -> None:
    converted = offered(tool)
    assert not converted.tools
    assert converted.report.codes == [code]
    assert not any(notice.quiet for notice in converted.report.notices)


def offered(tool: dict[str, Any]) -> ConvertedRequest:
    request = {
        "model": "m",
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "q"}],
        "tools": [tool],
    }
    return convert_request(request, profile=Profile(), model="up", message_id="msg_1")
