"""The text of documents, kind ones and hostile ones."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from PIL import Image
from pypdf import PdfReader, PdfWriter

from processors.media.document import task
from processors.media.sandbox.wire import RefusedError
from tests.support.documents import make_docx, make_pdf
from tests.support.media import FakeParent

MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def read(data: bytes, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The text of a document, and the report."""
    Path("source").write_bytes(data)
    arguments = {"maxCharacters": 10_000, "maxPages": 50, "maxUnpacked": 8 * MEBIBYTE, "hint": None, **changes}
    report = task.run(arguments, FakeParent())
    text = Path("text.txt").read_text(encoding="utf-8")
    assert (len(text), Path("text.txt").stat().st_size) == (report["characters"], report["bytes"])
    return text, report


def locked_pdf(password: str) -> bytes:
    """A PDF that opens with a password."""
    writer = PdfWriter(PdfReader(io.BytesIO(make_pdf("Secret plans"))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def test_a_pdf() -> None:
    """The text of all pages, in their order."""
    text, report = read(make_pdf("Hello Ada", "Hello Grace"))

    assert text == "Hello Ada\nHello Grace\n"
    assert {"kind": "pdf", "pages": 2, "truncated": False}.items() <= report.items()


def test_a_pdf_of_many_pages_is_cut() -> None:
    """No more pages are read than are wanted, and the report says so."""
    text, report = read(make_pdf(*"abcde"), maxPages=2)

    assert (text, report["pages"], report["truncated"]) == ("a\nb\n", 2, True)


def test_a_pdf_without_a_password_of_its_own() -> None:
    """A PDF that everybody can open is read, whatever it forbids."""
    assert read(locked_pdf(""))[0] == "Secret plans\n"


def test_a_word_document() -> None:
    """Paragraphs and tables come in their order."""
    text, report = read(make_docx())

    assert text == "Dear Ada,\nleft\tright\nGrüße\n"
    assert {"kind": "docx", "pages": None, "truncated": False}.items() <= report.items()


WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"


def run_of(text: str) -> str:
    """A run of text, in Word's XML."""
    return f"<w:r><w:t>{text}</w:t></w:r>"


def word(body: str) -> bytes:
    """A main part with this body."""
    spaces = f'xmlns:w="{WORDS}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    return f'<?xml version="1.0"?><w:document {spaces}><w:body>{body}</w:body></w:document>'.encode()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(f"<w:sdt><w:sdtContent><w:p>{run_of('a')}</w:p></w:sdtContent></w:sdt>", "a\n", id="control"),
        pytest.param(f"<w:p>{run_of('a')}<w:ins>{run_of('b')}</w:ins></w:p>", "ab\n", id="inserted"),
        pytest.param(f"<w:ins><w:p>{run_of('a')}</w:p></w:ins>", "a\n", id="inserted paragraph"),
        pytest.param(
            f"<w:p>{run_of('a')}<w:del><w:r><w:delText>b</w:delText></w:r></w:del></w:p>", "a\n", id="deleted"
        ),
        pytest.param(
            f"<w:p><w:moveFrom>{run_of('a')}</w:moveFrom></w:p><w:p><w:moveTo>{run_of('a')}</w:moveTo></w:p>",
            "\na\n",
            id="moved",
        ),
        pytest.param(f"<w:p><w:hyperlink>{run_of('a')}</w:hyperlink></w:p>", "a\n", id="link"),
        pytest.param(
            "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/></w:r></w:p>",
            "a\tb\n",
            id="marks",
        ),
        pytest.param(
            f"<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='99999999'/></w:tcPr><w:p>{run_of('a')}</w:p></w:tc></w:tr>"
            f"<w:tr><w:tc><w:p>{run_of('b')}</w:p></w:tc><w:tc><w:p/><w:tbl><w:tr><w:tc><w:p>{run_of('c')}</w:p></w:tc>"
            f"<w:tc><w:p>{run_of('d')}</w:p></w:tc></w:tr></w:tbl><w:p/></w:tc></w:tr></w:tbl>",
            "a\nb\tc\td\n",
            id="tables",
        ),
        pytest.param(
            f"<w:p>{run_of('a')}<w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p>{run_of('b')}</w:p>"
            f"</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p>{run_of('b')}</w:p></w:txbxContent>"
            "</mc:Fallback></mc:AlternateContent></w:r></w:p>",
            "a\nb\n",
            id="text box",
        ),
    ],
)
def test_a_word_document_s_text_comes_once(body: str, text: str) -> None:
    """However text is wrapped it is there, once, and what was deleted is not."""
    assert text == read(make_docx(xml=word(body)))[0]


