"""What must survive a round trip through the client, because the proxy itself remembers nothing.

Claude Code replays thinking signatures and tool ids byte for byte, even very long ones, and even from a new
process. So the state that a provider wants back travels there:

- reasoning state is sealed into the `signature` of a thinking block: `px1.` + base64url(JSON);
- a provider's tool id that the client would refuse (illegal characters, used before in the conversation)
  or that has state of its own (Gemini's thought signature) is sealed into the id that the client gets:
  `px1_` + base64url(JSON).

A seal is data from the client: foreign, broken or oversized seals are ignored, never fatal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from claude_code_proxy.core import wire
from claude_code_proxy.core.providers.profile import NameStart, Profile

SIGNATURE_PREFIX = "px1."
TOOL_ID_PREFIX = "px1_"
MAX_SEAL = 1 << 20
"""Largest seal that is opened, in characters."""

_VALID_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+\Z")  # the pattern of Anthropic's own API
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")  # in tool ids and names alike
_STARTS: Mapping[NameStart, re.Pattern[str]] = {
    "any": re.compile(""),
    "letter": re.compile(r"[a-zA-Z]"),
    "letter_or_underscore": re.compile(r"[a-zA-Z_]"),
}
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MAX_OPENAI_ID = 64
_MAX_OPENAI_NAME = 64


class SealedReasoning(NamedTuple):
    """The content of one of our signatures: who made it, and what that provider wants back."""

    profile: str
    model: str
    kind: str
    items: list[Any]


class ToolId(Struct, frozen=True):
    """A tool id as its provider knows it. `profile` is "" when the id was not sealed by us.

    `extra` is state of the provider's `model`, the client's name for it, and goes back to no other.
    """

    id: str
    profile: str = ""
    extra: Any = None
    model: str = ""


def seal_reasoning(profile: str, model: str, kind: str, items: list[Any]) -> str:
    """The signature for a thinking block; `kind` "none" when there is nothing to give back."""
    content: dict[str, Any] = {"p": profile, "m": model, "k": kind}
    if items:
        content["d"] = items
    return SIGNATURE_PREFIX + wire.to_base64url(content)


def merge_details(items: list[Any]) -> list[Any]:
    """Streamed `reasoning_details` as the whole objects they are pieces of.

    Pieces of one item follow each other with the same `type` and `index`; text grows, other keys keep their
    last value that is not null (OpenRouter sends Claude's signature in a last piece without text).
    """
    merged: list[Any] = []
    for item in items:
        last = merged[-1] if merged else None
        if not (isinstance(item, dict) and isinstance(last, dict) and _same_detail(last, item)):
            merged.append(dict(item) if isinstance(item, dict) else item)
            continue
        for key, value in item.items():
            if key in ("text", "summary") and isinstance(value, str) and isinstance(last.get(key), str):
                last[key] += value
            elif value is not None or key not in last:
                last[key] = value
    return merged


def _same_detail(last: dict[str, Any], item: dict[str, Any]) -> bool:
    if item.get("type") not in ("reasoning.text", "reasoning.summary") or last.get("signature"):
        return False  # encrypted items come whole; a signature ends its item
    return all(last.get(key) == item.get(key) for key in ("type", "index"))


def open_reasoning(signature: str) -> SealedReasoning | None:
    """The content of a signature of ours, else None (also for `data` of redacted thinking)."""
    content = _decode(signature, SIGNATURE_PREFIX)
    if not isinstance(content, dict):
        return None
    profile, model, kind = content.get("p"), content.get("m"), content.get("k")
    items = content.get("d", [])
    if not (isinstance(profile, str) and isinstance(model, str) and isinstance(kind, str)):
        return None
    return SealedReasoning(profile, model, kind, items) if isinstance(items, list) else None


def client_tool_id(tool_id: ToolId, used: Container[str]) -> str:
    """The id for the client: the provider's own where that is valid, unused and without state.

    `used` are the ids of the conversation so far. `tool_id.id` may be anything but empty.
    """
    raw = tool_id.id
    plain = tool_id.extra is None and not raw.startswith(TOOL_ID_PREFIX) and _VALID_TOOL_ID.match(raw)
    if plain and raw not in used:
        return raw
    content: list[Any] = [tool_id.profile, raw, tool_id.extra]
    if tool_id.extra is not None:
        content.append(tool_id.model)
    sealed = TOOL_ID_PREFIX + wire.to_base64url(content)
    occurrence = 1
    while sealed in used:
        occurrence += 1
        sealed = TOOL_ID_PREFIX + wire.to_base64url([*content, occurrence])
    return sealed


def open_tool_id(client_id: str) -> ToolId:
    """The provider's id behind an id from the client; an id that is not ours comes back as it is."""
    if not client_id.startswith(TOOL_ID_PREFIX):
        return ToolId(client_id)
    match _decode(client_id, TOOL_ID_PREFIX):
        case [str(profile), str(raw), extra, *rest] if raw:
            model = rest[0] if rest and isinstance(rest[0], str) else ""
            return ToolId(raw, profile, extra, model)
        case _:
            return ToolId(client_id)


def upstream_tool_id(tool_id: ToolId, profile: Profile) -> str:
    """The id that goes upstream: raw for the provider that made it, else within the profile's rule."""
    raw = tool_id.id
    if profile.tool_id == "raw" or (tool_id.profile and tool_id.profile == profile.name):
        return raw
    if profile.tool_id == "alnum9":
        if len(raw) == 9 and raw.isascii() and raw.isalnum():
            return raw
        return base62(raw, 9)
    safe = raw if _VALID_TOOL_ID.match(raw) else _ILLEGAL.sub("_", raw)
    if len(safe) <= _MAX_OPENAI_ID:
        return safe
    return f"{safe[:40]}_{hashlib.sha256(raw.encode('utf-8', 'replace')).hexdigest()[:20]}"


def base62(seed: str, length: int) -> str:
    """`length` letters and digits that depend on `seed` alone."""
    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "replace")).digest())
    letters: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        letters.append(_BASE62[digit])
    return "".join(letters)


