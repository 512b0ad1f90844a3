"""The checks of `ccproxy doctor` that ask the provider: a handful of short requests."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, SKIP, WARN, Check
from claude_code_proxy.cli.ccproxy.doctor.messages_client import LIMIT, Answer, AnswerError, MessagesClient
from claude_code_proxy.cli.ccproxy.doctor.suggested_entry import Learned
from claude_code_proxy.cli.ccproxy.doctor.verdicts import advice, short, told
from claude_code_proxy.config.cc_proxy_json.providers_file import Provider
from claude_code_proxy.config.claude_code.environment import Changes

_SLOW = 20.0  # seconds; Claude Code then tells its user that it waits
_CALL = 'run the tool weather with {"city": "Paris"}'
_TWO_CALLS = f'{_CALL} and also run the tool weather with {{"city": "Rome"}}'
_WEATHER = {
    "name": "weather",
    "description": "The weather in a city. Call it once for each city, all calls in one answer.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city"}},
        "required": ["city"],
    },
}
_ROOM = 20_000
"""Tokens of a prompt as large as Claude Code's first."""
_WINDOW = "load the model with a window of 64k or more (OLLAMA_CONTEXT_LENGTH=64000), or use another one"
_RED = re.compile(r"(?<![a-z])(red|crimson|scarlet|rot|rouge|rojo|rosso|vermelho)(?![a-z])|[红紅赤]|красн")


class Plan(NamedTuple):
    """What to ask: `others` are what further models are for and their ids, `expected` the upstream's name."""

    provider: Provider
    others: Sequence[tuple[str, str]] = ()
    expected: str = ""
    asks_room: bool = False
    seconds: float = LIMIT


