"""The demo's second language, OpenAI Responses: read as a Chat Completions request, answered as items.

The provider is as strict here as with its first one. Reasoning goes out encrypted (after a fashion: the text
in base64) and has to come back whole, each item before the one it led to.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from claude_code_proxy.demo.chat_answer import Completion
from claude_code_proxy.demo.strictness import Refusal

_SEAL = "demo."
_PASSED_ON = ("model", "temperature", "top_p", "stream", "parallel_tool_calls")
_KNOWN = frozenset(
    {
        *_PASSED_ON, "instructions", "input", "max_output_tokens", "store", "include", "tools", "tool_choice",
        "reasoning", "text", "user", "safety_identifier", "prompt_cache_key", "service_tier", "metadata",
    }
)  # fmt: skip
_LEAST_OUTPUT = 16
_PIECE = 12


def to_chat(body: Any) -> dict[str, Any]:
    """The Chat Completions request that says the same. Raises `Refusal` for what a strict server refuses."""
    if not isinstance(body, dict):
        raise Refusal("The request must be a JSON object.")
    for name in sorted(body.keys() - _KNOWN):
        raise Refusal(f"Unknown parameter: '{name}'.", name, code="unknown_parameter")
    if body.get("store") is not False:
        raise Refusal("This provider stores nothing: set 'store' to false.", "store")
    chat: dict[str, Any] = {name: body[name] for name in _PASSED_ON if name in body}
    limit = body.get("max_output_tokens")
    if limit is not None:
        if not isinstance(limit, int) or limit < _LEAST_OUTPUT:
            what = f"'max_output_tokens' must be an integer of at least {_LEAST_OUTPUT}."
            raise Refusal(what, "max_output_tokens", code="integer_below_min_value")
        chat["max_completion_tokens"] = limit
    chat["messages"] = _messages(body)
    if "tools" in body:
        chat["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(body["tools"])]
    choice = body.get("tool_choice")
    if choice is not None:
        named = isinstance(choice, dict)
        chat["tool_choice"] = (
            {"type": "function", "function": {"name": choice.get("name")}} if named else choice
        )
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None:
        chat["reasoning_effort"] = effort
    form = (body.get("text") or {}).get("format")
    if form is not None:
        chat["response_format"] = {"type": form.get("type"), "json_schema": form}
    return chat


def _tool(tool: Any, where: str) -> dict[str, Any]:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise Refusal(f"{where} must be a function: there are no hosted tools here.", where)
    if tool.get("strict") is not False:
        # A real server would silently make every property required.
        raise Refusal(f"{where}.strict must be false: this provider enforces no schema.", where)
    return {"type": "function", "function": {key: tool[key] for key in tool.keys() - {"type", "strict"}}}


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if not isinstance(items, list):
        raise Refusal("'input' must be a text or a list of items.", "input")
    instructions = body.get("instructions")
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    reader = _Reader(messages)
    for index, item in enumerate(items):
        reader.take(item, f"input[{index}]")
    reader.expect_no_reasoning("the end")
    return messages


class _Reader:
    """Puts the items of an answer back together as one assistant message."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self._messages = messages
        self._reasoning: list[str] = []

    def take(self, item: Any, where: str) -> None:
        kind = item.get("type", "message") if isinstance(item, dict) else None
        match kind:
            case "reasoning":
                self._reasoning.append(_unsealed(item.get("encrypted_content"), where))
            case "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments")}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                self._assistant().setdefault("tool_calls", []).append(call)
            case "function_call_output":
                self.expect_no_reasoning(where)
                self._result(item, where)
            case "message" if item.get("role") == "assistant":
                message = self._assistant()
                message["content"] = (message["content"] or "") + str(item.get("content"))
            case "message":
                self.expect_no_reasoning(where)
                self._messages.append(
                    {"role": item.get("role"), "content": _content(item.get("content"), where)}
                )
            case _:
                raise Refusal(f"{where}: an item of type {kind!r} is unknown.", where)

    def expect_no_reasoning(self, where: str) -> None:
        """Raise `Refusal` where reasoning stands without what it led to."""
        if self._reasoning:
            raise Refusal(
                f"An item of type 'reasoning' was provided without its required following item: {where}.",
                "input",
            )

    def _assistant(self) -> dict[str, Any]:
        if not self._messages or self._messages[-1]["role"] != "assistant":
            self._messages.append({"role": "assistant", "content": None})
        message = self._messages[-1]
        if self._reasoning:
            message["reasoning_content"] = message.get("reasoning_content", "") + "".join(self._reasoning)
            self._reasoning.clear()
        return message

    def _result(self, item: dict[str, Any], where: str) -> None:
        content = _content(item.get("output"), where)
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        texts = "\n\n".join(str(part.get("text")) for part in parts if part["type"] == "text")
        images = [part for part in parts if part["type"] == "image_url"]
        if images:
            texts += "".join(f"\n[image: {image['image_url']['url'][:22]}]" for image in images)
        self._messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": texts})