class ToolNames:
    """Tool names as the upstream accepts them (64 of `[a-zA-Z0-9_-]`), and the way back.

    `start` is what they may begin with (`Profile.tool_name_start`). The mapping depends on the set of names
    only, so that a conversation keeps its upstream bytes.
    """

    def __init__(self, names: Iterable[str], start: NameStart = "any") -> None:
        self.restore: dict[str, str] = {}
        """Upstream name to client name."""
        self._upstream: dict[str, str] = {}
        self._start = _STARTS[start]
        by_short: dict[str, list[str]] = {}
        for name in dict.fromkeys(names):
            by_short.setdefault(self._short(name), []).append(name)
        for short, clients in by_short.items():
            for name in clients:
                upstream = short if len(clients) == 1 else self._hashed(name)
                self.restore[upstream] = name
                self._upstream[name] = upstream

    def upstream(self, name: str) -> str:
        """The upstream's name; also for a name that only occurs in the history."""
        return self._upstream.get(name) or self._short(name)

    def _short(self, name: str) -> str:
        safe = self._safe(name)
        return safe if len(safe) <= _MAX_OPENAI_NAME else self._hashed(name)

    def _hashed(self, name: str) -> str:
        digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
        return f"{self._safe(name)[:55]}_{digest}"

    def _safe(self, name: str) -> str:
        safe = _ILLEGAL.sub("_", name)
        return safe if self._start.match(safe) else f"t_{safe}"


def _decode(seal: str, prefix: str) -> Any:
    if not seal.startswith(prefix) or len(seal) > MAX_SEAL:
        return None
    try:
        return wire.from_base64url(seal[len(prefix) :])
    except ValueError:
        return None


def seal_page(text: str) -> str:
    """The text of a page that was found, as the `encrypted_content` that the client sends back."""
    return wire.to_base64url({"text": text}) if text else ""


def page_text(encrypted_content: Any) -> str:
    """The text in what `seal_page` wrote; "" for anything else."""
    try:
        return str(wire.from_base64url(encrypted_content)["text"])
    except (ValueError, TypeError, LookupError):
        return ""
