"""Run a captured request again: by the responses that it got, or by another model or address."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from claude_code_proxy.config import urls
from claude_code_proxy.config.problems import ConfigError
from claude_code_proxy.config.settings import ServerSettings
from claude_code_proxy.core import wire
from claude_code_proxy.server.app import App
from claude_code_proxy.server.capture.capture import VERSION
from claude_code_proxy.server.capture.recorded_upstream import Cut, RecordedUpstream
from claude_code_proxy.transports.protocol import Transport

_OFFLINE_KEY = "none"  # too short to be hidden where it is a word
_MOST = 1 << 30  # bytes of the one exchange


class _Request(msgspec.Struct):
    path: str
    query: str
    headers: dict[str, str]
    body: Any


class _Chunk(msgspec.Struct):
    text: str = ""
    base64: str = ""
    seconds: float = 0.0


class _Flow(msgspec.Struct):
    status: int
    headers: dict[str, str]
    chunks: list[_Chunk]
    why: str = ""


class _Sent(msgspec.Struct):
    error: str
    response: _Flow
    body: Any


class _Capture(msgspec.Struct):
    """What a file must have to be run again."""

    record: dict[str, Any]
    models: list[dict[str, Any]]
    request: _Request
    upstream: list[_Sent]
    answer: _Flow
    notices: list[dict[str, Any]]


def read_capture(path: Path) -> dict[str, Any]:
    """The capture in a file. Raises `ConfigError` for any other file."""
    try:
        document = wire.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except wire.WireError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(document, dict) or not {"version", "request", "upstream", "models"} <= document.keys():
        raise ConfigError(f"{path} is no capture of serve --capture")
    if document["version"] > VERSION:
        raise ConfigError(f"{path}: a newer version of the program wrote it (version {document['version']})")
    try:
        msgspec.convert(document, _Capture)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path} is not as serve --capture wrote it: {error}") from None
    if document.get("truncated"):
        raise ConfigError(f"{path}: something of it is missing, as there was no room (--capture-bytes)")
    return document


async def replay_offline(
    capture: Mapping[str, Any], settings: ServerSettings, cut: Cut | None = None, *, redact: bool = False
) -> dict[str, Any]:
    """The capture that comes of the same request and the same responses today.

    `cut`: the responses come in other pieces. `redact`: with filler, as the capture has it.
    Raises `ConfigError` where no model served the request.
    """
    entries = [dict(entry) for entry in capture["models"]]
    if not entries:
        raise ConfigError("no model served this request, so there is nothing to run again")
    entries[0]["model_id"] = _asked(capture)
    if len(entries) > 1:
        entries[0]["fallback"] = [entry["model_id"] for entry in entries[1:]]
    upstream = RecordedUpstream(capture["upstream"], cut)
    settings = replace(settings, redact=redact)
    return await _run(capture, settings, entries, upstream, _OFFLINE_KEY, None)


async def replay_live(
    capture: Mapping[str, Any], settings: ServerSettings, *, model: str | None, against: str | None, key: str
) -> dict[str, Any]:
    """The capture of the same request by `model` of the models file, or by the upstream at `against`.

    With both, `model` is the upstream's name for it. Raises `ConfigError`.
    """
    asked = _asked(capture)
    settings = replace(settings, redact=False)
    if against is None:
        return await _run(capture, settings, None, None, key, model)
    try:
        urls.check(against)
    except urls.BadUrl as error:
        raise ConfigError(f"--against: {str(error).replace('api_base', 'it')}") from None
    before = capture["models"][0]["model_name"] if capture["models"] else asked
    entry: dict[str, Any] = {"model_id": asked, "model_name": model or before, "api_base": against}
    if against.rstrip("/").endswith(("/anthropic", "/messages")):
        entry["format"] = "anthropic"
    return await _run(capture, settings, [entry], None, key, None)


async def _run(
    capture: Mapping[str, Any],
    settings: ServerSettings,
    entries: list[dict[str, Any]] | None,
    transport: Transport | None,
    key: str,
    model: str | None,
) -> dict[str, Any]:
    """One request through the server itself, which captures it. `entries` None: those of the models file."""
    request = capture["request"]
    body = request["body"] if model is None else {**request["body"], "model": model}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = settings.models
        if entries is not None:
            models = folder / "models.yaml"
            models.write_bytes(wire.dumps(entries))  # JSON is YAML
        settings = replace(
            settings,
            models=models,
            capture=folder / "captures",
            capture_bytes=_MOST,
            metrics=False,
            usage_file=None,
            admin_tokens=None,
            client_tokens=None,
        )
        app = App(settings, transport=transport)
        headers = {**request["headers"], "host": "127.0.0.1", "authorization": f"Bearer {key}"}
        told = await _ask(app, request, headers, wire.dumps(body))
        await app.gateway.close()
        for file in (folder / "captures").iterdir():
            document: dict[str, Any] = wire.loads(file.read_bytes())
            return document
    raise ConfigError(f"nobody was asked: {told}")


def _asked(capture: Mapping[str, Any]) -> str:
    """The model that the client asked for. Raises `ConfigError`."""
    body = capture["request"]["body"]
    model = body.get("model") if isinstance(body, dict) else None
    if not isinstance(model, str):
        raise ConfigError("the captured request names no model, so there is nothing to run again")
    return model


async def _ask(app: App, request: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> str:
    """Send one request; the message of the answer where that is an error."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": request["path"],
        "query_string": request["query"].encode("latin-1"),
        "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.Event().wait()  # the client stays

    sent = bytearray()

    async def send(message: Any) -> None:  # the capture has it, unless the request is refused before
        sent.extend(message.get("body", b""))

    await app(scope, receive, send)
    try:
        return str(wire.loads(bytes(sent))["error"]["message"])
    except (wire.WireError, LookupError, TypeError):
        return ""
