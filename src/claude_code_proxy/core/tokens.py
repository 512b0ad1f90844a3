"""How many tokens the body of a request is, without a tokenizer.

The estimate counts word starts, letters, digit groups, punctuation and scripts and weighs them; the weights
are a least-squares fit to the `o200k_base` tokenizer over prose, code, JSON schemas and twenty languages.
`Calibration` then learns each model's own tokenizer and prompt template from the usage it reports.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from claude_code_proxy.core import wire
from claude_code_proxy.core.images import read_base64_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from claude_code_proxy.core.conversation import PreparedTools

MESSAGE_TOKENS = 4
PRIMING_TOKENS = 3
TOOL_TOKENS = 10
MAX_IMAGE_TOKENS = 1600
UNKNOWN_IMAGE_TOKENS = 1500
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
# Opaque state inside `reasoning_details`: base64, and not what the model reads as text.
_OPAQUE = frozenset({"data", "signature", "id", "type", "format", "index"})


def _class_table() -> bytes:
    """Every UTF-8 byte to a letter for its class; a character counts by its first byte."""
    table = bytearray(b"." * 256)
    for first, last, letter in (
        ("a", "z", "a"),
        ("A", "Z", "A"),
        ("0", "9", "0"),
        ("\t", "\t", " "),
        (" ", " ", " "),
        ("\n", "\r", "n"),
    ):
        for byte in range(ord(first), ord(last) + 1):
            table[byte] = ord(letter)
    for start, letter in (
        (0x80, "c"),  # continuation
        (0xC2, "l"),  # Latin with accents
        (0xC8, "d"),  # Greek, Cyrillic, Hebrew, Arabic
        (0xE0, "i"),  # Indic scripts, Thai
        (0xE2, "o"),  # typographic characters, arrows, box drawing
        (0xE3, "k"),  # kana, CJK punctuation
        (0xE4, "h"),  # Han
        (0xEA, "g"),  # Hangul
        (0xEE, "k"),  # full-width forms
        (0xF0, "e"),  # emoji
    ):
        table[start:] = letter.encode() * (256 - start)
    return bytes(table)


_CLASSES = _class_table()
# A second table for the bytes themselves: letters, and everything else.
_LETTERS = bytes(ord("a") if letter in b"aA" else ord(" ") for letter in _CLASSES)
_LOWER_CASE = 0.023
_WEIGHTS = {
    b"A": 0.077,
    b"0": 0.8,  # with the pair: 0.2 per digit, 0.6 per group
    b".": 0.66,
    b"n": 0.74,
}
_PAIR_WEIGHTS = {
    b"aA": 1.4,  # a word inside a camelCase name; higher would suit base64, and overcount code
    b"00": -0.6,
    b"..": -0.61,
    b" .": 0.41,
    b"nn": -0.74,
    b".n": 0.7,
}
_WORD_START = 0.907
_SCRIPT_WEIGHTS = {
    b"l": 0.68,
    b"d": 0.32,
    b"i": 0.42,
    b"o": 1.0,
    b"k": 0.64,
    b"h": 0.75,
    b"g": 0.72,
    b"e": 2.5,
}


def count_text(text: str) -> float:
    """The estimated tokens of `text`; fractions, so that sums do not drift."""
    raw = text.encode("utf-8", errors="replace")
    classes = raw.translate(_CLASSES)
    tokens = _WORD_START * (b" " + raw).translate(_LETTERS).count(b" a")
    tokens += sum(weight * classes.count(pair) for pair, weight in _PAIR_WEIGHTS.items())
    rest = classes.translate(None, b"a")  # a third of most texts: each further pass is shorter
    tokens += _LOWER_CASE * (len(classes) - len(rest))
    tokens += sum(weight * rest.count(one) for one, weight in _WEIGHTS.items())
    if len(raw) != len(text):
        tokens += sum(weight * rest.count(script) for script, weight in _SCRIPT_WEIGHTS.items())
    return max(tokens, 0.0)


class TextCounts:
    """The counts of texts seen before: a conversation repeats all but its last turn in every request.

    Keeps hashes and numbers, no text; bounded. Counting costs 15 ns per byte, looking up one. `count` counts
    one text; a real tokenizer can stand for the estimate.
    """

    MAX_TEXTS = 16_384
    """When there are more, all are forgotten: simple, and rare (about 2 MB)."""
    MIN_LENGTH = 256
    """Shorter texts are counted faster than looked up."""

    def __init__(self, count: Callable[[str], float] = count_text) -> None:
        self._count = count
        self._known: dict[int, float] = {}

    def known(self, what: bytes, count: Callable[[], float]) -> float:
        """The tokens of `what`, by `count` if they are not known."""
        key = hash(what)
        found = self._known.get(key)
        return self._keep(key, count()) if found is None else found

    def _keep(self, key: int, tokens: float) -> float:
        if len(self._known) >= self.MAX_TEXTS:
            self._known = {}
        self._known[key] = tokens
        return tokens

    def count(self, texts: Iterable[str]) -> float:
        """The estimated tokens of `texts`, one on a line."""
        tokens = 0.0
        short: list[str] = []
        for text in texts:
            if len(text) < self.MIN_LENGTH:
                short.append(text)
                continue
            key = hash(text)
            count = self._known.get(key)
            tokens += self._keep(key, self._count(text + "\n")) if count is None else count
        return tokens + self._count("\n".join(short))


def estimate(
    body: Mapping[str, Any], counts: TextCounts | None = None, tools: PreparedTools | None = None
) -> int:
    """The prompt tokens of a Chat Completions or Responses `body`: messages, tools and response schema.

    Base64 is never counted as text: images count by their pixels, PDFs by their size. `counts` remembers
    the texts of earlier requests; `tools`, where they are all of the body's tools, their own count.
    """
    counts = counts or TextCounts()
    texts: list[str] = []
    tokens = float(PRIMING_TOKENS)
    if instructions := body.get("instructions"):
        texts.append(str(instructions))
    for message in body.get("messages") or body.get("input") or ():
        tokens += MESSAGE_TOKENS
        texts.extend(_message_texts(message))
        content = message.get("content") or message.get("output")
        if isinstance(content, str):
            texts.append(content)
        elif isinstance(content, list):
            for part in content:
                tokens += _count_part(part, texts)
    tokens += _count_tools(body.get("tools") or (), counts, tools)
    form = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    if schema := form.get("json_schema") or form.get("schema"):
        texts.append(wire.dumps_text(schema))
    return math.ceil(tokens + counts.count(texts))


def _count_tools(sent: Sequence[Mapping[str, Any]], counts: TextCounts, tools: PreparedTools | None) -> float:
    def count() -> float:
        texts = (wire.dumps_text(tool.get("function", tool)) for tool in sent)
        return TOOL_TOKENS * len(sent) + counts.count(texts)

    if tools is None or len(tools.encoded) != len(sent):
        return count()
    return counts.known(tools.written, count)


def _message_texts(message: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a message apart from its content: tool calls, reasoning, refusal, name."""
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield str(function.get("name", ""))
        yield str(function.get("arguments", ""))
    for key, value in message.items():
        if key not in _NOT_TEXT:
            yield from _strings(value)


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


