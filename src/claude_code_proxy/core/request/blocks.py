"""Content blocks of the Anthropic API, one reader per block type, looked up by type.

The world is open: a block type nobody knows is read as text where it has some, else it is left out, and
the report says so. A known block without the field that makes it one is the client's error.
"""

# ruff: noqa: SLF001 - the tables of readers at the end belong to the class
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from claude_code_proxy.core.conversation import CacheMark, File, Image, Text
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request import server_tools
from claude_code_proxy.core.request.anthropic_tools import member_key
from claude_code_proxy.core.request.drafts import CallDraft, ResultDraft
from claude_code_proxy.core.request.earlier_reasoning import EarlierReasoning
from claude_code_proxy.core.request.fields import (
    json_text,
    kind_of,
    list_or_none,
    required_text,
    text_or_empty,
)
from claude_code_proxy.core.request.media import NO_RESULT_IMAGES, Media, PdfText
from claude_code_proxy.core.wire import WireError, loads

Read: TypeAlias = Callable[["ContentReader", dict[str, Any], str, list[Any]], None]


class Summary(NamedTuple):
    """What a `compaction` block says of the messages before it, and what they changed about the tools."""

    text: Text
    tool_changes: list[Any]
    changes_path: str


def is_summary(block: Any) -> bool:
    """Whether `block` is a `compaction` block with a text; one without stands for nothing."""
    if not isinstance(block, dict) or block.get("type") != "compaction":
        return False
    return isinstance(block.get("content"), str) and bool(block["content"])


