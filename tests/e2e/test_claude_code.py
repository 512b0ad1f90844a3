"""The real Claude Code at work, launched by ccproxy, on an OpenAI-compatible provider."""

from __future__ import annotations

import json
import re
import struct
import sys
import zlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import versions

if TYPE_CHECKING:
    from tests.e2e.conftest import MakeWorld

pytestmark = pytest.mark.real_client


@pytest.mark.parametrize("version", versions.ALL)
def test_plain_answer(make_world: MakeWorld, version: str) -> None:
    world = make_world(version)
    world.env["CLAUDE_CODE_ATTRIBUTION_HEADER"] = "1"  # ccproxy turns it off; the proxy must not need that
    run = world.ask("say plain talk works")
    assert run.output.strip() == "plain talk works"
    (request,) = world.turns
    assert request.body["stream"] is True
    assert "billing_header dropped" in world.proxy_log  # the client sent it; `check_received` saw it gone


@pytest.mark.parametrize("version", versions.ALL)
def test_bash_tool(make_world: MakeWorld, version: str) -> None:
    world = make_world(version)
    run = world.ask("run: echo mark-$((6*7)) > made.txt; cat made.txt")
    assert run.output.strip() == "Bash returned:\nmark-42"
    assert (world.work / "made.txt").read_text() == "mark-42\n"
    first, second = world.turns
    assert first.results == []
    assert second.results == ["mark-42"]


def test_tool_that_must_be_found_first(make_world: MakeWorld) -> None:
    world = make_world()
    run = world.ask("run the tool CronList")
    assert run.output.startswith("CronList returned:\n"), run
    first, found, last = world.turns
    assert "ToolSearch" in first.tools
    assert "CronList" not in first.tools
    assert "CronList" in found.tools
    assert "CronList" in found.results[0]  # the tool_reference, in words
    assert len(last.results) == 2


def test_mcp_tool(make_world: MakeWorld) -> None:
    world = make_world()
    server = {"command": sys.executable, "args": [str(Path(__file__).with_name("mcp_server.py"))]}
    config = json.dumps({"mcpServers": {"tiny": server}})
    run = world.ask('run the tool mcp__tiny__shout with {"text": "hey"}', "--mcp-config", config)
    assert "mcp__tiny__shout returned:\nHEY" in run.output, run
    last = world.received[-1]
    assert "mcp__tiny__shout" in last.tools
    assert "HEY" in last.results[-1]


def test_background_subagent(make_world: MakeWorld) -> None:
    world = make_world(delay=0.01)
    run = world.ask("background agent: run: echo from-the-agent-$((40+2))")
    agents = [request for request in world.received if "from-the-agent-42" in str(request.results)]
    assert agents, run
    assert any("from-the-agent-42" in request.text for request in world.received if request not in agents), (
        run
    )
    spans = sorted((request.began, request.over or 0.0) for request in world.received)
    assert any(later[0] < earlier[1] for earlier, later in pairwise(spans)), spans


def test_two_tools_in_parallel(make_world: MakeWorld) -> None:
    world = make_world()
    run = world.ask("run: echo one-$((1+0)) and also run echo two-$((1+1))")
    assert "one-1" in run.output
    assert "two-2" in run.output
    last = world.received[-1]
    (calls,) = [message["tool_calls"] for message in last.body["messages"] if message.get("tool_calls")]
    assert [call["function"]["name"] for call in calls] == ["Bash", "Bash"]
    assert last.results == ["one-1", "two-2"]


def test_read_an_image(make_world: MakeWorld) -> None:
    world = make_world()
    (world.work / "dot.png").write_bytes(_png(8, 8))
    run = world.ask("read dot.png")
    assert re.search(r"I see an image \(image/png, \d+ bytes\)", run.output), run
    messages = world.received[-1].body["messages"]
    (tool,) = [index for index, message in enumerate(messages) if message["role"] == "tool"]
    after = [message for message in messages[tool + 1 :] if message["role"] == "user"]
    images = [part for part in after[0]["content"] if part["type"] == "image_url"]
    assert images[0]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")


def test_read_a_pdf_that_the_provider_cannot_take(make_world: MakeWorld) -> None:
    world = make_world()
    (world.work / "page.pdf").write_bytes(_pdf())
    run = world.ask("read page.pdf")
    assert "document omitted" in run.output, run
    assert "document_omitted" in world.proxy_log


def test_structured_output(make_world: MakeWorld) -> None:
    world = make_world()
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    options = ("--json-schema", json.dumps(schema), "--output-format", "json")
    run = world.ask('run the tool StructuredOutput with {"n": 42}', *options)
    assert json.loads(run.output)["structured_output"] == {"n": 42}


