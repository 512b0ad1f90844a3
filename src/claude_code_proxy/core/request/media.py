"""Images and documents: their sources, what the profile lets through, and what stands there otherwise."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

from claude_code_proxy.core.conversation import CacheMark, File, Image, Part, Text
from claude_code_proxy.core.errors.api import invalid_request
from claude_code_proxy.core.images import media_type, read_base64_image
from claude_code_proxy.core.providers.profile import Profile
from claude_code_proxy.core.report import Report
from claude_code_proxy.core.request.fields import kind_of, required_text, text_or_empty
from claude_code_proxy.core.wire import objects_in

NO_VISION = "[image omitted: the model does not accept images]"
NO_RESULT_IMAGES = "[image omitted: the provider does not accept images in tool results]"
_WHITESPACE = ("\n", "\r", " ", "\t")


class PdfText(NamedTuple):
    """The text of a PDF, and in words what of the document is not in it; "" for a PDF without a text."""

    text: str
    left_out: str


class Media:
    """Turns the sources of image and document blocks into parts.

    What the upstream cannot take is an error where a person just attached it (`attached`), and a
    placeholder text everywhere else: an error for something in the history, or for what a tool fetched,
    would come back with every further request and end the conversation.

    `pdf_text` extracts the text of a PDF from its base64 data, for profiles with `pdf="text"`; None where
    the server cannot.
    """

    def __init__(self, profile: Profile, report: Report, pdf_text: Callable[[str], PdfText] | None) -> None:
        self._profile = profile
        self._report = report
        self._pdf_text = pdf_text
        self.attached = False
        limits = profile.images_max, profile.image_max_bytes, profile.image_max_side
        self._limits_images = limits != (None, None, None)
        self._too_many = 0  # images that still come and are more than the model takes

    def expect(self, messages: Any) -> None:
        """Look at the `messages` whose images will come: of too many the oldest are left out."""
        if self._profile.images_max is not None:
            count = sum(_count_images(message.get("content")) for message in messages)
            self._too_many = max(0, count - self._profile.images_max)

    def image(self, block: dict[str, Any], path: str, cached: CacheMark) -> Part:
        """The part for an `image` block."""
        source = _source(block, path)
        if not self._profile.vision:
            self._report.dropped("image_omitted", path, "the model does not accept images")
            return Text(NO_VISION, cached)
        if self._limits_images and (why := self._beyond(source)):
            self._report.dropped("image_omitted", path, why)
            return Text(f"[image omitted: {why}]", cached)
        match source.get("type"):
            case "base64":
                return Image(self._data_url(source, path), cached)
            case "url":
                return Image(required_text(source, "url", f"{path}.source"), cached)
            case other:
                return self._omitted("image", path, cached, f"an image source of type {str(other)[:40]}")

    def _beyond(self, source: dict[str, Any]) -> str:
        """Why the model does not take the image, for its size or its number; "" where it does."""
        profile, data = self._profile, text_or_empty(source, "data")
        if self._too_many:
            self._too_many -= 1
            return f"the model takes {profile.images_max} images of a conversation, and newer ones are there"
        if profile.image_max_bytes is not None and len(data) > profile.image_max_bytes:
            return f"it has {len(data)} bytes in base64, and the model takes {profile.image_max_bytes}"
        if profile.image_max_side is not None and (found := read_base64_image(data)) is not None:
            side = max(found.width, found.height)
            if side > profile.image_max_side:
                return f"its longer side has {side} pixels, and the model takes {profile.image_max_side}"
        return ""

    def pdf(self, block: dict[str, Any], path: str, cached: CacheMark) -> Part | str:
        """The part for a `document` block with a PDF; a `str` is its text, still to be framed."""
        source = _source(block, path)
        kind = source.get("type")
        if kind == "url" and self._profile.pdf == "file_part" and self._profile.api == "responses":
            return File(_filename(block), required_text(source, "url", f"{path}.source"), cached)
        if kind != "base64":
            return self._omitted("document", path, cached, f"a document source of type {str(kind)[:40]}")
        label = text_or_empty(source, "media_type") or "application/pdf"
        data = _base64(source, path)
        match self._profile.pdf:
            case "file_part":
                return File(_filename(block), f"data:{label};base64,{data}", cached)
            case "text":
                if self._pdf_text is None:
                    return self._omitted("document", path, cached, "a PDF")
                found = self._pdf_text(data)
                if not found.text:
                    return self._omitted("document", path, cached, f"a PDF, and {found.left_out}")
                self._report.changed(
                    "document_as_text", path, f"the text of the PDF is sent; {found.left_out}"
                )
                return found.text
            case _:
                return self._omitted("document", path, cached, "a PDF")

    def _omitted(self, noun: str, path: str, cached: CacheMark, what: str) -> Part:
        if self.attached:
            raise invalid_request(
                f"{path}: this model's provider does not accept {what}; attach it as text or as another kind"
            )
        self._report.dropped(f"{noun}_omitted", path, f"the provider does not accept {what}")
        return Text(f"[{noun} omitted: the provider does not accept {what}]", cached)

    def _data_url(self, source: dict[str, Any], path: str) -> str:
        data = _base64(source, path)
        declared = text_or_empty(source, "media_type")
        found = image_type(data)
        if found is None and not declared:
            raise invalid_request(f"{path}.source.media_type: required, such as image/png")
        # Claude clients label images by file name; OpenAI and Gemini refuse a label that is wrong.
        if found is not None and found != declared:
            self._report.changed("image_media_type", path, f"labelled {declared or 'nothing'}, is {found}")
        return f"data:{found or declared};base64,{data}"


def image_type(data: str) -> str | None:
    """The media type that base64 `data` shows; a label may be wrong."""
    try:
        return media_type(binascii.a2b_base64(data[:16].encode()))
    except ValueError:
        return None


def _count_images(content: Any) -> int:
    """The images of a message, those in tool results too."""
    found = 0
    for block in objects_in(content):
        found += block.get("type") == "image"
        found += _count_images(block.get("content")) if block.get("type") == "tool_result" else 0
    return found


def _filename(block: dict[str, Any]) -> str:
    return text_or_empty(block, "title") or "document.pdf"


def _source(block: dict[str, Any], path: str) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict):
        raise invalid_request(f"{path}.source: must be an object, found {kind_of(source)}")
    return source


def _base64(source: dict[str, Any], path: str) -> str:
    data = required_text(source, "data", f"{path}.source")
    return "".join(data.split()) if any(blank in data for blank in _WHITESPACE) else data
