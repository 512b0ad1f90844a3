"""What providers really sent, read twice: by the converter, and independently by this page.

The recordings are others' data and lie beside the checkout, not in it (`tests.paths.recordings`); where they are
missing this page is skipped.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from openai import ContentFilterFinishReasonError, LengthFinishReasonError, OpenAIError
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.convert_answer import StreamConverter, StreamFold, message_from_answer
from claude_code_proxy.core.errors.api import ApiError
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from tests import paths

if TYPE_CHECKING:
    from pathlib import Path

FAILING = {"058_gpustack_reasoning", "061_groq_error", "164_openrouter_error"}
"""The streams in which the provider itself reports an error (read by eye)."""


def recordings(suffix: str) -> list[Path]:
    return paths.recordings("chat", suffix)


def reply() -> ReplyContext:
    return ReplyContext(model="claude-x", message_id="msg_recorded")


def convert(reads: list[bytes]) -> tuple[bytes, ApiError | None]:
    converter = StreamConverter(Profile(), reply(), Report(), "req_recorded")
    out = b"".join(converter.feed(read) for read in reads if not converter.finished)
    if not converter.finished:
        out += converter.close()
    return out, converter.error


def payloads(raw: bytes) -> list[dict[str, Any]]:
    """The JSON of each `data:` line, read with nothing of ours."""
    lines = raw.decode().replace("\r\n", "\n").split("\n")
    data = (line[5:].strip() for line in lines if line.startswith("data:"))
    return [json.loads(text) for text in data if text and text != "[DONE]"]


class Reading:
    """A plain reading of a stream: text, reasoning and tool calls added up, the last usage."""

    def __init__(self, chunks: list[dict[str, Any]]) -> None:
        self.text = self.reasoning = ""
        self.calls: dict[Any, list[str]] = {}
        self.completion: int | None = None
        last: Any = None
        for chunk in chunks:
            choice: dict[str, Any] = next(
                (c for c in chunk.get("choices") or [] if c.get("index", 0) == 0), {}
            )
            usage = chunk.get("usage") or choice.get("usage") or (chunk.get("x_groq") or {}).get("usage")
            if usage and usage.get("completion_tokens"):
                self.completion = usage["completion_tokens"]
            delta = choice.get("delta") or {}
            content: Any = delta.get("content") or ""
            for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
                if part["type"] == "thinking":
                    self.reasoning += "".join(piece["text"] for piece in part["thinking"])
                else:
                    self.text += part["text"]
            details = "".join(
                d.get("text") or d.get("summary") or "" for d in delta.get("reasoning_details") or []
            )
            self.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or details
            for call in delta.get("tool_calls") or []:
                function = call.get("function") or {}
                key = call.get("index", call.get("id") or last)
                last = key
                entry = self.calls.setdefault(key, ["", ""])
                entry[0] = entry[0] or function.get("name") or ""
                entry[1] += function.get("arguments") or ""
        if self.text.lstrip().startswith("<think>"):
            reasoning, _, self.text = self.text.lstrip()[7:].partition("</think>")
            self.reasoning = reasoning


@pytest.mark.parametrize("path", recordings(".sse"), ids=lambda path: path.stem)
def test_stream_says_what_was_sent(path: Path) -> None:
    raw = path.read_bytes()
    folded = StreamFold(Profile(), reply(), Report())
    folded.feed(raw)
    if path.stem in FAILING:
        with pytest.raises(ApiError):
            folded.close()
        return
    message, usage = folded.close()
    reading = Reading(payloads(raw))
    blocks = message["content"]
    assert "".join(b["text"] for b in blocks if b["type"] == "text").strip() == reading.text.strip()
    assert (
        "".join(b["thinking"] for b in blocks if b["type"] == "thinking").strip() == reading.reasoning.strip()
    )
    calls = [(b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
    assert calls == [(name, json.loads(text or "{}")) for name, text in reading.calls.values()]
    assert len({b["id"] for b in blocks if b["type"] == "tool_use"}) == len(calls)
    assert (message["stop_reason"] == "tool_use") == bool(calls)
    if reading.completion is None:
        assert usage is None
    else:
        assert usage is not None
        assert usage.output_tokens >= reading.completion


DOUBLED = {"187_openrouter_tools"}
"""The provider repeats the tool's name in each delta, and the SDK adds the repetitions up."""


def read_with_sdk(raw: bytes) -> Any:
    """The answer as the SDK's own accumulator reads it; None where it refuses the provider's chunks."""
    state = ChatCompletionStreamState()
    try:
        for payload in payloads(raw):
            state.handle_chunk(ChatCompletionChunk.model_validate(payload))
    except (LengthFinishReasonError, ContentFilterFinishReasonError):
        pass  # read to the end all the same
    except (OpenAIError, TypeError, IndexError, RuntimeError, ValidationError):
        return None
    return state.current_completion_snapshot.choices[0].message


@pytest.mark.skipif(not recordings(".sse"), reason="the recordings are not on this machine")
def test_streams_agree_with_the_openai_sdk() -> None:
    compared = 0
    for path in recordings(".sse"):
        raw = path.read_bytes()
        theirs = read_with_sdk(raw)
        if theirs is None or path.stem in FAILING | DOUBLED:
            continue
        folded = StreamFold(Profile(think_tags="off"), reply(), Report())
        folded.feed(raw)
        message, _ = folded.close()
        text = "".join(b["text"] for b in message["content"] if b["type"] == "text")
        assert text.strip() == (theirs.content or "").strip(), path.name
        ours = [(b["name"], b["input"]) for b in message["content"] if b["type"] == "tool_use"]
        calls = [call.function for call in theirs.tool_calls or [] if call.function]
        assert ours == [(call.name, json.loads(call.arguments or "{}")) for call in calls], path.name
        compared += 1
    assert compared > 70


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


@pytest.mark.parametrize("path", recordings(".json"), ids=lambda path: path.stem)
def test_whole_answer_says_what_was_sent(path: Path) -> None:
    body = json.loads(path.read_text())
    report = Report()
    choices = body.get("choices") if isinstance(body, dict) else None
    if not choices or body.get("error"):
        with pytest.raises(ApiError):
            message_from_answer(body, Profile(), reply(), report)
        return
    message, _ = message_from_answer(body, Profile(), reply(), report)
    sent = choices[0].get("message") or {}
    texts = sent.get("content") or sent.get("refusal") or ""
    if isinstance(texts, list):
        texts = "".join(part.get("text", "") for part in texts)
    if texts.lstrip().startswith("<think>"):
        texts = texts.partition("</think>")[2]
    assert "".join(b["text"] for b in message["content"] if b["type"] == "text").strip() == texts.strip()
    calls = [call["function"] for call in sent.get("tool_calls") or []]
    got = [b for b in message["content"] if b["type"] == "tool_use"]
    assert [(b["name"], b["input"]) for b in got] == [
        (call["name"], json.loads(call.get("arguments") or "{}")) for call in calls
    ]
    assert len({b["id"] for b in got}) == len(calls)
