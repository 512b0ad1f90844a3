"""How many tokens the body of a request has, without a tokenizer.

`measure` counts what decides it; `Calibration` knows what a model makes of that, `estimate` what OpenAI's do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.conversation import PreparedTools
from claude_code_proxy.core.images import read_base64_image
from claude_code_proxy.core.tokens.text_features import (
    FIXED,
    MEDIA,
    TEMPLATE,
    default_tokens,
    features,
    packed,
)

MESSAGE_TOKENS = 4
PRIMING_TOKENS = 3
TOOL_TOKENS = 10
MAX_IMAGE_TOKENS = 1600
UNKNOWN_IMAGE_TOKENS = 1500
_PRIMING = packed(TEMPLATE, 1) + packed(FIXED, PRIMING_TOKENS)
_MESSAGE = packed(FIXED, MESSAGE_TOKENS)
_PIXELS_PER_IMAGE_TOKEN = 750
_PDF_BYTES_PER_TOKEN = 50
_PDF_MIN_TOKENS = 2000
_AUDIO_BYTES_PER_TOKEN = 1600  # a tenth of a second of 16-bit audio at 8 kHz

# Message keys whose value is no prompt text, or is counted in its own way.
_NOT_TEXT = frozenset(
    {
        "role", "content", "tool_calls", "tool_call_id", "prefix", "partial", "cache_control",
        "type", "id", "call_id", "output", "phase", "encrypted_content",
    }
)  # fmt: skip
_PLAIN = frozenset({"role", "content"})
# Opaque state inside `reasoning_details`: base64, and not what the model reads as text.
_OPAQUE = frozenset({"data", "signature", "id", "type", "format", "index"})


class TextCounts:
    """The counts of texts seen before: a conversation repeats all but its last turn in every request.

    Keeps hashes and numbers, no text; bounded. Counting costs 15 ns per byte, looking up one. `of` gives the
    packed counts of one text; a real tokenizer can stand for the features.
    """

    MAX_TEXTS = 16_384
    """When there are more, all are forgotten: simple, and rare (about 4 MB)."""
    MIN_LENGTH = 256
    """Shorter texts are counted faster than looked up."""

    def __init__(self, of: Callable[[str], int] = features) -> None:
        self.of = of
        self._known: dict[int, int] = {}

    def known(self, what: bytes, count: Callable[[], int]) -> int:
        """The counts of `what`, by `count` if they are not known."""
        key = hash(what)
        found = self._known.get(key)
        return self._keep(key, count()) if found is None else found

    def _keep(self, key: int, counts: int) -> int:
        if len(self._known) >= self.MAX_TEXTS:
            self._known = {}
        self._known[key] = counts
        return counts

    def count(self, texts: Iterable[str]) -> int:
        """The counts of `texts`, one on a line."""
        counts = 0
        short: list[str] = []
        for text in texts:
            if len(text) < self.MIN_LENGTH:
                short.append(text)
                continue
            key = hash(text)
            found = self._known.get(key)
            counts += self._keep(key, self.of(text + "\n")) if found is None else found
        return counts + self.of("\n".join(short))


def estimate(
    body: Mapping[str, Any], counts: TextCounts | None = None, tools: PreparedTools | None = None
) -> int:
    """The prompt tokens of `body`, `measure`d as OpenAI's models count."""
    return math.ceil(default_tokens(measure(body, counts, tools)))


def measure(
    body: Mapping[str, Any], counts: TextCounts | None = None, tools: PreparedTools | None = None
) -> int:
    """The packed counts of a Chat Completions or Responses `body`: messages, tools and response schema.

    Base64 is never counted as text: images count by their pixels, PDFs by their size. `counts` remembers
    the texts of earlier requests; `tools`, where they are all of the body's tools, their own count.
    """
    counts = counts or TextCounts()
    texts: list[str] = []
    media = 0
    if instructions := body.get("instructions"):
        texts.append(str(instructions))
    messages = body.get("messages") or body.get("input") or ()
    for message in messages:
        if not _PLAIN.issuperset(message):
            _add_texts(message, texts)
        content = message.get("content") or message.get("output")
        if isinstance(content, str):
            texts.append(content)
        elif isinstance(content, list):
            for part in content:
                media += _count_part(part, texts)
    if form := body.get("response_format") or body.get("text"):  # of Chat Completions, of Responses
        form = form.get("format") or form
        if schema := form.get("json_schema") or form.get("schema"):
            texts.append(wire.dumps_text(schema))
    return (
        _PRIMING
        + len(messages) * _MESSAGE
        + packed(MEDIA, media)
        + counts.count(texts)
        + _count_tools(body.get("tools") or (), counts, tools)
    )


def _count_tools(sent: Sequence[Mapping[str, Any]], counts: TextCounts, tools: PreparedTools | None) -> int:
    def count() -> int:
        texts = (wire.dumps_text(tool.get("function", tool)) for tool in sent)
        return packed(FIXED, TOOL_TOKENS * len(sent)) + counts.count(texts)

    if tools is None or len(tools.encoded) != len(sent):
        return count()
    return counts.known(tools.written, count)


def _add_texts(message: Mapping[str, Any], texts: list[str]) -> None:
    """Add the texts of a message apart from its content: tool calls, reasoning, refusal, name."""
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        texts.append(str(function.get("name", "")))
        texts.append(str(function.get("arguments", "")))
    if not _NOT_TEXT.issuperset(message):
        for key, value in message.items():
            if key not in _NOT_TEXT:
                texts.extend(_strings(value))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _OPAQUE:
                yield from _strings(item)


def _count_part(part: Any, texts: list[str]) -> int:
    """The tokens of a media part; the texts of any other part are added to `texts`."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("image_url", "input_image"):
        image = part.get("image_url")
        return _count_image(image.get("url") if isinstance(image, dict) else image)
    if kind in ("file", "input_file"):
        data = (part.get("file") or part).get("file_data")
        size = len(data) * 3 // 4 if isinstance(data, str) else 0
        return max(size // _PDF_BYTES_PER_TOKEN, _PDF_MIN_TOKENS)
    if kind == "input_audio":
        data = (part.get("input_audio") or {}).get("data")
        return len(data) * 3 // 4 // _AUDIO_BYTES_PER_TOKEN if isinstance(data, str) else 0
    texts.extend(_strings(part))
    return 0


def _count_image(url: Any) -> int:
    """Anthropic's rule, width times height over 750, for images whose size is in the data URI."""
    if not isinstance(url, str) or not url.startswith("data:"):
        return UNKNOWN_IMAGE_TOKENS
    image = read_base64_image(url[url.find(",") + 1 :])
    if image is None:
        return UNKNOWN_IMAGE_TOKENS
    return min(math.ceil(image.width * image.height / _PIXELS_PER_IMAGE_TOKEN), MAX_IMAGE_TOKENS)
