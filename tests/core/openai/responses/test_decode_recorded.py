"""What providers really sent as Responses, read twice: by the converter, and independently by this page.

As in `test_recorded`, the recordings lie beside the checkout; without them this page is skipped.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from openai.types.responses import Response

from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.continuity import open_reasoning
from claude_code_proxy.core.convert_answer import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = Profile(api="responses", reasoning_replay="responses_item", name="openai")
FAILING = {"138_openai_responses-error"}
"""The provider itself reports an error."""
CUT = {"148_openai_responses-reasoning-encrypted"}
"""The recording ends before its terminal event."""
SHORTENED = {"153_openai_responses-shell-call", "242_xai_responses-text"}
"""Deltas were taken out of the recording: the finished items hold more than the stream."""
UNSTEADY = {"243_xai_responses-web-search"}
"""The terminal event lists other search results than the finished items."""
LATE = {"193_openrouter_responses-reasoning"}
"""The reasoning item is finished after the message that follows it, and cannot go back."""


def recordings(suffix: str) -> list[Path]:
    return paths.recordings("responses", suffix)


def reply(**more: Any) -> ReplyContext:
    return ReplyContext(model="claude-x", message_id="msg_recorded", **more)


def convert(reads: list[bytes]) -> tuple[bytes, ApiError | None]:
    converter = StreamConverter(PROFILE, reply(), Report(), "req_recorded")
    out = b"".join(converter.feed(read) for read in reads if not converter.finished)
    if not converter.finished:
        out += converter.close()
    return out, converter.error


def payloads(raw: bytes) -> list[dict[str, Any]]:
    """The JSON of each `data:` line, read with nothing of ours."""
    data = (line[5:].strip() for line in raw.decode().split("\n") if line.startswith("data:"))
    return [json.loads(text) for text in data if text and text != "[DONE]"]


def final_items(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The finished items, by their place."""
    done = {e["output_index"]: e["item"] for e in events if e["type"] == "response.output_item.done"}
    return [done[place] for place in sorted(done)]