def test_what_stands_around_a_word_document_s_body() -> None:
    """Headers come first, notes and footers last; empty lines of theirs are left out."""
    document = Document()
    document.add_paragraph("body")
    section = document.sections[0]
    section.header.paragraphs[0].text = "header"
    section.footer.paragraphs[0].text = "footer"
    section.footer.add_paragraph()
    content = f'<w:footnotes xmlns:w="{WORDS}"><w:footnote><w:p>{run_of("note")}</w:p></w:footnote></w:footnotes>'
    part = Part(PackURI("/word/footnotes.xml"), NOTES, content.encode(), document.part.package)
    document.part.relate_to(part, f"{OFFICE}/footnotes")
    file = io.BytesIO()
    document.save(file)

    assert "header\nbody\nnote\nfooter\n" == read(file.getvalue())[0]


def test_a_table_of_many_rows_takes_no_time() -> None:
    """A cell that goes down 3,000 rows is read once."""
    cell = "<w:tr><w:tc><w:tcPr><w:vMerge{}/></w:tcPr><w:p>{}</w:p></w:tc></w:tr>"
    rows = cell.format(' w:val="restart"', run_of("a")) + cell.format("", "") * 3000
    began = time.process_time()

    text, _ = read(make_docx(xml=word(f"<w:tbl>{rows}</w:tbl>")))

    assert "a" + "\n" * 3001 == text
    assert 5 > time.process_time() - began


def packed(method: int, place: int) -> bytes:
    """A Word document that holds a part packed by this method, with bytes changed at this place of it."""
    file = io.BytesIO(make_docx())
    with zipfile.ZipFile(file, "a", method) as archive:
        archive.writestr("part", bytes(range(256)) * 40)
    data = bytearray(file.getvalue())
    begin = data.index(b"part", data.rindex(b"PK\x03\x04")) + place
    data[begin : begin + 20] = b"\xff" * 20
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(zipfile.ZIP_BZIP2, 14), id="bzip2"),
        pytest.param(packed(zipfile.ZIP_LZMA, 30), id="LZMA"),
        pytest.param(packed(zipfile.ZIP_DEFLATED, 14), id="deflate"),
        pytest.param(make_pdf("a").replace(b"FlateDecode", b"FlatXDecode"), id="a PDF's filter"),
    ],
)
def test_damage_is_refused_for_good(data: bytes) -> None:
    """Whatever a library raises for it."""
    with pytest.raises(RefusedError, match=r"the document is damaged: \w"):
        read(data)


def padded(pdf: bytes, more: int) -> bytes:
    """The PDF with so many bytes more, before its table of places."""
    place = pdf.index(b"xref\n0")
    return pdf[:place] + b"%" * more + pdf[place:].replace(b"\n%d\n" % place, b"\n%d\n" % (place + more))


@pytest.mark.parametrize(
    ("data", "most"),
    [
        pytest.param(b"a" * (50 * MEBIBYTE), 17, id="text"),
        pytest.param(padded(make_pdf("a"), 49 * MEBIBYTE), 80 + 3 * 50, id="PDF"),
        pytest.param(make_docx(picture=bytes(6 * MEBIBYTE)), 60 + 2 * 6 + 12, id="DOCX"),
        pytest.param(make_docx(**{"a.xml": bytes(6 * MEBIBYTE)}), 60 + 12 * 7, id="DOCX of much XML"),
    ],
)
def test_memory_is_asked_for_what_is_read(data: bytes, most: int) -> None:
    """For text no more than is wanted of it; for a DOCX by what it unpacks to (`most` in MiB)."""
    Path("source").write_bytes(data)
    parent = FakeParent()

    task.run({"maxCharacters": 10_000, "maxPages": 5, "maxUnpacked": 8 * MEBIBYTE, "hint": None}, parent)

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
def test_a_pdf_is_told_from_text_about_one(data: bytes, kind: str) -> None:
    """A PDF may begin behind something else, as readers allow, but not in what is text."""
    assert kind == read(data)[1]["kind"]


