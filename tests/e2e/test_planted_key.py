"""A marked key goes through everything the proxy does; it may only come out in one header towards the upstream.

The upstream here is as careless as they come: it quotes the key in its errors, in its streams and in what
should have been JSON, and it sends callers elsewhere.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claude_code_proxy.demo.provider import Provider
from claude_code_proxy.demo.replies import Chunk, Reply, sse
from tests.e2e.gateway import Gateway, gateway
from tests.e2e.processes import wait_until
from tests.replies import error_reply, stream_reply
from tests.serving import serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

MARK = "pl4nted"
BEARER = f"sk-{MARK}-bearer-5f1c9a7e22"
X_API_KEY = f"sk-{MARK}-xapikey-81d0b3c4aa"
FORMS = {
    "bearer": {"authorization": f"Bearer {BEARER}"},
    "bare": {"authorization": BEARER},
    "x-api-key": {"x-api-key": X_API_KEY},
    "both": {"authorization": f"Bearer {BEARER}", "x-api-key": X_API_KEY},
}
HEADERS = {"content-type": "application/json"}


class NativeUpstream:
    """An upstream of Anthropic's own format; remembers headers, answers a message or what `fails` says."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        self.requests.append((scope["path"], headers, body))
        status, kind, answer = self._answer(scope["path"], json.loads(body))
        start = {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]}
        await send(start)
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, request: dict[str, Any]) -> tuple[int, bytes, bytes]:
        if path.endswith("count_tokens"):
            return 200, b"application/json", b'{"input_tokens":3}'
        usage = {"input_tokens": 3, "output_tokens": 1}
        head = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": request["model"],
            "usage": usage,
        }
        if request["messages"][0]["content"] == "fail":
            error = {
                "type": "error",
                "error": {"type": "authentication_error", "message": "invalid x-api-key"},
            }
            return 401, b"application/json", json.dumps(error).encode()
        if not request.get("stream"):
            whole = {
                **head,
                "content": [{"type": "text", "text": "ok"}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
            }
            return 200, b"application/json", json.dumps(whole).encode()
        start = {"type": "message_start", "message": {**head, "content": [], "stop_reason": None}}
        events = [start, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]
        data = b"".join(b"event: %s\n" % e["type"].encode() + sse(e) for e in events)  # type: ignore[attr-defined]
        return 200, b"text/event-stream", data


@dataclass
class Answer:
    """What a caller of the proxy got."""

    what: str
    status: int
    headers: str
    body: str


@dataclass
class Evidence:
    """Everything in which the key could turn up."""

    proxy: Gateway
    provider: Provider
    native: NativeUpstream
    thief: NativeUpstream
    answers: list[Answer] = field(default_factory=list)
    processes: str = ""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    provider, native, thief = Provider(), NativeUpstream(), NativeUpstream()
    with (
        serve_in_thread(provider) as base,
        serve_in_thread(native) as native_base,
        serve_in_thread(thief) as thief_base,
        socket.socket() as closed,
    ):
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        models = [
            {"model_id": "demo", "api_base": base},
            {"model_id": "down", "api_base": nowhere},
            {"model_id": "native", "api_base": native_base, "format": "anthropic"},
            {"model_id": "native-down", "api_base": nowhere, "format": "anthropic"},
        ]
        with gateway(tmp_path_factory.mktemp("planted"), models, "--max-retries", "0") as proxy:
            found = Evidence(proxy, provider, native, thief)
            for form in FORMS:
                send_everything(found, form, thief_base)
            found.processes = _processes()
            yield found


def send_everything(found: Evidence, form: str, thief: str) -> None:
    """Use every endpoint and every way to fail with the key in this form."""
    key = FORMS[form]
    secret = X_API_KEY if form == "x-api-key" else BEARER
    quoted = f"the key {secret} is not good, nor is {base64.b64encode(secret.encode()).decode()}"

    def call(
        what: str,
        path: str,
        body: Any = None,
        reply: Reply | None = None,
        expected: int = 200,
        method: str = "POST",
    ) -> None:
        if reply is not None:
            found.provider.script.add(reply)
        answer = _request(found.proxy.url, method, path, key, body)
        assert answer[0] == expected, f"{form} {what}: {answer}"
        found.answers.append(Answer(f"{form} {what}", *answer))
        assert not found.provider.script.queue, f"{form} {what}: the provider was not asked"

    messages = "/v1/messages?beta=true"
    for stream in (False, True):
        call("plain answer", messages, ask(stream=stream))
        for status in (400, 401, 403, 429, 500, 529):
            call(f"{status}", messages, ask(stream=stream), error_reply(status, quoted), status)
        html = Reply(status=502, headers={"content-type": "text/html"}, chunks=(Chunk(f"<h1>{quoted}</h1>"),))
        call("HTML error", messages, ask(stream=stream), html, 502)
        garbage = Reply(headers=HEADERS, chunks=(Chunk(text='{"choices": ' + quoted),))
        call("malformed JSON", messages, ask(stream=stream), garbage, 502)
        moved = Reply(status=307, headers={"location": f"{thief}/v1/chat/completions"})
        call("redirect", messages, ask(stream=stream), moved, 502)
        call("connect error", messages, ask("down", stream=stream), expected=502)
        call("native", messages, ask("native", stream=stream))
        call("native failure", messages, ask("native", "fail", stream=stream), expected=401)
        call("native connect error", messages, ask("native-down", stream=stream), expected=502)
        call("unknown model", messages, ask("nobody", stream=stream), expected=404)
        call("key as the model", messages, ask(secret, stream=stream), expected=404)
    delta = {"choices": [{"index": 0, "delta": {"content": "Half"}}]}
    failing = [delta, {"error": {"message": quoted, "code": 500}}]
    call("error in a stream", messages, ask(stream=True), stream_reply(failing))
    call("cut stream", messages, ask(stream=True), stream_reply([delta], end="cut"))
    bad_chunk = Reply(
        headers={"content-type": "text/event-stream"},
        chunks=(Chunk(data=sse(delta)), Chunk(f"data: {{{quoted}\n\n")),
    )
    call("malformed chunk", messages, ask(stream=True), bad_chunk)
    call("no JSON", messages, b'{"model": "demo", ', expected=400)
    call("no message", messages, {"model": "demo", "max_tokens": 1}, expected=400)
    for model in ("demo", "native", "native-down"):
        count = {name: value for name, value in ask(model).items() if name != "max_tokens"}
        status = 502 if model == "native-down" else 200
        call(f"count_tokens {model}", "/v1/messages/count_tokens", count, expected=status)
    call("trial", "/v1/messages/test_conversion", ask())
    call("failed trial", "/v1/messages/test_conversion", ask(), error_reply(401, quoted), 401)
    call("dry run", "/v1/messages/test_conversion?dry_run=1", ask())
    call("unknown path", f"/v1/{secret}", {}, expected=404)
    for path in ("/", "/health", "/v1/stats", "/v1/models", "/v1/models/demo", "/test-connection"):
        call(f"GET {path}", path, method="GET", expected=200)


def ask(model: str = "demo", text: str = "say hi", *, stream: bool = False) -> dict[str, Any]:
    return {
        "model": model,
        "max_tokens": 50,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    }


def _request(url: str, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, data, {**HEADERS, "x-proxy-report": "1", **headers})
        response = connection.getresponse()
        return response.status, str(response.headers), response.read().decode()
    finally:
        connection.close()


def _processes() -> str:
    """Command lines and environments of all processes; only the caller itself knows the key."""
    seen = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            for name in ("cmdline", "environ"):
                try:
                    seen.append((process / name).read_text(errors="replace"))
                except OSError:
                    continue  # it has ended, or belongs to somebody else
    return "\n".join(seen)


def assert_clean(text: str, where: str) -> None:
    """Neither a key nor a part of one, plain or encoded."""
    for key in (BEARER, X_API_KEY):
        encoded = base64.b64encode(key.encode()).decode().rstrip("=")
        assert encoded not in text, where
    assert MARK not in text, f"{where}: {text[max(0, text.find(MARK) - 200) : text.find(MARK) + 100]}"


def test_upstream_gets_the_key_in_one_header(evidence: Evidence) -> None:
    requests = [request for request in evidence.provider.requests if request.path == "/v1/chat/completions"]
    assert len(requests) > 80
    for request in requests:
        assert request.headers.pop("authorization") in (f"Bearer {BEARER}", f"Bearer {X_API_KEY}")
        assert_clean(json.dumps([request.headers, request.body, request.path]), "a request to the provider")


def test_native_upstream_gets_the_key_as_it_came(evidence: Evidence) -> None:
    assert len(evidence.native.requests) > 16
    for path, headers, body in evidence.native.requests:
        credentials = {name: headers.pop(name) for name in ("authorization", "x-api-key") if name in headers}
        assert credentials in (FORMS["bearer"], FORMS["x-api-key"], FORMS["both"])
        assert_clean(json.dumps([path, headers]) + body.decode(), "a request to the native upstream")


def test_redirects_lead_nowhere(evidence: Evidence) -> None:
    assert evidence.thief.requests == []


def test_answers_do_not_have_it(evidence: Evidence) -> None:
    assert len(evidence.answers) > 150
    assert any("[key]" in answer.body for answer in evidence.answers), "no error was quoted at all"
    for answer in evidence.answers:
        assert_clean(answer.headers, f"a header of: {answer.what}")
        assert_clean(answer.body, f"the body of: {answer.what}")


def test_streams_that_failed_say_so(evidence: Evidence) -> None:
    for what in ("error in a stream", "cut stream", "malformed chunk"):
        failed = [answer for answer in evidence.answers if answer.what.endswith(what)]
        assert len(failed) == len(FORMS)
        for answer in failed:
            assert "event: error" in answer.body
            assert "message_stop" not in answer.body


def test_log_does_not_have_it(evidence: Evidence) -> None:
    # The log's thread may not have written the lines of the last requests yet.
    wait_until(lambda: evidence.proxy.log.count("GET /v1/stats") == len(FORMS), what="the last line")
    lines = evidence.proxy.log.splitlines()
    assert len(lines) > len(evidence.answers)
    assert any(" DEBUG " in line for line in lines)
    for line in lines:
        assert_clean(line, "the log")


def test_process_list_does_not_have_it(evidence: Evidence) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("this system has no /proc")
    assert "claude_code_proxy" in evidence.processes
    assert_clean(evidence.processes, "the process list")


def test_files_do_not_have_it(evidence: Evidence) -> None:
    files = [path for path in evidence.proxy.folder.rglob("*") if path.is_file()]
    assert {"models.yaml", "proxy.log"} <= {path.name for path in files}
    for path in files:
        assert_clean(path.read_text(errors="replace"), str(path))
