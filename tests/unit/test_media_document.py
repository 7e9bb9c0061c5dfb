"""Documents that are damaged, hostile, or no documents."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image

from processors.media.document import extract_text
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError
from tests.support.documents import locked_pdf, make_docx, make_package, make_pdf, read, word
from tests.support.media import FakeParent


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def packed(method: int, place: int) -> bytes:
    """A Word document whose main part is compressed by this method, with changed bytes at this place."""
    data = bytearray(make_docx(method=method))
    begin = data.index(b"word/document.xml") + place
    data[begin : begin + 20] = b"\xff" * 20
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(zipfile.ZIP_BZIP2, 27), id="bzip2"),
        pytest.param(packed(zipfile.ZIP_LZMA, 43), id="LZMA"),
        pytest.param(packed(zipfile.ZIP_DEFLATED, 27), id="deflate"),
        pytest.param(make_pdf("a").replace(b"FlateDecode", b"FlatXDecode"), id="a PDF's filter"),
    ],
)
def test_damage_is_refused_for_good(data: bytes) -> None:
    """Whatever error a library raises."""
    with pytest.raises(RefusedError, match=r"the document is damaged: \w"):
        read(data)


def padded(pdf: bytes, more: int) -> bytes:
    """The PDF with this many bytes more before its cross-reference table."""
    place = pdf.index(b"xref\n0")
    return pdf[:place] + b"%" * more + pdf[place:].replace(b"\n%d\n" % place, b"\n%d\n" % (place + more))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "most"),
    [
        pytest.param(b"a" * (50 * MEBIBYTE), 49, id="text"),
        pytest.param(padded(make_pdf("a"), 49 * MEBIBYTE), 80 + 3 * 50, id="PDF"),
        pytest.param(make_docx(image=bytes(60 * MEBIBYTE)), 61, id="DOCX"),
        pytest.param(make_docx(xml=word(f"<!--{'a' * 6 * MEBIBYTE}-->")), 60 + 12 * 7, id="DOCX of much XML"),
    ],
)
def test_memory_is_reserved_for_what_is_read(data: bytes, most: int) -> None:
    """For text as much as is wanted of it; for a DOCX by its parts that are read, without images (`most` in MiB)."""
    Path("source").write_bytes(data)
    parent = FakeParent()

    extract_text.run({"maxCharacters": 10_000, "maxPages": 5, "maxUnpacked": 8 * MEBIBYTE, "hint": None}, parent)

    assert (most - 12) * MEBIBYTE < parent.reserved[0] <= most * MEBIBYTE


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"# About PDFs\nA file begins with %PDF-1.7\n", "text", id="text about it"),
        pytest.param(b"\xef\xbb\xbf\r\n" + make_pdf("a"), "pdf", id="behind blanks"),
        pytest.param(bytes(range(200)) + make_pdf("a"), "pdf", id="behind bytes"),
        pytest.param(b"X-Mailer: a\r\n\r\n" + make_pdf("a") + bytes(9), "pdf", id="behind a mail's head"),
    ],
)
def test_a_pdf_is_not_confused_with_text_about_one(data: bytes, kind: str) -> None:
    """Readers allow bytes before a PDF's header, but not in text."""
    assert kind == read(data)[1]["kind"]


def image() -> bytes:
    """A PNG."""
    file = io.BytesIO()
    Image.new("RGB", (20, 20)).save(file, "PNG")
    return file.getvalue()


def entities(body: str) -> bytes:
    """A main part with its own document type."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    content = f'<w:document xmlns:w="{namespace}"><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>'
    return f"<?xml version='1.0'?><!DOCTYPE w [{body}]>{content}".encode()


def shifted_zip() -> bytes:
    """A document whose directory claims an offset of 100,000 bytes, which puts its parts before the file's begin."""
    data = make_docx()
    place = int.from_bytes(data[-6:-2], "little") + 100_000
    return data[:-6] + place.to_bytes(4, "little") + data[-2:]


def lying_zip() -> bytes:
    """A document whose directory says that its large main part is small."""
    data = bytearray(make_docx(xml=bytes(20 * MEBIBYTE)))
    place = data.rindex(b"word/document.xml") - 46
    assert struct.unpack_from("<I", data, place + 24) == (20 * MEBIBYTE,)
    struct.pack_into("<I", data, place + 24, 10)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (
            bytes(range(256)) * 4,
            r"not a document of a known kind; supported are PDF, Word \(DOCX\), plain text and Markdown",
        ),
        (image(), "not a document of a known kind"),
        (b"PK\x03\x04nonsense", "damaged"),
        (make_docx()[:3000], "damaged"),
        (make_pdf("a")[:150], "damaged"),
        (b"%PDF-1.4\n" + bytes(500), "damaged"),
        (locked_pdf("hunter2"), "protected by a password"),
        (make_pdf("a", kids="2 0 R"), "damaged"),
        (make_docx(xml=bytes(20 * MEBIBYTE)), "unpacks to more than 8 MiB"),
        (
            make_package({"word/document.xml": word(""), "a.xml": bytes(20 * MEBIBYTE)}, ("header", "/a.xml")),
            "unpacks to more than 8 MiB",
        ),
        (shifted_zip(), "damaged"),
        (lying_zip(), "damaged|unpacks to more than 8 MiB"),
        (
            make_package({"a.xml": b"", "_rels/a.xml.rels": bytes(5 * MEBIBYTE)}, main="a.xml"),
            "damaged: _rels/a.xml.rels unp",
        ),
        (make_docx(xml=b"<a>"), "damaged"),
    ],
)
def test_bad_documents_are_refused(data: bytes, reason: str) -> None:
    """Each with a clear reason."""
    with pytest.raises(RefusedError, match=reason):
        read(data)


@pytest.mark.slow
def test_a_pdf_bomb() -> None:
    """A page that unpacks to more than the library allows is refused."""
    bomb = zlib.compress(bytes(80 * MEBIBYTE), 1)
    with pytest.raises(RefusedError, match="damaged"):
        read(make_pdf("a", stream=bomb))


def test_entities_are_not_followed() -> None:
    """Neither an entity bomb nor a file of this machine gets into the text."""
    Path("secret").write_text("hunter2")
    nested = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    for body in (f'<!ENTITY x SYSTEM "file://{Path.cwd()}/secret">', f'<!ENTITY e0 "ha">{nested}<!ENTITY x "&e11;">'):
        try:
            text, _ = read(make_docx(xml=entities(body)))
        except RefusedError as error:
            text = str(error)
        assert "hunter2" not in text
        assert len(text) < 1000