def check(message: dict[str, Any], items: list[dict[str, Any]], *, late: bool = False) -> None:
    """The message holds what the finished items hold, in their order; no state of reasoning that is `late`."""
    blocks = message["content"]
    texts, calls, thoughts, sealed = "", [], [], []
    for item in items:
        match item["type"]:
            case "message":
                texts += "".join(part.get("text", part.get("refusal", "")) for part in item["content"])
            case "function_call":
                calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
            case "reasoning":
                spoken = item.get("summary") or item.get("content") or []
                thoughts += [part["text"] for part in spoken]
                if item.get("encrypted_content") or item.get("content"):
                    sealed.append(item.get("encrypted_content") or item["content"])
    assert "".join(b["text"] for b in blocks if b["type"] == "text").strip() == texts.strip()
    assert [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"] == calls
    got = "\n\n".join(b["thinking"] for b in blocks if b["type"] == "thinking")
    assert got == "\n\n".join(thoughts)
    kept: list[Any] = []
    for block in blocks:
        seal = open_reasoning(block.get("signature") or block.get("data") or "")
        items = [item for item in (seal.items if seal else ()) if item["type"] == "reasoning"]
        kept += [item.get("encrypted_content") or item["content"] for item in items]
    assert kept == ([] if late else sealed)
    assert message["stop_reason"] == ("tool_use" if calls else "end_turn")


@pytest.mark.parametrize("path", recordings(".sse"), ids=lambda path: path.stem)
def test_stream_says_what_was_sent(path: Path) -> None:
    raw = path.read_bytes()
    report = Report()
    folded = StreamFold(PROFILE, reply(), report)
    folded.feed(raw)
    if path.stem in FAILING | CUT:
        with pytest.raises(ApiError) as caught:
            folded.close()
        assert caught.value.status == (402 if path.stem in FAILING else 502)
        return
    message, usage = folded.close()
    events = payloads(raw)
    items = final_items(events)
    if path.stem in SHORTENED:
        deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
        assert message["content"] == [{"type": "text", "text": "".join(deltas)}]
        assert "item_differs" in report.codes
        return
    check(message, items, late=path.stem in LATE)
    sent = events[-1]["response"]["usage"]
    assert usage is not None
    prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    assert (prompt, usage.output_tokens) == (sent["input_tokens"], sent["output_tokens"])
    strange = {i["type"] for i in items} - {"message", "function_call", "reasoning"}
    told = " ".join(notice.reason for notice in report.notices if notice.code == "item_dropped")
    assert all(kind in told for kind in strange)
    assert set(report.codes) <= {"item_dropped"}


@pytest.mark.parametrize("path", recordings(".sse"), ids=lambda path: path.stem)
def test_the_last_event_holds_the_whole_answer(path: Path) -> None:
    """The items of the terminal event, read as a whole answer, are the same message as the stream."""
    if path.stem in FAILING | CUT | SHORTENED | UNSTEADY | LATE:
        return
    raw = path.read_bytes()
    response = payloads(raw)[-1]["response"]
    if not response["output"]:
        return  # left out of the recording
    folded = StreamFold(PROFILE, reply(web_search="web_search"), Report())
    folded.feed(raw)
    streamed, _ = folded.close()
    whole, _ = message_from_answer(response, PROFILE, reply(web_search="web_search"), Report())
    for message in (streamed, whole):
        for block in message["content"]:
            for seal in ("signature", "data"):
                if block.get(seal):
                    block[seal] = len(open_reasoning(block[seal]).items)  # type: ignore[union-attr]
    assert whole["content"] == streamed["content"]
    assert whole["usage"] == streamed["usage"]


@pytest.mark.parametrize("path", recordings(".sse"), ids=lambda path: path.stem)
def test_stream_is_the_same_however_it_is_cut(path: Path) -> None:
    raw = path.read_bytes()
    whole = convert([raw])
    got = [whole[0], whole[1] and (whole[1].status, whole[1].message)]
    pick = random.Random(path.stem)
    cuts = [[raw[at : at + 1] for at in range(len(raw))]]
    for _ in range(2):
        at = sorted(pick.choices(range(len(raw)), k=30))
        cuts.append([raw[start:end] for start, end in zip([0, *at], [*at, len(raw)], strict=True)])
    for reads in cuts:
        out, error = convert(reads)
        assert [out, error and (error.status, error.message)] == got


@pytest.mark.parametrize("path", recordings(".sse"), ids=lambda path: path.stem)
def test_a_cut_is_never_an_answer(path: Path) -> None:
    """Without its terminal event no stream ends well."""
    raw = path.read_bytes()
    at = max(raw.rfind(b"response.completed"), raw.rfind(b"response.failed"))
    out, error = convert([raw[: raw.rfind(b"\n\n", 0, at)]] if at > 0 else [raw])
    assert error is not None or b"event: error" in out
    assert b"message_stop" not in out


@pytest.mark.parametrize("path", recordings(".json"), ids=lambda path: path.stem)
def test_whole_answer_says_what_was_sent(path: Path) -> None:
    body = json.loads(path.read_text())
    if "output" not in body:
        with pytest.raises(ApiError):
            message_from_answer(body, PROFILE, reply(), Report())
        return
    message, _ = message_from_answer(body, PROFILE, reply(), Report())
    check(message, body["output"])


@pytest.mark.skipif(not recordings(".sse"), reason="the recordings are not on this machine")
def test_answers_agree_with_the_openai_sdk() -> None:
    compared = 0
    for path in recordings(".sse"):
        if path.stem in FAILING | CUT | SHORTENED:
            continue
        raw = path.read_bytes()
        theirs = Response.construct(**payloads(raw)[-1]["response"])
        folded = StreamFold(PROFILE, reply(), Report())
        folded.feed(raw)
        message, _ = folded.close()
        if not theirs.output:
            continue
        text = "".join(b["text"] for b in message["content"] if b["type"] == "text")
        assert text == theirs.output_text, path.name
        ours = [(b["name"], b["input"]) for b in message["content"] if b["type"] == "tool_use"]
        calls = [item for item in theirs.output if item.type == "function_call"]
        assert ours == [(call.name, json.loads(call.arguments)) for call in calls], path.name
        compared += 1
    assert compared > 35
