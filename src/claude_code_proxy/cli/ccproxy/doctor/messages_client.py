"""A Messages client for `ccproxy doctor`: one request, the answer as a message, and when what arrived."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from claude_code_proxy.core import sse
from claude_code_proxy.core.answer.message import fold
from claude_code_proxy.core.header_values import listed
from claude_code_proxy.core.report import Report

LIMIT = 20.0
"""Seconds for one question and its whole answer."""


class AnswerError(Exception):
    """No answer; `type` is the error's type in the API's words, or "" where there was no error body."""

    def __init__(self, status: int, type: str, message: str) -> None:  # noqa: A002 - the wire's own name
        super().__init__(message)
        self.status = status
        self.type = type


@dataclass(slots=True)
class Answer:
    """A whole or streamed answer. Times are in seconds since the request was sent."""

    message: dict[str, Any]
    headers: Mapping[str, str]
    first: float = 0.0
    """When the first piece of content came."""
    gap: float = 0.0
    """The longest time without any event after the first."""
    events: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of all text blocks."""
        return "".join(block["text"] for block in self.blocks("text"))

    def blocks(self, kind: str) -> list[dict[str, Any]]:
        """The content blocks of one type."""
        return [block for block in self.message.get("content", ()) if block.get("type") == kind]

    @property
    def notices(self) -> list[str]:
        """The codes of what the proxy had to change."""
        return listed(self.headers.get("x-proxy-notices", ""))


class MessagesClient:
    """Asks as Claude Code does, with the variables that it would get."""

    def __init__(self, variables: Mapping[str, str], seconds: float = LIMIT) -> None:
        self._seconds = seconds
        self._base = urlsplit(variables["ANTHROPIC_BASE_URL"])
        self._headers = {
            "authorization": f"Bearer {variables['ANTHROPIC_AUTH_TOKEN']}",
            "content-type": "application/json",
            "anthropic-version": "2023-06-01",
            "x-proxy-report": "1",
        }
        for line in variables.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines():
            name, _, value = line.partition(":")
            self._headers[name.strip()] = value.strip()
        self._model = variables["ANTHROPIC_MODEL"]

    def ask(self, messages: list[dict[str, Any]], **more: Any) -> Answer:
        """One request. Raises `AnswerError`."""
        body = {"model": self._model, "max_tokens": 4096, "messages": messages, **more}
        secure = self._base.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self._base.hostname or "", self._base.port, timeout=self._seconds)
        try:
            began = time.monotonic()
            connection.request("POST", f"{self._base.path}/v1/messages", json.dumps(body), self._headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            if response.status != http.client.OK:
                raise _refusal(response.status, response.read())
            if body.get("stream"):
                return _streamed(response, headers, began, self._seconds)
            message = json.loads(response.read())
            if not isinstance(message, dict) or not isinstance(message.get("content"), list):
                raise AnswerError(200, "", "the answer is no message")
            return Answer(message, headers, time.monotonic() - began)
        except TimeoutError as error:
            raise _late(self._seconds) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AnswerError(0, "", f"no answer: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _refusal(status: int, body: bytes) -> AnswerError:
    try:
        error = json.loads(body)["error"]
        return AnswerError(status, str(error.get("type", "")), str(error["message"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return AnswerError(status, "", body[:300].decode("utf-8", "replace").strip() or "no message")


def _late(seconds: float) -> AnswerError:
    return AnswerError(0, "timeout_error", f"no whole answer within {seconds:g} s")


def _streamed(
    response: http.client.HTTPResponse, headers: Mapping[str, str], began: float, seconds: float
) -> Answer:
    answer = Answer({}, headers)
    decoder, events, last = sse.Decoder(), list[dict[str, Any]](), 0.0
    while data := response.read1():
        for raw in decoder.feed(data):
            event, now = json.loads(raw.data), time.monotonic() - began
            if now > seconds:
                raise _late(seconds)
            events.append(event)
            answer.events.append(event["type"])
            answer.gap = max(answer.gap, now - last) if last else 0.0
            last = now
            if event["type"] == "content_block_delta" and not answer.first:
                answer.first = now
            if event["type"] == "error":
                error = event.get("error", {})
                raise AnswerError(200, str(error.get("type", "")), str(error.get("message", "no message")))
    if "message_stop" not in answer.events:
        raise AnswerError(200, "", "the stream ended without message_stop")
    answer.message = fold(events, Report())
    return answer