def test_subagent_of_a_named_tier(make_world: MakeWorld) -> None:
    world = make_world()
    task = {
        "description": "say",
        "prompt": "say from the tier",
        "model": "haiku",
        "subagent_type": "general-purpose",
    }
    run = world.ask("run the tool Agent with " + json.dumps(task | {"run_in_background": False}))
    assert "from the tier" in run.output, run
    assert {request.body["model"] for request in world.received} == {"demo-reason"}


def test_explore_subagent(make_world: MakeWorld) -> None:
    world = make_world()
    run = world.ask("explore: run: echo explored-$((40+2))")
    explored = [request for request in world.received if request.results[-1:] == ["explored-42"]]
    assert explored, run
    assert "Agent" not in explored[0].tools
    told = world.received[-1]
    assert "Agent" in told.tools
    assert "explored-42" in told.body["messages"][-1]["content"]
    assert {request.body["model"] for request in world.received} == {"demo-reason"}


def test_explore_subagent_of_the_older_version(make_world: MakeWorld) -> None:
    """It asks for a Claude model of its own choice unless the launcher names one for each tier."""
    world = make_world(versions.OLDEST)
    run = world.ask("explore: run: echo explored-$((40+2))")
    assert "explored-42" in run.output, run
    assert {request.body["model"] for request in world.received} == {"demo-reason"}


def test_stream_json(make_world: MakeWorld) -> None:
    world = make_world()
    options = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    events = world.ask("run: echo streamed-$((6*7))", *options).events
    assert events[-1]["type"] == "result"
    assert events[-1]["is_error"] is False
    assert "streamed-42" in events[-1]["result"]
    blocks = [
        block for event in events if event["type"] == "assistant" for block in event["message"]["content"]
    ]
    kinds = [block["type"] for block in blocks]
    assert kinds == ["thinking", "text", "tool_use", "thinking", "text"]
    assert all(block["signature"] for block in blocks if block["type"] == "thinking")
    deltas = [event["event"] for event in events if event["type"] == "stream_event"]
    assert sum(delta["type"] == "message_start" for delta in deltas) == 2
    usage = events[-1]["usage"]
    assert usage["input_tokens"] > 0
    assert usage["cache_read_input_tokens"] > 1000  # the second request begins with all of the first
    assert usage["output_tokens"] > 0


def test_context_counts_tokens_without_the_provider(make_world: MakeWorld) -> None:
    world = make_world(model={"context": "123k"})
    run = world.ask("/context")
    assert "123k" in run.output, run
    counted = re.findall(r"POST /v1/messages/count_tokens \S+ 200 ", world.proxy_log)
    assert len(counted) > 1, world.proxy_log
    assert world.received == []


def test_known_window_and_output_limit_reach_the_client(make_world: MakeWorld) -> None:
    world = make_world(model={"context": "64k", "max_tokens": "4k"})
    world.ask("say hi")
    assert world.received[-1].body["max_tokens"] == 4000


@pytest.mark.parametrize("version", versions.ALL)
def test_discovered_model_can_be_chosen(make_world: MakeWorld, version: str) -> None:
    world = make_world(version)
    world.env["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"] = "1"
    world.ask("say hi")
    listed = json.loads((world.home / ".claude/cache/gateway-models.json").read_text())["models"]
    assert [model["display_name"] for model in listed] == ["demo-reason"]
    assert world.ask("say chosen", "--model", listed[0]["id"]).output.strip() == "chosen"
    assert {request.body["model"] for request in world.received} == {"demo-reason"}


def test_conversation_goes_on_in_a_new_process(make_world: MakeWorld) -> None:
    """The demo's strict model refuses tool calls whose reasoning did not come back."""
    strict = "demo-strict-reason"
    model = {"model_id": strict, "reasoning_replay": "reasoning_content"}
    world = make_world(launcher={"model": strict}, model=model)
    world.ask("run: echo first-$((1+0))")
    run = world.ask("say still here", "--continue")
    assert run.output.strip() == "still here"
    last = world.received[-1]
    assert last.results == ["first-1"]
    reasoning = [m["reasoning_content"] for m in last.body["messages"] if m.get("tool_calls")]
    assert reasoning[0].startswith("The user wrote")


def _png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _pdf() -> bytes:
    """One empty page."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>",
    )
    data = b"%PDF-1.4\n"
    places = []
    for number, text in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%sendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += (
        b"xref\n0 4\n0000000000 65535 f \n"
        + table
        + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
    )
    return data
