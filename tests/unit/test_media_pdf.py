"""The text of PDFs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from tests.support.documents import locked_pdf, make_pdf, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def test_a_pdf() -> None:
    """The text of all pages, in order."""
    text, report = read(make_pdf("Hello Ada", "Hello Grace"))

    assert text == "Hello Ada\nHello Grace\n"
    assert {"kind": "pdf", "pages": 2, "truncated": False}.items() <= report.items()


def test_a_pdf_of_many_pages_is_cut() -> None:
    """No more pages are read than wanted, and the report says so."""
    text, report = read(make_pdf(*"abcde"), maxPages=2)

    assert (text, report["pages"], report["truncated"]) == ("a\nb\n", 2, True)


def test_a_pdf_without_a_password_of_its_own() -> None:
    """A PDF that opens without a password is read, whatever it forbids."""
    assert read(locked_pdf(""))[0] == "Secret plans\n"


def form(*annotations: dict[str, Any], lines: tuple[str, ...] = ("Form:",)) -> bytes:
    """A PDF of pages with these lines; the first one has these annotations."""
    writer = PdfWriter(PdfReader(io.BytesIO(make_pdf(*lines))))
    notes = ArrayObject()
    for each in annotations:
        notes.append(writer._add_object(_pdf({"/Subtype": "/Widget", **each})))
    writer.pages[0][NameObject("/Annots")] = notes
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _pdf(value: Any) -> Any:
    """A Python value as pypdf has it; a text that begins with a slash is a name."""
    if isinstance(value, dict):
        return DictionaryObject({NameObject(key): _pdf(each) for key, each in value.items()})
    if isinstance(value, list):
        return ArrayObject(_pdf(each) for each in value)
    if isinstance(value, int):
        return NumberObject(value)
    if isinstance(value, bytes):
        stream = StreamObject()
        stream.set_data(value)
        return stream
    return NameObject(value) if value.startswith("/") else TextStringObject(value)


LIST = {"/FT": "/Ch", "/Opt": [["de", "Germany"], ["fr", "France"]]}


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        pytest.param({"/FT": "/Tx", "/V": "Filled value"}, "Filled value", id="a text"),
        pytest.param({"/FT": "/Tx", "/V": "two\rlines"}, "two\nlines", id="lines"),
        pytest.param({"/Parent": {"/FT": "/Tx", "/V": "Ada"}}, "Ada", id="of the field above"),
        pytest.param({**LIST, "/V": "fr"}, "France", id="a choice, as it is shown"),
        pytest.param({**LIST, "/V": ["de", "fr"]}, "Germany\nFrance", id="choices"),
        pytest.param({"/FT": "/Ch", "/Opt": ["red"], "/V": "red"}, "red", id="a choice without another name"),
        pytest.param({"/Subtype": "/FreeText", "/Contents": "typed"}, "typed", id="text put on the page"),
    ],
)
def test_filled_in_fields(annotation: dict[str, Any], text: str) -> None:
    """Their values follow the page's text."""
    assert f"Form:\n{text}\n" == read(form(annotation))[0]


@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param({"/FT": "/Tx", "/V": "secret", "/Ff": 0x2000}, id="a password"),
        pytest.param({"/FT": "/Tx", "/V": "secret", "/F": 2}, id="hidden"),
        pytest.param({"/FT": "/Tx"}, id="nothing filled in"),
        pytest.param({"/FT": "/Btn", "/V": "/Yes"}, id="a button"),
        pytest.param({"/Subtype": "/Text", "/Contents": "a comment"}, id="a comment"),
    ],
)
def test_hidden_fields_and_passwords_are_left_out(annotation: dict[str, Any]) -> None:
    """Their values are private."""
    assert "Form:\n" == read(form(annotation))[0]


def test_a_long_value() -> None:
    """A value may be a stream."""
    writer = PdfWriter(PdfReader(io.BytesIO(form({"/FT": "/Tx", "/V": "short"}))))
    writer.pages[0]["/Annots"][0].get_object()[NameObject("/V")] = writer._add_object(_pdf("long".encode("utf-16")))  # type: ignore[index]
    file = io.BytesIO()
    writer.write(file)

    assert "Form:\nlong\n" == read(file.getvalue())[0]


def test_a_damaged_annotation_takes_no_text_with_it() -> None:
    """The rest is read."""
    assert "Form:\n" == read(form({"/FT": "/Tx", "/F": "nonsense"}))[0]


def test_a_pdf_without_a_text_layer_says_so() -> None:
    """Scans have no text: as many pages are without text as were read."""
    text, report = read(make_pdf("", ""))

    assert ("\n\n", 2, 2) == (text, report["pages"], report["pagesWithoutText"])


def test_a_damaged_page_takes_no_other_with_it() -> None:
    """The others are read, and the report counts it."""
    data = make_pdf("a", "b", "c")
    place = data.index(b"FlateDecode", data.index(b"FlateDecode") + 1)

    text, report = read(data[:place] + b"FlatXDecode" + data[place + 11 :])

    assert ("a\n\nc\n", 3, 1) == (text, report["pages"], report["pagesWithoutText"])


@pytest.mark.parametrize(
    ("page", "text"),
    [
        pytest.param("SS\\2552541", "SS-2541\n", id="within a line"),
        pytest.param("docu\\255) Tj 0 -20 Td (ment", "document\n", id="between lines"),
        pytest.param("7\\255) Tj 0 -20 Td (8", "7-\n8\n", id="between numbers"),
    ],
)
def test_a_soft_hyphen_on_a_page_is_seen(page: str, text: str) -> None:
    """It is shown as a hyphen, and at a line's end it splits a word in two."""
    data = make_pdf(page).replace(b"/BaseFont/Helvetica", b"/BaseFont/Helvetica/Encoding/WinAnsiEncoding")

    assert text == read(data)[0]
