"""Images that an upstream refuses for their size or their number, and the limit that it names.

Wordings of Anthropic, OpenAI, Google, Qwen and vLLM, and what is common to others: a number beside the
limit's unit. Of several the smallest is the limit, since what was sent is larger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.wire import objects_in

_ABOUT = re.compile(r"\b(?:images?|pictures?|photos?)\b", re.IGNORECASE)
_BEYOND = re.compile(
    r"exceed|too (?:large|big|many)|larger|greater|at most|no more than|less than|maximum|\bmax\b|limit|up to"
    r"|not support more|bigger|smaller than|below",
    re.IGNORECASE,
)
_COUNTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bimage=(\d{1,4})\b",  # vLLM: "You set image=1 ... in --limit-mm-per-prompt"
        r"\d{1,4} ?(?:images? )?> ?(\d{1,4})\b(?! ?(?:bytes|[kmg]i?b|px|pixels))",
        r"(?:at most|more than|up to|max(?:imum)?|limit(?:ed)?)(?: of| is| to|:)? (\d{1,4}) images?\b",
        r"too many images\D{1,60}(\d{1,4})\b",
        r"(?:number of|count of) images\D{1,60}(\d{1,4})\b",
        r"images? (?:count|number)\D{1,60}(\d{1,4})\b",
    )
)
_SIZE = re.compile(r"(\d{1,12}(?:[.,]\d{1,12})?) ?(bytes|[km]i?b)\b", re.IGNORECASE)
_UNITS = {"bytes": 1, "kb": 1000, "kib": 1024, "mb": 1_000_000, "mib": 1 << 20}
_SIDES = re.compile(r"\b(\d{2,5}) ?[x\u00d7*] ?(\d{2,5})\b|\b(\d{2,5}) ?(?:px|pixels)\b", re.IGNORECASE)
_LEAST_BYTES = 1000
_LEAST_SIDE = 64


def image_lesson(message: str, profile: Profile, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The limit of images that a refusal names, as a profile field; {} where it says none that is new."""
    if not _ABOUT.search(message) or not _BEYOND.search(message) or not any(_images(sent)):
        return {}
    found = (
        ("image_max_bytes", _smallest_size(message), _LEAST_BYTES),
        ("image_max_side", _smallest_side(message), _LEAST_SIDE),
        ("images_max", _count(message), 1),
    )
    for field, limit, least in found:
        known = getattr(profile, field)
        if limit is not None and limit >= least and (known is None or limit < known):
            return {field: limit}
    return {}


def _smallest_size(message: str) -> int | None:
    sizes = [
        float(number.replace(",", ".")) * _UNITS[unit.lower()] for number, unit in _SIZE.findall(message)
    ]
    return int(min(sizes)) if sizes else None


def _smallest_side(message: str) -> int | None:
    sides = [max(int(side) for side in found if side) for found in _SIDES.findall(message)]
    return min(sides) if sides else None


def _count(message: str) -> int | None:
    for pattern in _COUNTS:
        if found := pattern.search(message):
            return int(found[1])
    return None


def _images(sent: Mapping[str, Any]) -> Iterator[bool]:
    """One item for each image of an upstream body."""
    for message in sent.get("messages") or sent.get("input") or ():
        for part in objects_in(message.get("content") or message.get("output")):
            if part.get("type") in ("image_url", "input_image"):
                yield True
