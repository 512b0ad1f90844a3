"""PDFs as text: real ones, written here, and ones that try to be a burden."""

from __future__ import annotations

import asyncio
import base64
import zlib
from typing import Any

import pytest

from claude_code_proxy.server.memory import pdf_texts
from claude_code_proxy.server.memory.pdf_texts import PdfTexts
from claude_code_proxy.server.offload import TooSlowError
from tests.server.byte_upstream import Connection, Request, running_upstream, say_hello
from tests.server.harness import BODY, ask, model, running_proxy


def pdf(*pages: str | bytes) -> str:
    """A PDF in base64 with these pages: lines of text, or a content stream."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for page in pages:
        drawn = page if isinstance(page, bytes) else b"BT /F1 12 Tf 72 720 Td (%b) Tj ET" % page.encode()
        packed = zlib.compress(drawn, 9)
        number = len(objects) + 1
        kids.append(b"%d 0 R" % number)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
            % (number + 1)
        )
        objects.append(
            b"<< /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream" % (len(packed), packed)
        )
    objects[1] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(kids), len(kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, out.rindex(b"xref"))
    return base64.b64encode(out).decode()


def test_the_text_of_every_page() -> None:
    found = PdfTexts(10, 10)(pdf("Hello", "World"))
    assert found.text == "[page 1]\nHello\n\n[page 2]\nWorld"
    assert found.left_out == "its images are left out"


def test_pages_beyond_the_limit_and_blank_ones_are_said() -> None:
    found = PdfTexts(2, 10)(pdf("Hello", b"0 0 m", "World"))
    assert found.text == "[page 1]\nHello\n\n[page 2]\n[no text on this page]"
    assert "pages 3 to 3 are left out" in found.left_out
    assert "1 of its pages have no text" in found.left_out


def test_a_document_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, data = PdfTexts(10, 10), pdf("Hello")
    first = texts(data)
    monkeypatch.setattr(texts, "_read", None)
    assert texts(data) is first


async def test_none_is_read_on_the_loop() -> None:
    texts, data = PdfTexts(10, 10), pdf("Hello")
    with pytest.raises(TooSlowError):
        texts(data)
    found = await asyncio.to_thread(texts, data)
    assert texts(data) is found


def test_a_long_document_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_texts, "MAX_CHARACTERS", 20)
    found = PdfTexts(10, 10)(pdf("Hello " * 5, "World"))
    assert len(found.text) == 20
    assert "cut after 20 characters" in found.left_out


LOOP = b"BT /F1 12 Tf " + b"(x) Tj " * 4_000_000 + b"ET"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (base64.b64encode(b"not a PDF").decode(), "cannot be read"),
        ("!", "cannot be read"),
        (pdf("Hello")[:400], "cannot be read"),
        (pdf(b"0 0 m"), "only scans or drawings"),
        (pdf(LOOP), "would take more than 0.5 s"),
        (pdf(bytes(200 << 20)), ""),
        (pdf(b"BT /F1 12 Tf " + b"(x) Tj " * 140_000 + b"ET"), "would take more than 0.5 s"),
    ],
    ids=[
        "text",
        "no base64",
        "cut off",
        "scan",
        "a page without end",
        "a page that unpacks to 200 MB",
        "a slow page",
    ],
)
def test_what_cannot_be_read_ends_in_a_reason(data: str, reason: str) -> None:
    found = PdfTexts(10, 0.5)(data)
    assert found.text == ""
    assert reason in found.left_out


async def test_a_model_without_pdfs_gets_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": pdf("Hello from a PDF")}
    document: dict[str, Any] = {"type": "document", "source": source, "title": "a.pdf"}
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [document]}]}
    for messages in ([{"role": "user", "content": [document]}], [BODY["messages"][0], call, result]):
        async with running_upstream(say_hello) as upstream, running_proxy([model(upstream.base)]) as proxy:
            reply = await ask(proxy, {**BODY, "messages": messages}, headers={"x-proxy-report": "1"})
            assert reply.status == 200
            assert "document_as_text" in reply.headers["x-proxy-notices"]
        sent = upstream.requests[0].json["messages"][-1]["content"]
        assert sent == '<document title="a.pdf">\n[page 1]\nHello from a PDF\n</document>'


async def test_without_the_extra_the_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_texts, "PACKAGE", "not_installed_here")
    source = {"type": "base64", "media_type": "application/pdf", "data": pdf("Hello")}

    async def never(request: Request, connection: Connection) -> None:
        raise AssertionError("nothing is sent")

    async with running_upstream(never) as upstream, running_proxy([model(upstream.base)]) as proxy:
        content = [{"type": "document", "source": source}]
        reply = await ask(proxy, {**BODY, "messages": [{"role": "user", "content": content}]})
    assert reply.status == 400
    assert "does not accept a PDF" in reply.json["error"]["message"]
