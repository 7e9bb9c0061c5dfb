"""The format of an image, detected by its first bytes. The file name does not matter, and nothing is decoded."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

TAKEN = "JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, BMP, ICO and SVG"
HEAD = 4096  # bytes that are read
STARTS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\x00|MM\x00[*+]"),
    # Two letters are not enough: the size of the second header, which has few values, is checked as well.
    "BMP": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL),
    "ICO": re.compile(rb"\x00\x00\x01\x00[^\x00]\x00"),
    # Text whose first element is `svg`, after a declaration, comments, a document type and its entities. The group is
    # atomic: without that, matching many comments would take exponential time.
    "SVG": re.compile(
        rb"(?:\xef\xbb\xbf)?\s*<(?>\?.*?\?>\s*<|!--.*?-->\s*<|!DOCTYPE\s[^[>]*(?:\[.*?\]\s*)?>\s*<)*(?:\w+:)?svg[\s>/]",
        re.DOTALL,
    ),
}
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}  # byte order marks
CANON = b"CR"  # at offset 8 of a raw file
SUBFILE, PREVIEW, DNG = 254, 1, 50706  # TIFF's tags


def kind_of(path: Path) -> str:
    """The format, in capitals. Raises RefusedError for all that is not supported."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        if not head:
            msg = "the file is empty"
            raise RefusedError(msg)
        kind = _by_brand(head) or _by_start(head)
        if kind is None or (kind == "TIFF" and _is_raw(head)):
            msg = f"not an image in one of the supported formats: {TAKEN}"
            raise RefusedError(msg)
    return kind


def _by_start(head: bytes) -> str | None:
    if encoding := WIDE.get(head[:2]):
        head = head[2:].decode(encoding, "ignore").encode()
    return next((kind for kind, start in STARTS.items() if start.match(head)), None)


def _by_brand(head: bytes) -> str | None:
    """AVIF and HEIC name themselves. An AVIF may have the generic brand of HEIC beside its own."""
    if head[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(head[:4]), len(head))
    brands = {head[8:12], *(head[offset : offset + 4] for offset in range(16, length, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if head[8:12] in HEIC_BRANDS else None


def _is_raw(head: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, whose first image is a preview of a few hundred pixels."""
    if head[8:10] == CANON:
        return True
    order = "<" if head.startswith(b"I") else ">"
    try:
        (offset,) = struct.unpack_from(order + "I", head, 4)
        (count,) = struct.unpack_from(order + "H", head, offset)
        tags = [struct.unpack_from(order + "HHII", head, offset + 2 + 12 * at) for at in range(count)]
    except struct.error:
        return False  # the tags are beyond what was read, or the file is damaged
    return any(tag == DNG or (tag == SUBFILE and value & PREVIEW) for tag, _, _, value in tags)
