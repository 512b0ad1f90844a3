"""The text of PDFs, for models whose provider takes no PDFs.

A conversation repeats its documents with every request, and the same document must give the same text each
time, or the provider's prompt cache misses. So texts are kept for a while, in memory only.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import threading
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from claude_code_proxy.core.bounded_map import BoundedMap
from claude_code_proxy.core.request.media import PdfText
from claude_code_proxy.server.offload import TooSlowError, on_the_loop

PACKAGE = "pypdf"
MAX_CHARACTERS = 1_000_000
"""Of one document: about 250,000 tokens, more than most models read."""
_MOST_KEPT = 32
_MAX_PAGE = 1 << 20  # bytes of instructions: about a second of reading
_AT_ONCE = threading.BoundedSemaphore(2)  # reading is all processor time, and streams run beside it


class _LateError(Exception):
    """The time for one document is over, or a page would take too long."""


def pdf_texts(pages: int, seconds: float) -> PdfTexts | None:
    """The reader of one server, or None where the extra `[pdf]` is not installed."""
    return PdfTexts(pages, seconds) if find_spec(PACKAGE) is not None else None


class PdfTexts:
    """Reads at most `pages` of a document within `seconds`, in a thread: it takes its time."""

    def __init__(self, pages: int, seconds: float) -> None:
        self._pages = pages
        self._seconds = seconds
        self._known: BoundedMap[bytes, PdfText] = BoundedMap(_MOST_KEPT)

    def __call__(self, data: str) -> PdfText:
        """The text of the PDF with base64 `data`. Raises `TooSlowError` on the loop for an unknown one."""
        key = hashlib.sha256(data.encode("utf-8", "replace")).digest()
        found = self._known.get(key)
        if found is None:
            if on_the_loop():
                raise TooSlowError
            with _AT_ONCE:
                found = self._known[key] = self._read(data)
        return found

    def _read(self, data: str) -> PdfText:
        deadline = time.monotonic() + self._seconds
        texts: list[str] = []
        count = 0
        try:
            package = import_module(PACKAGE)  # at the first document: loading it takes 0.2 s
            document = package.PdfReader(io.BytesIO(binascii.a2b_base64(data)))
            count = len(document.pages)
            for page in document.pages[: self._pages]:
                texts.append(_text(page, deadline))
                if sum(map(len, texts)) > MAX_CHARACTERS:
                    break
        except _LateError:
            if not texts:
                return PdfText("", f"reading it would take more than {self._seconds:g} s")
        except Exception as error:
            if not texts:
                return PdfText("", f"it cannot be read ({type(error).__name__})")
        return _joined(texts, count)


def _text(page: Any, deadline: float) -> str:
    """The text of one page. Raises `_LateError`, which the package would not do by itself."""

    def check(*_: Any) -> None:
        if time.monotonic() > deadline:
            raise _LateError

    check()
    contents = page.get_contents()
    if contents is not None and len(contents.get_data()) > _MAX_PAGE:
        raise _LateError  # its instructions are read in one go, which nothing can end
    text: str = page.extract_text(visitor_operand_before=check)
    return text.strip()


def _joined(texts: list[str], count: int) -> PdfText:
    """The pages as one text, and what is missing of the document."""
    body = "\n\n".join(
        f"[page {number}]\n{text or '[no text on this page]'}" for number, text in enumerate(texts, 1)
    )
    missing = []
    if len(texts) < count:
        missing.append(f"pages {len(texts) + 1} to {count} are left out")
    if blank := sum(not text for text in texts):
        missing.append(f"{blank} of its pages have no text (scans or drawings)")
    if len(body) > MAX_CHARACTERS:
        body = body[:MAX_CHARACTERS]
        missing.append(f"it is cut after {MAX_CHARACTERS} characters")
    if not any(texts):
        return PdfText("", "it has no text, only scans or drawings")
    return PdfText(body, "; ".join([*missing, "its images are left out"]))