def _content(content: Any, where: str) -> Any:
    if not isinstance(content, list):
        return content
    return [_part(part, where) for part in content]


def _part(part: Any, where: str) -> dict[str, Any]:
    match part:
        case {"type": "input_text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "input_file", "file_data": str(data)}:
            return {"type": "file", "file": {"file_data": data}}
        case _:
            raise Refusal(f"{where}: a content part must be input_text, input_image or input_file.", where)


def _sealed(text: str) -> str:
    return _SEAL + base64.b64encode(text.encode()).decode()


def _unsealed(sealed: Any, where: str) -> str:
    if not isinstance(sealed, str) or not sealed.startswith(_SEAL):
        what = f"The encrypted content of {where} could not be verified."
        raise Refusal(what, where, code="invalid_encrypted_content")
    return base64.b64decode(sealed.removeprefix(_SEAL)).decode()


def document(completion: Completion, *, summary: bool) -> dict[str, Any]:
    """The answer to a request without `stream`; `summary` says whether reasoning may be read."""
    cut = completion.finish_reason == "length"
    usage = completion.usage
    return {
        "id": f"resp_{completion.id}",
        "object": "response",
        "created_at": completion.created,
        "model": completion.model,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "error": None,
        "output": _items(completion, summary=summary),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": {**usage["prompt_tokens_details"], "cache_write_tokens": 0},
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": usage["completion_tokens_details"],
            "total_tokens": usage["total_tokens"],
        },
    }


def events(completion: Completion, *, summary: bool) -> Iterator[dict[str, Any]]:
    """The answer to a request with `stream`, event by event."""
    answer = document(completion, summary=summary)
    begun = {**answer, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    plain = [
        {"type": "response.created", "response": begun},
        *(event for place, item in enumerate(answer["output"]) for event in _grow(item, place)),
        {"type": f"response.{answer['status']}", "response": answer},
    ]
    for number, event in enumerate(plain):
        yield {**event, "sequence_number": number}


def _items(completion: Completion, *, summary: bool) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if completion.reasoning:
        thought = "".join(completion.reasoning)
        spoken = [{"type": "summary_text", "text": thought}] if summary else []
        sealed = {"summary": spoken, "encrypted_content": _sealed(thought)}
        items.append({"type": "reasoning", "id": f"rs_{completion.id}", **sealed})
    if completion.text:
        part = {"type": "output_text", "text": "".join(completion.text), "annotations": []}
        said = {"role": "assistant", "status": "completed", "content": [part]}
        items.append({"type": "message", "id": f"msg_{completion.id}", **said})
    for call in completion.calls:
        named = {"call_id": call["id"], **call["function"], "status": "completed"}
        items.append({"type": "function_call", "id": f"fc_{call['id']}", **named})
    return items


def _grow(item: dict[str, Any], place: int) -> Iterator[dict[str, Any]]:
    """The events in which one item comes: announced, in pieces, whole."""
    at: dict[str, Any] = {"output_index": place, "item_id": item["id"]}
    match item["type"]:
        case "reasoning":
            empty: dict[str, Any] = {"summary": [], "encrypted_content": _SEAL}  # not whole yet, as OpenAI's
            parts = [("reasoning_summary_text", "reasoning_summary_part", part) for part in item["summary"]]
            at["summary_index"] = 0
        case "message":
            empty = {"content": []}
            parts = [("output_text", "content_part", part) for part in item["content"]]
            at["content_index"] = 0
        case _:
            empty, parts = {"arguments": ""}, []
    yield {"type": "response.output_item.added", "output_index": place, "item": {**item, **empty}}
    for kind, frame, part in parts:
        yield {"type": f"response.{frame}.added", **at, "part": {**part, "text": ""}}
        for piece in _pieces(part["text"]):
            yield {"type": f"response.{kind}.delta", **at, "delta": piece}
        yield {"type": f"response.{kind}.done", **at, "text": part["text"]}
        yield {"type": f"response.{frame}.done", **at, "part": part}
    if "arguments" in item:
        for piece in _pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "output_index": place, "item": item}


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