class Examination:
    """All checks of one session; `learned` fills up as they run."""

    def __init__(self, changes: Changes, plan: Plan, begins: Callable[[str], None]) -> None:
        self._client = MessagesClient(changes.required, plan.seconds)
        self._plan = plan
        self._begins = begins
        self.learned = Learned(plan.provider)

    def run(self) -> Iterator[Check]:
        """The checks in their order; without a plain answer there is no point in the others.

        Before each question `begins` is called with the check's name.
        """
        first = self._guarded("text", self._text)
        yield first
        for role, model in self._plan.others:
            yield self._guarded(role, partial(self._other, role, model))
        rest: tuple[tuple[str, Callable[[], Check]], ...] = (
            *((("room", self._room),) if self._plan.asks_room else ()),
            ("stream", self._stream),
            ("tool call", self._tool),
            ("parallel tools", self._parallel),
            ("reasoning", self._reasoning),
            ("image", self._image),
            ("errors", self._errors),
        )
        for name, check in rest:
            yield Check(name, SKIP, "no plain answer") if first.state == FAIL else self._guarded(name, check)

    def _guarded(self, name: str, check: Callable[[], Check]) -> Check:
        self._begins(name)
        try:
            return check()
        except AnswerError as error:
            return Check(name, FAIL, told(error), advice(error))

    def _other(self, role: str, model: str) -> Check:
        """Another model of the session: it must exist and answer, or it is missed when it is needed."""
        try:
            answer = self._client.ask(_user("say ready"), model=model)
        except AnswerError as error:
            state = WARN if role == "fallback" else FAIL
            return Check(role, state, f"{model}: {told(error)}", advice(error, model))
        return Check(role, OK, f"{model}: an answer in {answer.first:.1f} s")

    def _room(self) -> Check:
        """Whether Claude Code's first request fits, which has about 20,000 tokens with its tools."""
        filler = "All work and no play makes a dull day. " * (_ROOM // 10)
        try:
            answer = self._client.ask(_user(f"{filler}\n\nsay ready"), max_tokens=1024)
        except AnswerError as error:
            if error.status not in (400, 413):
                raise
            what = f"a prompt of {_ROOM} tokens does not fit: {told(error)}"
            return Check("room", FAIL, what, _WINDOW)
        usage = answer.message.get("usage", {})
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        arrived = sum(usage.get(name) or 0 for name in names)
        if arrived < _ROOM // 2:
            what = f"of a prompt of {_ROOM} tokens the model read {arrived}: the rest is cut without a word"
            return Check("room", FAIL, what, _WINDOW)
        return Check("room", OK, f"a prompt of {arrived} tokens fits")

    def _text(self) -> Check:
        answer = self._client.ask(_user("say ready"))
        served = answer.headers.get("x-proxy-upstream-model", "")
        if self._plan.expected and served and served != self._plan.expected:
            what = f"{self._plan.expected} did not answer, its fallback {served} did"
            return Check("text", FAIL, what, "see the log of the proxy for what the model itself answers")
        if not answer.text.strip():
            return Check("text", FAIL, "the answer has no text", "try another model")
        changed = f"; the proxy changed: {', '.join(answer.notices)}" if answer.notices else ""
        usage = answer.message.get("usage", {})
        if not usage.get("input_tokens") and not usage.get("cache_read_input_tokens"):
            return Check(
                "text", WARN, "the response has no usage: claude cannot see how full its window is", _USAGE
            )
        return Check("text", OK, f"an answer in {answer.first:.1f} s{changed}")

    def _stream(self) -> Check:
        answer = self._client.ask(_user("count to 40"), stream=True)
        if not answer.text.strip():
            return Check("stream", FAIL, "the stream has no text", "set can_stream: false in models.yaml")
        said = f"first token after {answer.first:.1f} s, longest silence {answer.gap:.1f} s"
        deltas = answer.events.count("content_block_delta")
        if not answer.message["usage"].get("output_tokens"):
            return Check(
                "stream", WARN, f"{said}; it has no usage: claude cannot see its window fill", _USAGE
            )
        if max(answer.first, answer.gap) > _SLOW:
            return Check("stream", WARN, said, "use a faster model, or keep it loaded")
        if deltas == 1:
            return Check(
                "stream",
                WARN,
                f"{said}; all in one piece",
                "something between here and the provider buffers the stream",
            )
        return Check("stream", OK, f"{said}, {deltas} pieces")

    def _tool(self) -> Check:
        answer = self._client.ask(_user(_CALL), tools=[_WEATHER], stream=True)
        calls = answer.blocks("tool_use")
        if not calls:
            fix = "use a model with tools; a local server needs its tool-call parser turned on"
            return Check("tool call", FAIL, f"it answered with text: {short(answer.text)}", fix)
        if calls[0]["name"] != "weather" or calls[0]["input"].get("city") != "Paris":
            return Check(
                "tool call",
                WARN,
                f"it called {calls[0]['name']} with {calls[0]['input']}",
                "try another model",
            )
        if answer.message.get("stop_reason") != "tool_use":
            return Check(
                "tool call", WARN, f"stop_reason is {answer.message.get('stop_reason')}", "report this"
            )
        return Check("tool call", OK, "one call, with the arguments asked for")

    def _parallel(self) -> Check:
        messages = _user(_TWO_CALLS)
        answer = self._client.ask(messages, tools=[_WEATHER], stream=True)
        calls = answer.blocks("tool_use")
        if len(calls) < 2:
            fix = "none needed: claude then calls one after the other"
            return Check("parallel tools", WARN, "it calls one tool at a time", fix)
        if len({call["id"] for call in calls}) != len(calls):
            return Check("parallel tools", FAIL, "two calls share one id", "report this")
        after = self._client.ask([*messages, *_results(answer)], tools=[_WEATHER])
        if not after.message["content"]:
            return Check("parallel tools", FAIL, "the answer to the results is empty", "try another model")
        return Check("parallel tools", OK, f"{len(calls)} calls at once, and their results were accepted")

    def _reasoning(self) -> Check:
        thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": [_WEATHER]}
        messages = _user(_CALL)
        answer = self._client.ask(messages, stream=True, **thinking)
        thoughts = answer.blocks("thinking") + answer.blocks("redacted_thinking")
        if not thoughts:
            return Check("reasoning", OK, "the model shows none")
        if answer.blocks("tool_use"):
            self._client.ask([*messages, *_results(answer)], stream=True, **thinking)
        return Check("reasoning", OK, "shown, and accepted back in the next turn")

    def _image(self) -> Check:
        source = {
            "type": "base64",
            "media_type": "image/png",
            "data": base64.b64encode(_red_square()).decode(),
        }
        content = [
            {"type": "image", "source": source},
            {"type": "text", "text": "Which colour is this? One word."},
        ]
        try:
            answer = self._client.ask([{"role": "user", "content": content}])
        except AnswerError as error:
            if error.status not in (400, 404, 415, 422):
                raise
            self.learned.values["vision"] = False
            fix = "ccproxy doctor --write (vision: false): images then become a note in the text"
            return Check("image", WARN, told(error), fix)
        if any("image" in code for code in answer.notices):
            return Check("image", OK, "the model accepts none; they become a note in the text")
        if not _RED.search(answer.text.lower()):
            what = f"accepted, and not seen: a red square is {short(answer.text)!r}"
            return Check("image", WARN, what, "vision: false in models.yaml makes them a note in the text")
        return Check("image", OK, f"taken: {short(answer.text)}")

    def _errors(self) -> Check:
        """An unknown model must be told as one: claude shows its own text for that, and retries the rest."""
        try:
            self._client.ask(_user("say ready"), model="ccproxy-doctor-no-such-model")
        except AnswerError as error:
            if error.type in ("not_found_error", "invalid_request_error", "permission_error"):
                return Check("errors", OK, f"an unknown model gets {error.status} {error.type}")
            fix = "none needed; claude retries where it should not"
            return Check("errors", WARN, f"an unknown model gets {told(error)}", fix)
        return Check("errors", OK, "any model name is accepted")


_USAGE = 'set "context" to what the model has; a server may need an option to count tokens'


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _results(answer: Answer) -> list[dict[str, Any]]:
    """The answer, as it came, and a result for each of its calls."""
    results = [
        {"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"}
        for call in answer.blocks("tool_use")
    ]
    return [{"role": "assistant", "content": answer.message["content"]}, {"role": "user", "content": results}]


def _red_square(side: int = 32) -> bytes:
    """A small PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = (b"\x00" + b"\xff\x00\x00" * side) * side
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
