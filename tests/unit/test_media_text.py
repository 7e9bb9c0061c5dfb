"""Plain text in any encoding."""

# ruff: noqa: RUF001 -- letters of many languages
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from processors.sandbox.protocol import RefusedError
from tests.support.documents import make_pdf, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


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
    """The result is UTF-8 with line feeds, however it was stored."""
    text, report = read(data)

    assert (text, "text") == ("Grüße\nAda\n", report["kind"])


def test_markdown_is_what_the_job_says() -> None:
    """Markdown looks like any text; a PDF stays a PDF."""
    assert "markdown" == read(b"# Title", hint="text/markdown")[1]["kind"]
    assert "pdf" == read(make_pdf("a"), hint="text/markdown")[1]["kind"]


def test_text_is_cut() -> None:
    """No more is written than wanted."""
    text, report = read(b"abcdefghij" * 100, maxCharacters=15)

    assert (text, report["truncated"]) == ("abcdefghijabcde", True)


GERMAN = "Die Größe der Übung beträgt fünf Meter, sagte Herr Müller – „nicht mehr“.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy, a tak šel domů.\n"
GREEK = "Ο Όμηρος ήταν αρχαίος Έλληνας επικός ποιητής, στον οποίο αποδίδονται τα έπη.\n"
TURKISH = "Bugün İstanbul'da hava çok güzel, ağaçların gölgesinde oturup çay içiyoruz.\n"
HEBREW = "בראשית ברא אלהים את השמים ואת הארץ והארץ היתה תהו ובהו\n"
ARABIC = "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق\n"
THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。\n"
TAIWANESE = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心。\n"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.\n"
LEGACY = [
    (GERMAN, "cp1252"),
    (CZECH, "cp1250"),
    (RUSSIAN, "cp1251"),
    (RUSSIAN, "koi8-r"),
    (GREEK, "cp1253"),
    (TURKISH, "cp1254"),
    (HEBREW, "cp1255"),
    (ARABIC, "cp1256"),
    (THAI, "cp874"),
    (JAPANESE, "shift_jis"),
    (JAPANESE, "euc_jp"),
    (JAPANESE, "iso2022_jp"),
    (CHINESE, "gb18030"),
    (TAIWANESE, "big5"),
    (KOREAN, "cp949"),
]
UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize(("wanted", "encoding"), LEGACY)
def test_the_encoding_is_guessed_from_the_characters(wanted: str, encoding: str) -> None:
    """Old text does not declare its encoding."""
    assert wanted == read(wanted.encode(encoding))[0]


@pytest.mark.parametrize("encoding", UNICODE)
@pytest.mark.parametrize("wanted", [GERMAN, RUSSIAN, JAPANESE, CHINESE, KOREAN, "Ada\n"])
def test_unicode_in_every_form(wanted: str, encoding: str) -> None:
    """With a byte order mark or without."""
    assert wanted == read(wanted.encode(encoding))[0]


@pytest.mark.parametrize(
    ("wanted", "encoding"), [(GERMAN, "utf-8"), *(each for each in LEGACY if each[1] not in {"iso2022_jp", "euc_jp"})]
)
def test_one_bad_byte_spoils_no_other(wanted: str, encoding: str) -> None:
    """A meaningless byte does not change the encoding of the rest."""
    good = wanted.encode(encoding)

    text, _ = read(good * 20 + b"\xff\n" + good * 20)

    assert (wanted * 20, wanted * 20) == (text[: len(wanted) * 20], text[-len(wanted) * 20 :])


@pytest.mark.parametrize("sign", ["£", "½", "§", "°"])
def test_one_character_decides_no_encoding(sign: str) -> None:
    """A single character is read as Windows means it."""
    assert f"about 5 {sign}\n" == read(f"about 5 {sign}\n".encode("cp1252"))[0]


def test_an_encoding_that_is_declared() -> None:
    """XML declares it."""
    head = '<?xml version="1.0" encoding="koi8-r"?>\n'

    assert f"{head}<a>Да</a>\n" == read(f"{head}<a>Да</a>\n".encode("koi8-r"))[0]


def test_the_characters_may_come_late() -> None:
    """A page of ASCII before them does not hide the encoding."""
    english = "The quick brown fox jumps over the lazy dog.\n" * 3000

    assert english + RUSSIAN == read((english + RUSSIAN).encode("cp1251"), maxCharacters=200_000)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "shift_jis", "gb18030"])
def test_a_character_is_not_cut_in_two(encoding: str) -> None:
    """The text that is read ends with a whole character."""
    text, report = read((JAPANESE * 9).encode(encoding)[:400], maxCharacters=60)

    assert ((JAPANESE * 9)[:60], True) == (text, report["truncated"])


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        pytest.param(b"a\x0cb", "a\nb\n", id="a page's end"),
        pytest.param(b"a\n\x0cb", "a\nb\n", id="a page's end behind a line's"),
        pytest.param(b"a\x0bb", "a\nb\n", id="a vertical tab"),
        pytest.param("a\x85b\u2028c\u2029d".encode(), "a\nb\nc\nd\n", id="Unicode's line ends"),
        pytest.param(b"a\x1cb" + b"-" * 1000, "a\nb" + "-" * 1000 + "\n", id="a separator"),
        pytest.param(b"a\x1fb" + b"-" * 1000, "a b" + "-" * 1000 + "\n", id="a separator of fields"),
        pytest.param("so\u00adft a\ufeffb".encode(), "soft ab\n", id="invisible characters"),
        pytest.param(b"\x1b[1;31mred\x1b[0m a\tb", "red a\tb\n", id="a terminal's colours"),
        pytest.param(b"the end\r\n\x1a", "the end\n", id="the end of a file of DOS"),
        pytest.param(b"a\x00b" + b"-" * 1000, "ab" + "-" * 1000 + "\n", id="a single null"),
        pytest.param("a\u200bb\u00a0c".encode(), "a\u200bb\u00a0c\n", id="what keeps words apart"),
        pytest.param(b"PKs are primary keys", "PKs are primary keys\n", id="the letters of a ZIP"),
    ],
)
def test_no_words_are_joined_or_split(data: bytes, wanted: str) -> None:
    """Line ends of all systems become line feeds; invisible characters are removed."""
    assert wanted == read(data)[0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{\\rtf1\\ansi Dear Ada\\par}", id="RTF"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"Dear Ada" * 100, id="an old Word document"),
        pytest.param(b"II*\0" + bytes(range(8, 256)) * 40, id="bytes with a null"),
        pytest.param(b"II*\0" + bytes(random.Random(1).choices(range(0x30, 0xD8), k=4000)), id="grey pixels"),
        pytest.param(b"P5 20 20 255\n" + bytes(range(128, 256)) * 4 + bytes(range(1, 8)), id="bytes without"),
    ],
)
def test_binary_files_are_no_text(data: bytes) -> None:
    """In no encoding."""
    with pytest.raises(RefusedError, match="not a document of a known kind"):
        read(data)


def test_a_word_document_with_a_password() -> None:
    """It is no ZIP, but is recognized."""
    with pytest.raises(RefusedError, match="protected by a password"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le"))
