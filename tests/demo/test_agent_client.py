"""The small Anthropic client against scripted answers: what it shows, and how it fails."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_code_proxy.demo.agent_client import Client, ClientError
from claude_code_proxy.demo.screen import Screen
from tests.serving import serve_in_thread

if TYPE_CHECKING:
    from pathlib import Path

START = {
    "type": "message_start",
    "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 7, "output_tokens": 0}},
}
STOP = {"type": "message_stop"}


def block(index: int, opening: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": opening},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, value: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, {"type": "text_delta", "text": value})


def tool(index: int, name: str, *pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {"type": "tool_use", "id": f"t{index}", "name": name, "input": {}}, *deltas)


def stop(reason: str) -> list[dict[str, Any]]:
    usage = {"output_tokens": 5, "cache_read_input_tokens": 3}
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, STOP]


class Anthropic:
    """Answers each request with the next of `answers`: events for a stream, or a status and a text."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append((dict(scope["headers"]), json.loads(body)))
        answer = self.answers.pop(0)
        status, data = answer if isinstance(answer, tuple) else (200, b"")
        if not data:
            for event in answer:
                data += f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": data})


def converse(folder: Path, *answers: Any) -> tuple[str, str, list[Any]]:
    """Ask once; the answer, what was shown, and the requests."""
    app, shown = Anthropic(*answers), io.StringIO()
    with serve_in_thread(app) as url:
        answer = Client(url, "k", "m", folder, Screen(shown)).ask("go")
    return answer, shown.getvalue(), app.requests


def test_tool_round(tmp_path: Path) -> None:
    (tmp_path / "b.txt").touch()
    (tmp_path / "a.txt").touch()
    thinking = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "s"},
    )
    first = [START, *thinking, *tool(1, "list_files", '{"pa', 'th":"."}'), *stop("tool_use")]
    answer, shown, requests = converse(tmp_path, first, [START, *text(0, "two\nfiles"), *stop("end_turn")])
    assert answer == "two\nfiles"
    assert shown.splitlines() == [
        "you     go",
        "thinks  hm",
        'tool    list_files {"path":"."}',
        "usage   10 tokens in (3 cached), 5 out",
        "result  a.txt",
        "        b.txt",
        "model   two",
        "        files",
        "usage   10 tokens in (3 cached), 5 out",
    ]
    headers, body = requests[1]
    assert headers[b"authorization"] == b"Bearer k"
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "tool_use", "id": "t1", "name": "list_files", "input": {"path": "."}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "t1", "content": "a.txt\nb.txt", "is_error": False}
    ]


@pytest.mark.parametrize(
    ("name", "arguments"), [("other", ""), ("list_files", '{"path":".."}'), ("list_files", '{"path":"no"}')]
)
def test_a_failed_tool_is_told_to_the_model(tmp_path: Path, name: str, arguments: str) -> None:
    first = [START, *tool(0, name, arguments), *stop("tool_use")]
    answer, _, requests = converse(tmp_path, first, [START, *text(0, "ok"), *stop("end_turn")])
    assert answer == "ok"
    assert requests[1][1]["messages"][2]["content"][0]["is_error"] is True


ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "later"}}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(529, b"busy")], "status 529: busy"),
        ([[START, *text(0, "x"), ERROR]], "overloaded_error: later"),
        ([[START, *text(0, "x")]], "before message_stop"),
        ([(200, b"data: {\n\n")], "failed"),
        ([[START, *tool(0, "other"), *stop("tool_use")]] * 5, "after 5 rounds"),
    ],
    ids=["status", "error event", "cut", "no JSON", "endless"],
)
def test_failures(tmp_path: Path, answers: list[Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        converse(tmp_path, *answers)


def test_nobody_there(tmp_path: Path) -> None:
    with serve_in_thread(Anthropic()) as url:
        pass
    with pytest.raises(ClientError, match="the connection to http"):
        Client(url, "k", "m", tmp_path, Screen(io.StringIO())).ask("go")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_colour(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    Screen(terminal).line("model", "x")
    assert ("\x1b[32m" in terminal.getvalue()) is coloured


def test_long_paragraphs_are_cut() -> None:
    shown = io.StringIO()
    Screen(shown).line("result", "\n".join("line" for _ in range(50)))
    assert shown.getvalue().endswith("        ... 38 more lines\n")
