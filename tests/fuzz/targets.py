"""What reads bytes from outside, each as a function that may raise nothing: what is wrong must come out as it should.

`seeds` are inputs to begin with, from the case files.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_code_proxy.config.cc_proxy_json.providers_file import load_providers
from claude_code_proxy.config.models_yaml.models_file import load_models
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import providers, sse, wire
from claude_code_proxy.core.answer_context import ReplyContext
from claude_code_proxy.core.convert_answer import StreamConverter
from claude_code_proxy.core.convert_request import convert_request
from claude_code_proxy.core.errors.api import ERROR_TYPES, ApiError
from claude_code_proxy.core.errors.context import ErrorContext
from claude_code_proxy.core.errors.upstream import read_error
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.repeats import RepeatingConverter
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.tool_cache import ToolCache
from claude_code_proxy.http1.errors import AnswerError
from claude_code_proxy.http1.response_reader import AnswerParser
from claude_code_proxy.server.caller.body import parse_within_limits
from tests import paths
from tests.core import cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SETTINGS = ServerSettings(models=Path("models.yaml"))
_PROFILES = [providers.profile_named(name) for name in ("openai", "gemini", "kimi", "openrouter", "copilot")]


@dataclass(frozen=True)
class Target:
    """One reader. `run` takes one input; `words` are what the mutator may put into it."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()


