"""The encoding of plain text, which says it itself at best, and has to be told by its letters otherwise."""

from __future__ import annotations

import codecs
import re

# A byte order mark decides. UTF-32's begins like UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SHIFTS = b"\x1b$"  # ISO-2022 writes Japanese and Korean in ASCII's bytes, between such commands
DECLARED, HEAD = b"coding", 2  # lines of XML and of programs that say it themselves
SAMPLE = 64 * 1024  # bytes that an encoding is detected by
# What no text has, but for a stray one: it is no reason to refuse the rest.
CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
STRAY, BEGINNING = 1000, 1024  # one in so many characters, and no more than one in the first ones
BROKEN = re.compile("[\ud800-\udfff\ue000-\uf8ff\ufffd]")  # what bytes become in the wrong encoding
FEW = 0.05  # of the characters, or bytes, may be broken
MOST_BLOCKS = 128  # Chinese has some 90 of them
ASCII = 0x7F
NONE = "ascii"  # in which all else is broken
UNSURE, USUAL = 0.05, "cp1252"  # chardet's confidence in what a letter or two tell; and what such a text is mostly
# Those with bytes that mean nothing: a single one of them, and chardet rules the right encoding out.
STRICT = ("cp932", "euc_jp", "gb18030", "big5hkscs", "cp949", "cp1253", "cp1255", "cp874")


def is_text(text: str) -> bool:
    """Whether people could have written it, and not a program."""
    return (
        len(CONTROL.findall(text[:BEGINNING])) <= 1
        and len(CONTROL.findall(text)) <= 1 + len(text) / STRAY
        and len(BROKEN.findall(text)) <= FEW * len(text)
    )


def encoding_of(data: bytes) -> str:
    """The codec that decodes `data`, with `errors="replace"`; if it is no text, what comes out fails `is_text`."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    if SHIFTS not in data and _is_utf_8(data):
        return "utf-8"
    return _utf_16(data[:SAMPLE]) if b"\0" in data else _detected(data)


def _is_utf_8(data: bytes) -> bool:
    """Whether more of the characters beyond ASCII are whole than broken: one bad byte makes it no other encoding."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data)  # the last one may have been cut in two
    if broken := text.count("\ufffd"):
        whole = sum(not character.isascii() for character in text) - broken
        return whole > broken and is_text(text)
    return is_text(text)


def _utf_16(sample: bytes) -> str:
    """Which bytes are the first of each two: a text has many characters, but of few blocks of 256."""
    blocks = {"utf-16-le": len(set(sample[1::2])), "utf-16-be": len(set(sample[::2]))}
    encoding = min(blocks, key=lambda name: blocks[name])
    return encoding if blocks[encoding] <= MOST_BLOCKS else NONE


def _detected(data: bytes) -> str:
    sample = _telling(data)
    found = [_guess(sample)]
    most = FEW * sum(byte > ASCII for byte in sample)
    for codec in STRICT:
        mended = sample.decode(codec, errors="ignore").encode(codec, errors="ignore")
        if 0 < len(sample) - len(mended) <= most:
            found.append(_guess(mended))
    confidence, encoding = max(found)
    return encoding if confidence >= UNSURE else USUAL  # it is very sure of what is none


def _telling(data: bytes) -> bytes:
    """The lines that tell an encoding: those that declare it, and those that have more than ASCII."""
    lines = data.splitlines(keepends=True)
    declaring = (line for line in lines[:HEAD] if DECLARED in line)
    return b"".join([*declaring, *(line for line in lines if SHIFTS in line or not line.isascii())])[:SAMPLE]


def _guess(sample: bytes) -> tuple[float, str]:
    """How sure it is (0 to 1), and of which codec."""
    from chardet import EncodingEra, detect  # noqa: PLC0415 -- 35 MB that UTF-8 has no use for

    found = detect(
        sample,
        encoding_era=EncodingEra.MODERN_WEB | EncodingEra.LEGACY_ISO,
        prefer_superset=True,
        compat_names=False,
        max_bytes=SAMPLE,
    )
    return found["confidence"], found["encoding"] or NONE