class ContentReader:
    """Reads the content of messages of a request to `model`, the client's name for it.

    `referenced` (in this order) and `tool_ids` collect what it met on the way.
    """

    def __init__(
        self,
        profile: Profile,
        report: Report,
        pdf_text: Callable[[str], PdfText] | None = None,
        model: str = "",
    ) -> None:
        self._profile = profile
        self._report = report
        self._media = Media(profile, report, pdf_text)
        self._reasoning = EarlierReasoning(profile, model, report)
        self.referenced: dict[str, None] = {}
        """Names of tools that a `tool_reference` or a call names."""
        self.tool_ids: set[str] = set()
        """All tool ids, as the client knows them."""
        self.summary: Summary | None = None
        """The summary of the history before it, to stand before the message it was found in."""

    def expect(self, messages: list[dict[str, Any]]) -> None:
        """Look at the messages that will be read, for what only all of them tell."""
        self._media.expect(messages)

    def user(self, content: Any, path: str, *, attached: bool) -> list[Any]:
        """The items of a user message; `attached` as in `core.request.media.Media`."""
        self._media.attached = attached
        return self._items(content, path, _USER)

    def assistant(self, content: Any, path: str) -> list[Any]:
        """The items of an assistant message."""
        self._media.attached = False
        return self._items(content, path, _ASSISTANT)

    def instructions(self, content: Any, path: str) -> list[Text]:
        """The texts of `system` or of a system message."""
        return self._items(content, path, _SYSTEM)

    def _items(self, content: Any, path: str, readers: Mapping[Any, Read]) -> list[Any]:
        items: list[Any] = []
        if isinstance(content, str):
            if content:
                items.append(Text(content))
            return items
        if not isinstance(content, list):
            raise invalid_request(f"{path}: must be a string or an array of blocks, found {kind_of(content)}")
        for index, block in enumerate(content):
            if not isinstance(block, dict):
                raise invalid_request(f"{path}.{index}: must be an object, found {kind_of(block)}")
            block_type = block.get("type")
            if block_type == "text" and len(block) == 2 and isinstance(text := block.get("text"), str):
                if text:  # most blocks are no more than that, and no message is without a reader for it
                    items.append(Text(text))
                continue
            block_path = f"{path}.{index}"
            # Only a string can be a key of the table; anything else may not even be hashable.
            read = readers.get(block_type) if isinstance(block_type, str) else None
            if read is None:
                self._unknown(block, block_path, items)
                continue
            fields = _FIELDS.get(block_type)
            if fields is not None and not fields.issuperset(block):
                for key in block.keys() - fields:
                    self._report.dropped(
                        "field_dropped", f"{block_path}.{key}", "no such field upstream", quiet=True
                    )
            read(self, block, block_path, items)
        return items

    def _cached(self, block: dict[str, Any], path: str) -> CacheMark:
        mark = block.get("cache_control")
        if mark is None:
            return ""
        if self._profile.cache_control == "strip":
            self._report.dropped(
                "cache_control", f"{path}.cache_control", "the provider has no cache marks", quiet=True
            )
            return ""
        return "1h" if isinstance(mark, dict) and mark.get("ttl") == "1h" else "5m"

    def _text(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        text = block.get("text")
        if not isinstance(text, str):
            raise invalid_request(f"{path}.text: must be a string, found {kind_of(text)}")
        cached = self._cached(block, path) if "cache_control" in block else ""
        if text:
            items.append(Text(text, cached))

    def _image(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        items.append(self._media.image(block, path, self._cached(block, path)))

    def _assistant_image(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        self._report.changed("assistant_image", path, "providers do not accept images in assistant messages")
        items.append(Text("[image]", self._cached(block, path)))

    def _result_image(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        part = self._media.image(block, path, self._cached(block, path))
        if isinstance(part, Image):
            match self._profile.tool_result_images:
                case "placeholder":
                    self._report.dropped("image_omitted", path, "no images in tool results for this provider")
                    part = Text(NO_RESULT_IMAGES, part.cached)
                case "user_message":
                    self._report.changed(
                        "tool_result_image_moved", path, "sent in the user message after it", quiet=True
                    )
                case _:
                    pass
        items.append(part)

    def _document(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        self._no_citations(block, path)
        cached = self._cached(block, path)
        source = block.get("source")
        kind = source.get("type") if isinstance(source, dict) else None
        if isinstance(source, dict) and kind == "text":
            data = source.get("data")
            if not isinstance(data, str):
                raise invalid_request(f"{path}.source.data: must be a string, found {kind_of(data)}")
            items.append(Text(_framed(block, data), cached))
        elif isinstance(source, dict) and kind == "content":
            inner = self._items(source.get("content"), f"{path}.source.content", _DOCUMENT)
            if all(isinstance(part, Text) for part in inner):
                items.append(Text(_framed(block, "\n\n".join(part.text for part in inner)), cached))
            else:
                items += [Text(_opening_tag(block)), *inner, Text("</document>", cached)]
        else:
            part = self._media.pdf(block, path, cached)
            if isinstance(part, str):
                items.append(Text(_framed(block, part), cached))
            elif isinstance(part, Text) or not (text_or_empty(block, "context") or _is_url(part)):
                items.append(part)
            else:  # the provider's file has a name at most
                items += [Text(_opening_tag(block)), part, Text("</document>")]

    def _no_citations(self, block: dict[str, Any], path: str) -> None:
        citations = block.get("citations")
        if isinstance(citations, dict) and citations.get("enabled"):
            self._report.dropped("citations", f"{path}.citations", "the provider has no citations")

    def _search_result(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        self._no_citations(block, path)
        texts = self._items(block.get("content") or [], f"{path}.content", _TEXT_ONLY)
        title, source = (_attribute(text_or_empty(block, key)) for key in ("title", "source"))
        body = "\n\n".join(part.text for part in texts)
        frame = f'<search_result title="{title}" source="{source}">\n{body}\n</search_result>'
        items.append(Text(frame, self._cached(block, path)))

    def _tool_use(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        tool_id = required_text(block, "id", path)
        name = required_text(block, "name", path)
        if isinstance(toolset := block.get("toolset_name"), str):
            name = member_key(toolset, name)
        self.tool_ids.add(tool_id)
        self.referenced.setdefault(name)
        items.append(CallDraft(tool_id, name, self._arguments(block.get("input"), f"{path}.input"), path))

    def _arguments(self, value: Any, path: str) -> str:
        if value is None:
            return "{}"
        if isinstance(value, str):
            try:
                parsed = loads(value)
            except WireError:
                parsed = None
            if isinstance(parsed, dict):
                return json_text(parsed, path)
        if not isinstance(value, dict):
            self._report.changed("tool_input_wrapped", path, f"must be an object, found {kind_of(value)}")
            value = {"input": value}
        return json_text(value, path)

    def _tool_result(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        tool_id = required_text(block, "tool_use_id", path)
        self.tool_ids.add(tool_id)
        content = block.get("content")
        parts = [] if content is None else self._items(content, f"{path}.content", _TOOL_RESULT)
        is_error = block.get("is_error") is True
        cached = self._cached(block, path) if "cache_control" in block else ""
        items.append(ResultDraft(tool_id, tuple(parts), is_error, cached, path))

    def _tool_reference(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        name = required_text(block, "tool_name", path)
        self.referenced.setdefault(name)
        items.append(Text(f"Tool available: {name}", self._cached(block, path)))

    def _json(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        kept = {key: value for key, value in block.items() if key != "cache_control"}
        self._report.changed("block_as_json", path, "the provider has no such block type; sent as JSON text")
        items.append(Text(json_text(kept, path), self._cached(block, path)))

    def _thinking(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        text = block.get("thinking")
        items += self._reasoning.read(text if isinstance(text, str) else "", block.get("signature"), path)

    def _redacted_thinking(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        items += self._reasoning.read("", block.get("data"), path)

    def _server_call(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        self._line(server_tools.call_line(block, path), path, items)

    def _server_result(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        for name in server_tools.found_tools(block):
            self.referenced.setdefault(name)
        self._line(server_tools.result_line(block, path), path, items)

    def _line(self, line: str, path: str, items: list[Any]) -> None:
        self._report.changed("server_tool_as_text", path, "sent as a line of text", quiet=True)
        last = items[-1] if items else None
        separator = "\n" if isinstance(last, Text) and not last.text.endswith("\n") else ""
        items.append(Text(f"{separator}{line}\n"))

    def _compaction(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        if not is_summary(block):
            self._report.dropped("compaction_dropped", path, "the summary is not readable")
            return
        self._report.changed("compaction_as_text", path, "sent as user text", quiet=True)
        text = f"<conversation-summary>\n{block['content']}\n</conversation-summary>"
        changes_path = f"{path}.tool_changes"
        changes = list_or_none(block, "tool_changes", changes_path) or []
        self.summary = Summary(Text(text, self._cached(block, path)), changes, changes_path)
        items.clear()  # it stands for what came before it in its message too

    def _container_upload(self, _block: dict[str, Any], path: str, items: list[Any]) -> None:
        if self._media.attached:
            raise invalid_request(f"{path}: container_upload needs a container, which this provider lacks")
        self._report.dropped("container_upload", path, "the provider has no containers")
        items.append(Text("[file omitted: it is in a container of another provider]"))

    def _ignored(self, block: dict[str, Any], path: str, _items: list[Any]) -> None:
        self._report.dropped("block_ignored", path, f"{block['type']} is not part of the prompt", quiet=True)

    def _unknown(self, block: dict[str, Any], path: str, items: list[Any]) -> None:
        text = block.get("text")
        name = str(block.get("type"))[:80]
        if isinstance(text, str) and text:
            self._report.changed("unknown_block", path, f"block type {name} is unknown; its text was sent")
            items.append(Text(text, self._cached(block, path)))
        elif isinstance(block.get("type"), str) and name.endswith(server_tools.RESULT_SUFFIX):
            self._server_result(block, path, items)
        else:
            self._report.dropped("unknown_block", path, f"block type {name} is unknown")


def _framed(block: dict[str, Any], text: str) -> str:
    return f"{_opening_tag(block)}\n{text}\n</document>"


def _opening_tag(block: dict[str, Any]) -> str:
    title, context = text_or_empty(block, "title"), text_or_empty(block, "context")
    tag = f'<document title="{_attribute(title)}">' if title else "<document>"
    return f"{tag}\n{context}" if context else tag


def _is_url(part: Any) -> bool:
    return isinstance(part, File) and not part.url.startswith("data:")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")


_FIELDS: dict[Any, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control"}),
    "image": frozenset({"type", "source", "cache_control"}),
    "document": frozenset({"type", "source", "title", "context", "citations", "cache_control"}),
    "tool_use": frozenset({"type", "id", "name", "input", "toolset_name"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "search_result": frozenset({"type", "title", "source", "content", "citations", "cache_control"}),
    "tool_reference": frozenset({"type", "tool_name", "cache_control"}),
    "server_tool_use": frozenset({"type", "id", "name", "input"}),
    "mcp_tool_use": frozenset({"type", "id", "name", "input", "server_name"}),
    "compaction": frozenset({"type", "content", "tool_changes", "cache_control"}),
}
"""The fields of the usual blocks that are carried over; others are reported."""

_TEXT_ONLY: dict[str, Read] = {"text": ContentReader._text}
_SYSTEM: dict[str, Read] = {
    **_TEXT_ONLY,
    # core.request reads these two, they leave no text.
    "tool_addition": lambda *_: None,
    "tool_removal": lambda *_: None,
}
_DOCUMENT: dict[str, Read] = {**_TEXT_ONLY, "image": ContentReader._image}
_NOT_RENDERED: dict[str, Read] = {"fallback": ContentReader._ignored}
_TOOL_RESULT: dict[str, Read] = {
    "text": ContentReader._text,
    "image": ContentReader._result_image,
    "document": ContentReader._document,
    "search_result": ContentReader._search_result,
    "tool_reference": ContentReader._tool_reference,
    "browser_state": ContentReader._json,
}
_USER: dict[str, Read] = {
    **_NOT_RENDERED,
    "text": ContentReader._text,
    "tool_result": ContentReader._tool_result,
    "image": ContentReader._image,
    "document": ContentReader._document,
    "search_result": ContentReader._search_result,
    "container_upload": ContentReader._container_upload,
    "compaction": ContentReader._compaction,
}
_ASSISTANT: dict[str, Read] = {
    **_NOT_RENDERED,
    "text": ContentReader._text,
    "tool_use": ContentReader._tool_use,
    "thinking": ContentReader._thinking,
    "redacted_thinking": ContentReader._redacted_thinking,
    "image": ContentReader._assistant_image,
    "server_tool_use": ContentReader._server_call,
    "mcp_tool_use": ContentReader._server_call,
    "compaction": ContentReader._compaction,
}