def _count_part(part: Any, texts: list[str]) -> float:
    """The tokens of a media part; the texts of any other part are added to `texts`."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("image_url", "input_image"):
        image = part.get("image_url")
        return _count_image(image.get("url") if isinstance(image, dict) else image)
    if kind in ("file", "input_file"):
        data = (part.get("file") or part).get("file_data")
        size = len(data) * 3 // 4 if isinstance(data, str) else 0
        return max(size / _PDF_BYTES_PER_TOKEN, _PDF_MIN_TOKENS)
    if kind == "input_audio":
        data = (part.get("input_audio") or {}).get("data")
        return len(data) * 3 / 4 / _AUDIO_BYTES_PER_TOKEN if isinstance(data, str) else 0.0
    texts.extend(_strings(part))
    return 0.0


def _count_image(url: Any) -> float:
    """Anthropic's rule, width times height over 750, for images whose size is in the data URI."""
    if not isinstance(url, str) or not url.startswith("data:"):
        return UNKNOWN_IMAGE_TOKENS
    image = read_base64_image(url[url.find(",") + 1 :])
    if image is None:
        return UNKNOWN_IMAGE_TOKENS
    return min(math.ceil(image.width * image.height / _PIXELS_PER_IMAGE_TOKEN), MAX_IMAGE_TOKENS)


class Calibration:
    """What models' own token counts were, relative to the estimate: a moving average for each model.

    Bounded: the models seen last are kept. Holds no time and no text.
    """

    MAX_MODELS = 512
    MIN_FACTOR = 0.7
    MAX_FACTOR = 1.6
    MIN_TOKENS = 200
    """Shorter prompts teach nothing: the fixed part of a prompt template outweighs the text."""
    NEW_SHARE = 0.5
    """The weight of the newest observation."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}

    def observe(self, model: str, estimated: int, actual: int) -> None:
        """Learn that `model` counted `actual` tokens where the uncalibrated estimate was `estimated`."""
        if estimated < self.MIN_TOKENS or actual <= 0:
            return
        seen = min(max(actual / estimated, self.MIN_FACTOR), self.MAX_FACTOR)
        known = self._factors.pop(model, seen)
        self._factors[model] = known + self.NEW_SHARE * (seen - known)
        if len(self._factors) > self.MAX_MODELS:
            del self._factors[next(iter(self._factors))]

    def knows(self, model: str) -> bool:
        """Whether `model` ever counted a prompt for us."""
        return model in self._factors

    def factor(self, model: str) -> float:
        """By how much to multiply an estimate for `model`; 1.0 while nothing is known."""
        return self._factors.get(model, 1.0)