def _sse_events(data: bytes) -> None:
    """However a stream is cut, the events are the same."""
    assert _events([data]) == _events([data[: len(data) // 3], data[len(data) // 3 :]])


def _events(reads: list[bytes]) -> list[Any]:
    decoder = sse.Decoder()
    found: list[Any] = []
    try:
        for read in reads:
            found += decoder.feed(read)
        found += decoder.close()
    except sse.EventTooLarge:
        found.append("too large")
    return found


def _chat_stream(data: bytes) -> None:
    _stream(data, Profile(start_usage="zero"))


def _responses_stream(data: bytes) -> None:
    _stream(data, Profile(api="responses", start_usage="zero"))


def _stream(data: bytes, profile: Profile) -> None:
    """A stream gives whole Anthropic events or one error, however it is cut, read plainly or fast."""
    whole = _converted([data], profile, fast=False)
    assert _converted([data[:at] for at in (0,)] + [data], profile, fast=True) == whole
    middle = len(data) // 2
    assert _converted([data[:middle], data[middle:]], profile, fast=True) == whole


def _converted(reads: list[bytes], profile: Profile, *, fast: bool) -> tuple[list[Any], str]:
    reply = ReplyContext(
        model="m", message_id="msg_1", tool_names={"Read": "Read"}, local_stop_sequences=("END",)
    )
    plain = StreamConverter(profile, reply, Report(), "req_1")
    stream = RepeatingConverter(plain) if fast else plain
    out = b""
    for read in reads:
        if not stream.finished:
            out += stream.feed(read)
    if not stream.finished:
        out += stream.close()
    assert stream.finished
    events = cases.parse_events(out)
    if stream.error is not None:
        assert stream.error.type in ERROR_TYPES
        assert out == b""
        return [], stream.error.type
    assert events[-1]["type"] in ("message_stop", "error")
    return cases.merged(events), ""


def _request(data: bytes) -> None:
    """A request body is converted for every profile, or is a 400 or 413."""
    try:
        body = parse_within_limits(data, ToolCache("k" * 16, SETTINGS.max_json_depth), SETTINGS)
        for profile in _PROFILES:
            made = convert_request(body, profile=profile, model="m", message_id="msg_1")
            wire.loads(made.payload)
    except ApiError as error:
        assert error.status in (400, 413), error  # noqa: PT017 - any other status is the failure


def _error_body(data: bytes) -> None:
    """An upstream's error becomes an error of the Messages API."""
    for status in (200, 400, 404, 429, 500, 529):
        error = read_error(
            status, {"retry-after": data[:20].decode("latin-1")}, data, ErrorContext(secret="k" * 20)
        )
        assert error.type in ERROR_TYPES
        assert 400 <= error.status <= 599
        json.dumps(error.envelope("req_1"))


def _http_response(data: bytes) -> None:
    """A response is the same however it is cut, or it is none."""
    assert _parsed([data]) == _parsed([data[at : at + 1] for at in range(len(data))])


def _parsed(reads: list[bytes]) -> Any:
    parser = AnswerParser()
    parser.begin()
    body = b""
    try:
        for read in reads:
            parser.feed(read)
            if parser.pieces:
                body += parser.take()
        parser.end(cleanly=True)
    except AnswerError:
        return "no response"
    return parser.status, parser.stage, body


def _models_yaml(data: bytes) -> None:
    """A models.yaml is read, or what is wrong with it is said."""
    _file(data, "models.yaml", load_models)


def _cc_proxy_json(data: bytes) -> None:
    """A cc-proxy.json is read, or what is wrong with it is said."""
    _file(data, "cc-proxy.json", load_providers)


def _file(data: bytes, name: str, load: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        path.chmod(0o600)
        try:
            load(path)
        except ConfigError as error:
            assert str(error)  # noqa: PT017 - any other exception is the failure


# --- seeds ----------------------------------------------------------------------------------------------
def _case_values(kind: str, key: str) -> Iterable[Any]:
    for path in sorted((paths.CASES / kind).glob("*.json")):
        case = json.loads(path.read_text())
        if isinstance(case, dict) and key in case:
            yield case[key]


def _stream_seeds() -> Iterable[bytes]:
    for chunks in _case_values("stream", "chunks"):
        yield "".join(chunks).encode()


def _responses_seeds() -> Iterable[bytes]:
    for events in _case_values("responses", "events"):
        yield b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


def _request_seeds() -> Iterable[bytes]:
    for request in _case_values("request", "anthropic_request"):
        yield json.dumps(request).encode()


def _error_seeds() -> Iterable[bytes]:
    for path in sorted((paths.CASES / "error").glob("*.json")):
        for text in _texts(json.loads(path.read_text())):
            yield text.encode()


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        yield json.dumps(value)
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value[:50]:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _http_seeds() -> Iterable[bytes]:
    yield b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\nno"
    for case in json.loads((paths.CASES / "http1" / "published.json").read_text()):
        yield case["response"].encode("latin-1")


def _yaml_seeds() -> Iterable[bytes]:
    yield b"- model_id: m\n  api_base: https://api.deepseek.com\n  max_tokens: 8k\n  context: 128k\n"
    yield b"- {model_id: 'a/*', model_name: '*', api_base: 'http://127.0.0.1:1/v1', profile: vllm, stop_max: 2}\n"
    yield b"models:\n  - model_id: n\n    api_base: https://x.example/anthropic\n    fallback: [n]\n"


def _json_seeds() -> Iterable[bytes]:
    yield b'{"base_url": "https://api.deepseek.com", "auth_key": "env:K", "model": "m", "small_model": "s"}'
    yield b'// mine\n{"providers": {"a": {"base_url": "http://127.0.0.1:1", "auth_key": "k", "model": "m"},},}'


TARGETS = (
    Target(
        "sse",
        _sse_events,
        _stream_seeds,
        (b"\n\n", b"\r\n", b"\r", b"data:", b"event: error", b":", b"[DONE]"),
    ),
    Target(
        "chat",
        _chat_stream,
        _stream_seeds,
        (b"null", b"{}", b"[]", b'"tool_calls"', b'"error"', b"1e999", b"\\ud800"),
    ),
    Target(
        "responses",
        _responses_stream,
        _responses_seeds,
        (b"null", b"{}", b"[]", b'"type"', b"-1", b"\\ud800"),
    ),
    Target(
        "request",
        _request,
        _request_seeds,
        (b"null", b"{}", b"[]", b"9" * 5000, b"1e-400", b'"$ref"', b"[" * 300),
    ),
    Target(
        "error",
        _error_body,
        _error_seeds,
        (b"maximum", b"tokens", b"1" * 5000, b"<html>", b"exceeds", b"null"),
    ),
    Target(
        "http1",
        _http_response,
        _http_seeds,
        (b"\r\n", b"content-length: ", b"chunked", b"\x00", b"HTTP/1.1 ", b"f" * 20),
    ),
    Target(
        "models.yaml",
        _models_yaml,
        _yaml_seeds,
        (b"2024-99-01", b"!!python/object", b"&a *a", b"\t", b"~", b"- ", b": "),
    ),
    Target(
        "cc-proxy.json",
        _cc_proxy_json,
        _json_seeds,
        (b"/*", b"//", b",", b"null", b'"auth_key"', b"9" * 5000),
    ),
)
