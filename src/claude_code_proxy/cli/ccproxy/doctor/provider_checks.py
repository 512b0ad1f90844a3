"""The checks of `ccproxy doctor` that ask the provider: a handful of short requests."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

from claude_code_proxy.cli.ccproxy.doctor.checks import FAIL, OK, SKIP, WARN, Check
from claude_code_proxy.cli.ccproxy.doctor.messages_client import Answer, AnswerError, MessagesClient
from claude_code_proxy.cli.ccproxy.doctor.suggested_entry import Learned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
_MENDS = {
    "authentication_error": "check auth_key, and that it is a key of this provider: ccproxy edit",
    "permission_error": "check what this key may do at the provider",
    "billing_error": "the account has no credit left: top it up, or name a fallback",
    "rate_limit_error": "wait, or name a fallback",
    "overloaded_error": "the provider has trouble: try again later, or name a fallback",
    "not_found_error": "check the model's name and base_url: ccproxy edit",
    "api_error": "check base_url: ccproxy edit",
    "timeout_error": "check base_url and the network",
}
_ASK = "check base_url, and the provider's status page"


class Examination:
    """All checks of one session; `learned` fills up as they run."""

    def __init__(self, changes: Changes, provider: Provider) -> None:
        self._client = MessagesClient(changes.required)
        self.learned = Learned(provider)

    def run(self) -> Iterator[Check]:
        """The checks in their order; without a plain answer there is no point in the others."""
        first = self._guarded("text", self._text)
        yield first
        rest: tuple[tuple[str, Callable[[], Check]], ...] = (
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
        try:
            return check()
        except AnswerError as error:
            return Check(name, FAIL, _told(error), _MENDS.get(error.type, _ASK))

    def _text(self) -> Check:
        answer = self._client.ask(_user("say ready"))
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
            return Check("tool call", FAIL, f"it answered with text: {_short(answer.text)}", fix)
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
            return Check("image", WARN, _told(error), fix)
        if any("image" in code for code in answer.notices):
            return Check("image", OK, "the model accepts none; they become a note in the text")
        return Check("image", OK, f"taken: {_short(answer.text)}")

    def _errors(self) -> Check:
        """An unknown model must be told as one: claude shows its own text for that, and retries the rest."""
        try:
            self._client.ask(_user("say ready"), model="ccproxy-doctor-no-such-model")
        except AnswerError as error:
            if error.type in ("not_found_error", "invalid_request_error", "permission_error"):
                return Check("errors", OK, f"an unknown model gets {error.status} {error.type}")
            fix = "none needed; claude retries where it should not"
            return Check("errors", WARN, f"an unknown model gets {_told(error)}", fix)
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


def _told(error: AnswerError) -> str:
    return f"{error.status} {error.type}: {_short(str(error))}" if error.status else _short(str(error))


def _short(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= 160 else plain[:160] + "..."


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
