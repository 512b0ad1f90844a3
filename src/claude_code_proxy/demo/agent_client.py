"""A small Anthropic Messages client: an agent loop of two turns with one real tool, streamed.

Only the standard library: what it shows is the proxy's work, and no SDK's.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.core import sse, wire
from claude_code_proxy.demo.screen import Screen

_TIMEOUT = 60.0
_ROUNDS = 5
_LIST_FILES = {
    "name": "list_files",
    "description": "List the names of the files in a folder.",
    "input_schema": {
        "type": "object",
        "properties": {"path": {"type": "string", "description": "The folder, relative to the work folder"}},
        "required": ["path"],
    },
}


class ClientError(Exception):
    """The conversation could not go on; the text says why in one line."""


class Client:
    """Talks to `base_url` with `key` as bearer token; its tool sees `folder`; shows itself on `screen`."""

    def __init__(self, base_url: str, key: str, model: str, folder: Path, screen: Screen) -> None:
        self._url = urlsplit(base_url)
        self._key = key
        self._model = model
        self._folder = folder.resolve()
        self._screen = screen
        self._messages: list[dict[str, Any]] = []

    def ask(self, text: str) -> str:
        """Say `text` and run the tools that the model calls until it has answered; returns its last text.

        Raises `ClientError`.
        """
        self._screen.line("you", text)
        self._messages.append({"role": "user", "content": text})
        for _ in range(_ROUNDS):
            message = self._turn()
            self._messages.append({"role": "assistant", "content": message["content"]})
            calls = [block for block in message["content"] if block["type"] == "tool_use"]
            if not calls:
                return "".join(block["text"] for block in message["content"] if block["type"] == "text")
            self._messages.append({"role": "user", "content": [self._run(call) for call in calls]})
        raise ClientError(f"no answer after {_ROUNDS} rounds of tool calls")

    def _turn(self) -> dict[str, Any]:
        """One request; the streamed answer as a whole message."""
        request = {
            "model": self._model,
            "max_tokens": 4096,
            "stream": True,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "system": "You are a helpful demo.",
            "tools": [_LIST_FILES],
            "messages": self._messages,
        }
        message: dict[str, Any] = {}
        for event in self._stream(request):
            show(event, self._screen)
            collect(event, message)
        self._screen.end()
        if not message.get("complete"):
            raise ClientError("the stream ended before message_stop")
        for block in message["content"]:
            if block["type"] == "tool_use":
                self._screen.tool(block["name"], block["input"])
        self._screen.usage(message["usage"])
        return message

    def _stream(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of a streamed answer, as they arrive."""
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=_TIMEOUT)
        headers = {
            "authorization": f"Bearer {self._key}",
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
        }
        try:
            connection.request("POST", f"{self._url.path}/v1/messages", wire.dumps(request), headers)
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise ClientError(f"status {response.status}: {response.read(2000).decode(errors='replace')}")
            decoder = sse.Decoder()
            while data := response.read1():
                yield from (wire.loads(event.data) for event in decoder.feed(data))
        except (OSError, http.client.HTTPException, wire.WireError) as error:
            raise ClientError(f"the connection to {self._url.geturl()} failed: {error}") from error
        finally:
            connection.close()

    def _run(self, call: dict[str, Any]) -> dict[str, Any]:
        """Run one tool call; the `tool_result` block for it."""
        try:
            if call["name"] != _LIST_FILES["name"]:
                raise ValueError(f"there is no tool {call['name']}")  # noqa: TRY301 - handled like any failure
            folder = (self._folder / str(call["input"].get("path", "."))).resolve()
            if not folder.is_relative_to(self._folder):
                raise ValueError(f"{folder} is outside of the work folder")  # noqa: TRY301
            text, failed = "\n".join(sorted(entry.name for entry in folder.iterdir())), False
        except (OSError, ValueError) as error:
            text, failed = str(error), True
        self._screen.line("result", text)
        return {"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": failed}


def show(event: dict[str, Any], screen: Screen) -> None:
    """Show what one stream event adds to the answer's text or thinking."""
    if event.get("type") != "content_block_delta":
        return
    delta = event["delta"]
    if delta["type"] == "text_delta":
        screen.grow("model", delta["text"])
    elif delta["type"] == "thinking_delta":
        screen.grow("thinks", delta["thinking"])


def collect(event: dict[str, Any], message: dict[str, Any]) -> None:
    """Add one stream event to `message`; the last sets `complete`. Raises `ClientError` for an error."""
    match event["type"]:
        case "message_start":
            message.update(event["message"], content=[])
        case "content_block_start":
            message["content"].append({**event["content_block"]})
        case "content_block_delta":
            _extend(message["content"][-1], event["delta"])
        case "content_block_stop":
            block = message["content"][-1]
            if block["type"] == "tool_use":
                block["input"] = wire.loads(block.pop("json", "") or "{}")
        case "message_delta":
            message.update(event["delta"])
            message["usage"].update({name: value for name, value in event["usage"].items() if value})
        case "message_stop":
            message["complete"] = True
        case "error":
            raise ClientError(f"{event['error']['type']}: {event['error']['message']}")


def _extend(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["json"] = block.get("json", "") + delta["partial_json"]
