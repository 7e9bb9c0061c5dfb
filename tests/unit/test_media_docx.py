"""The text of Word documents."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest
from docx import Document
from docx.opc.packuri import PackURI
from docx.opc.part import Part

from processors.sandbox.protocol import RefusedError
from tests.support.documents import DOCUMENT, OOXML, STRICT, WORDS, make_docx, make_package, read, run_of, word

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def test_a_word_document() -> None:
    """Paragraphs and tables come in their order."""
    text, report = read(make_docx())

    assert text == "Dear Ada,\nleft\tright\nGrüße\n"
    assert {"kind": "docx", "pages": None, "truncated": False}.items() <= report.items()


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
    """However text is wrapped it is there once; deleted text is not."""
    assert text == read(make_docx(xml=word(body)))[0]


def test_headers_notes_and_footers_of_a_word_document() -> None:
    """Headers come first, notes and footers last; their empty lines are left out."""
    document = Document()
    document.add_paragraph("body")
    section = document.sections[0]
    section.header.paragraphs[0].text = "header"
    section.footer.paragraphs[0].text = "footer"
    section.footer.add_paragraph()
    content = f'<w:footnotes xmlns:w="{WORDS}"><w:footnote><w:p>{run_of("note")}</w:p></w:footnote></w:footnotes>'
    part = Part(PackURI("/word/footnotes.xml"), "application/xml", content.encode(), document.part.package)
    document.part.relate_to(part, f"{OOXML}/officeDocument/2006/relationships/footnotes")
    file = io.BytesIO()
    document.save(file)

    assert "header\nbody\nnote\nfooter\n" == read(file.getvalue())[0]


def test_a_table_of_many_rows_takes_no_time() -> None:
    """A cell that spans 3,000 rows is read once."""
    cell = "<w:tr><w:tc><w:tcPr><w:vMerge{}/></w:tcPr><w:p>{}</w:p></w:tc></w:tr>"
    rows = cell.format(' w:val="restart"', run_of("a")) + cell.format("", "") * 3000
    began = time.process_time()

    text, _ = read(make_docx(xml=word(f"<w:tbl>{rows}</w:tbl>")))

    assert "a" + "\n" * 3001 == text
    assert 5 > time.process_time() - began


DELETED = "<w:pPr><w:rPr><w:del/></w:rPr></w:pPr>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param("<w:r><w:t>a</w:t><w:ptab/><w:t>b</w:t></w:r>", "a\tb\n", id="a tab at a place"),
        pytest.param("<w:r><w:t>a</w:t><w:br w:type='page'/><w:t>b</w:t></w:r>", "a\nb\n", id="a page's end"),
        pytest.param("<w:r><w:t>a</w:t><w:cr/><w:t>b</w:t></w:r>", "a\nb\n", id="a line's end"),
        pytest.param("<w:r><w:t>a</w:t><w:noBreakHyphen/><w:t>b</w:t></w:r>", "a-b\n", id="a hyphen that holds"),
        pytest.param("<w:r><w:t>a</w:t><w:softHyphen/><w:t>b\u00adc</w:t></w:r>", "abc\n", id="invisible hyphens"),
        pytest.param("<w:r><w:t>a\u2028b\u0085c</w:t></w:r>", "a\nb\nc\n", id="Unicode's line ends"),
        pytest.param("<w:r><w:t>a</w:t><w:sym w:char='2192'/><w:sym w:char='F0E0'/></w:r>", "a\u2192\n", id="symbols"),
        pytest.param(
            f"<w:ruby><w:rt>{run_of('b')}</w:rt><w:rubyBase>{run_of('a')}</w:rubyBase></w:ruby>", "(b)a\n", id="ruby"
        ),
        pytest.param(
            f"{DELETED}{run_of('a')}</w:p><w:p>{run_of('b')}", "ab\n", id="a paragraph's end that was deleted"
        ),
        pytest.param(f"{DELETED}{run_of('a')}", "a\n", id="the last paragraph's"),
    ],
)
def test_no_words_are_joined_or_split(body: str, text: str) -> None:
    """What separates words in Word's XML separates them in the text."""
    assert text == read(make_package({"word/document.xml": word(f"<w:p>{body}</w:p>")}))[0]


def test_a_row_that_was_deleted_is_gone() -> None:
    """Tracked changes count as accepted."""
    row = f"<w:tr>{{}}<w:tc><w:p>{run_of('a')}</w:p></w:tc></w:tr>"
    body = f"<w:tbl>{row.format('')}{row.format('<w:trPr><w:del/></w:trPr>')}</w:tbl>"

    assert "a\n" == read(make_package({"word/document.xml": word(body)}))[0]


BODY = word(f"<w:p>{run_of('a')}</w:p>")
MICROSOFT = "application/vnd.ms-word"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make_package({"word/document2.xml": BODY}, main="word/document2.xml"), id="another name"),
        pytest.param(make_package({"Word/Document.xml": BODY}, main="word/document.xml"), id="capitals"),
        pytest.param(make_package({"word\\document.xml": BODY}), id="backslashes"),
        pytest.param(make_package({"word/document.xml": BODY}, target="/word/document.xml"), id="from the root"),
        pytest.param(make_package({"word/document.xml": BODY}, target="./word/../word/document.xml"), id="a long way"),
        pytest.param(make_package({"word/document.xml": BODY}, ("header", "NULL")), id="a relation to nothing"),
        pytest.param(
            make_package({"word/document.xml": BODY}, kind=DOCUMENT.replace("document.", "template.")), id="DOTX"
        ),
        pytest.param(
            make_package({"word/document.xml": BODY}, kind=f"{MICROSOFT}.document.macroEnabled.main+xml"), id="DOCM"
        ),
        pytest.param(
            make_package({"word/document.xml": BODY}, kind=f"{MICROSOFT}.template.macroEnabledTemplate.main+xml"),
            id="DOTM",
        ),
        pytest.param(
            make_package(
                {"word/document.xml": word(f"<w:p>{run_of('a')}</w:p>", f"{STRICT}/wordprocessingml/main")},
                namespace=f"{STRICT}/officeDocument/relationships",
            ),
            id="strict",
        ),
    ],
)
def test_every_kind_of_word_document(data: bytes) -> None:
    """Its main part is the one that the package names; templates, macros and strict OOXML work as well."""
    text, report = read(data)

    assert ("a\n", "docx") == (text, report["kind"])


def test_headers_of_strict_documents() -> None:
    """They are found by the last part of their relation's name, in reading order."""
    strict = f"{STRICT}/wordprocessingml/main"
    parts = {
        "word/document.xml": word(f"<w:p>{run_of('body')}</w:p>", strict),
        "word/f.xml": word(f"<w:p>{run_of('footer')}</w:p>", strict),
        "word/h.xml": word(f"<w:p>{run_of('header')}</w:p>", strict),
    }
    relations = [("footer", "f.xml"), ("header", "h.xml"), ("header", "/word/h.xml")]

    text, _ = read(make_package(parts, *relations, namespace=f"{STRICT}/officeDocument/relationships"))

    assert "header\nbody\nfooter\n" == text


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
    ],
)
def test_other_office_documents_are_refused(kind: str) -> None:
    """A spreadsheet or a presentation is recognized, whatever its parts are called."""
    with pytest.raises(RefusedError, match="not a document of a known kind"):
        read(make_package({"word/document.xml": BODY}, kind=kind))
