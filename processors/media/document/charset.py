"""Detects the encoding of plain text: by a byte order mark, else by its bytes."""

from __future__ import annotations

import codecs
import re

# Byte order marks. UTF-32's begins like UTF-16's, so it comes first.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SHIFTS = b"\x1b$"  # ISO-2022 writes Japanese and Korean in ASCII bytes after such escape sequences
DECLARED, HEAD = b"coding", 2  # the first lines of XML and of programs may declare the encoding
SAMPLE = 64 * 1024  # bytes that are used for detection
# Control characters that no text has. A single one is no reason to refuse the text.
CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
ONE_IN, BEGINNING = 1000, 1024  # one in so many characters is allowed, but only one in the first BEGINNING
BROKEN = re.compile("[\ud800-\udfff\ue000-\uf8ff\ufffd]")  # what bytes become in a wrong encoding
FEW = 0.05  # the share of characters, or bytes, that may be broken
MOST_BLOCKS = 128  # of 256 characters each; Chinese text has characters of some 90
ASCII = 0x7F
NONE = "ascii"  # in which all other bytes are broken
UNSURE, USUAL = 0.05, "cp1252"  # below this confidence of chardet we assume USUAL
# Encodings with invalid bytes. A single invalid byte makes chardet rule out the right encoding.
STRICT = ("cp932", "euc_jp", "gb18030", "big5hkscs", "cp949", "cp1253", "cp1255", "cp874")


def is_text(text: str) -> bool:
    """Whether this is text, and not binary data."""
    return (
        len(CONTROL.findall(text[:BEGINNING])) <= 1
        and len(CONTROL.findall(text)) <= 1 + len(text) / ONE_IN
        and len(BROKEN.findall(text)) <= FEW * len(text)
    )


def encoding_of(data: bytes) -> str:
    """The codec for `data`, to be used with `errors="replace"`. Of binary data the result fails `is_text`."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    if SHIFTS not in data and _is_utf_8(data):
        return "utf-8"
    return _utf_16(data[:SAMPLE]) if b"\0" in data else _detected(data)


def _is_utf_8(data: bytes) -> bool:
    """Whether more characters beyond ASCII are valid than broken, so that one bad byte changes nothing."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data)  # the last character may be cut
    if broken := text.count("\ufffd"):
        whole = sum(not character.isascii() for character in text) - broken
        return whole > broken and is_text(text)
    return is_text(text)


def _utf_16(sample: bytes) -> str:
    """The byte order: text has many different characters, but from few blocks of 256."""
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
    return encoding if confidence >= UNSURE else USUAL  # chardet is very sure of binary data


def _telling(data: bytes) -> bytes:
    """The lines that matter for detection: those that declare an encoding, and those with more than ASCII."""
    lines = data.splitlines(keepends=True)
    declaring = (line for line in lines[:HEAD] if DECLARED in line)
    return b"".join([*declaring, *(line for line in lines if SHIFTS in line or not line.isascii())])[:SAMPLE]


def _guess(sample: bytes) -> tuple[float, str]:
    """Chardet's confidence (0 to 1) and codec."""
    from chardet import EncodingEra, detect  # noqa: PLC0415 -- 35 MB that UTF-8 does not need

    found = detect(
        sample,
        encoding_era=EncodingEra.MODERN_WEB | EncodingEra.LEGACY_ISO,
        prefer_superset=True,
        compat_names=False,
        max_bytes=SAMPLE,
    )
    return found["confidence"], found["encoding"] or NONE