@pytest.mark.parametrize(
    "data",
    [
        "Grüße\r\nAda\r".encode(),
        "Grüße\nAda".encode("utf-8-sig"),
        "Grüße\nAda".encode("utf-16"),
        "Grüße\nAda\n".encode("cp1252"),
        "Gr\x7füße\x0c\nAda\n".encode(),
    ],
)
def test_text(data: bytes) -> None:
    """Text comes out as UTF-8 with plain line ends, whichever way it was stored."""
    text, report = read(data)

    assert (text, "text") == ("Grüße\nAda\n", report["kind"])


def test_markdown_is_what_the_job_says() -> None:
    """Markdown looks like any text; a PDF stays a PDF."""
    assert "markdown" == read(b"# Title", hint="text/markdown")[1]["kind"]
    assert "pdf" == read(make_pdf("a"), hint="text/markdown")[1]["kind"]


def test_text_is_cut() -> None:
    """No more is written than is wanted."""
    text, report = read(b"abcdefghij" * 100, maxCharacters=15)

    assert (text, report["truncated"]) == ("abcdefghijabcde", True)


def picture() -> bytes:
    """A PNG."""
    file = io.BytesIO()
    Image.new("RGB", (20, 20)).save(file, "PNG")
    return file.getvalue()


def entities(body: str) -> bytes:
    """A main part with a document type of its own."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    content = f'<w:document xmlns:w="{namespace}"><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>'
    return f"<?xml version='1.0'?><!DOCTYPE w [{body}]>{content}".encode()


def lying_zip() -> bytes:
    """A document whose directory says that a large part is small."""
    data = bytearray(make_docx(large=bytes(20 * MEBIBYTE)))
    place = data.rindex(b"PK\x01\x02")
    assert struct.unpack_from("<I", data, place + 24) == (20 * MEBIBYTE,)
    struct.pack_into("<I", data, place + 24, 10)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (bytes(range(256)), "not a document of a known kind; taken are PDF, DOCX, plain text and Markdown"),
        (picture(), "not a document of a known kind"),
        (b"PK\x03\x04nonsense", "damaged"),
        (make_docx()[:3000], "damaged"),
        (make_pdf("a")[:150], "damaged"),
        (b"%PDF-1.4\n" + bytes(500), "damaged"),
        (locked_pdf("hunter2"), "protected by a password"),
        (make_pdf("a", kids="2 0 R"), "damaged"),
        (make_docx(large=bytes(20 * MEBIBYTE)), "unpacks to more than 8 MiB"),
        (lying_zip(), "damaged|unpacks to more than 8 MiB"),
        (make_docx(**{f"part{n}": b"" for n in range(2001)}), "more than 2000 parts"),
        (make_docx(xml=b"<a>"), "damaged"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    """Each in clear words."""
    with pytest.raises(RefusedError, match=reason):
        read(data)


def test_a_pdf_bomb() -> None:
    """A page that unpacks to more than the library allows is refused."""
    bomb = zlib.compress(bytes(200 * MEBIBYTE), 9)
    with pytest.raises(RefusedError, match="damaged"):
        read(make_pdf("a", stream=bomb))


def test_entities_are_not_followed() -> None:
    """Neither a bomb of entities nor a file of this machine gets into the text."""
    Path("secret").write_text("hunter2")
    nested = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    for body in (f'<!ENTITY x SYSTEM "file://{Path.cwd()}/secret">', f'<!ENTITY e0 "ha">{nested}<!ENTITY x "&e11;">'):
        try:
            text, _ = read(make_docx(xml=entities(body)))
        except RefusedError as error:
            text = str(error)
        assert "hunter2" not in text
        assert len(text) < 1000
