"""The upload's own pixels without its metadata, for when encoding them again would only make them larger."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_SCAN, JPEG_COMMENT = 0xDA, 0xFE
JPEG_APPS = range(0xE0, 0xF0)
JPEG_KEPT_APPS = frozenset({0xE0, 0xEE})  # JFIF; Adobe's, without which colours are guessed
JPEG_RESTARTS = range(0xD0, 0xD8)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"cHRM", b"IDAT", b"IEND"})
WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
WEBP_ALPHA_AND_ANIMATION = 0b0001_0010  # the flags of a VP8X header that still hold


def stripped(kind: str, data: bytes) -> bytes | None:
    """The file without metadata and without what stands behind its end; None where it can't be taken apart.

    `kind` is Pillow's name of the format. Nothing is decoded.
    """
    strip: Callable[[bytes], bytes] | None = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}.get(kind)
    try:
        return None if strip is None else strip(data)
    except (ValueError, IndexError, struct.error):
        return None


def _jpeg(data: bytes) -> bytes:
    """JPEG (ITU T.81, annex B): segments, and after each start of a scan coded data up to the next marker."""
    if not data.startswith(JPEG_START):
        raise ValueError
    kept, place = [JPEG_START], 2
    while data[place : place + 2] != JPEG_END:
        if data[place] != JPEG_START[0]:
            raise ValueError
        marker = data[place + 1]
        end = place + 2 + struct.unpack_from(">H", data, place + 2)[0]
        if marker == JPEG_SCAN:
            end = _end_of_scan(data, end)
        if marker != JPEG_COMMENT and (marker not in JPEG_APPS or marker in JPEG_KEPT_APPS):
            kept.append(data[place:end])
        place = end
    return b"".join([*kept, JPEG_END])


def _end_of_scan(data: bytes, place: int) -> int:
    while True:
        place = data.index(b"\xff", place)
        if data[place + 1] not in {0, *JPEG_RESTARTS}:
            return place
        place += 2


def _png(data: bytes) -> bytes:
    """PNG (its specification, section 5): chunks of length, name, data and checksum."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError
    kept, place, name = [PNG_SIGNATURE], len(PNG_SIGNATURE), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if name in PNG_KEPT:
            kept.append(data[place:end])
        place = end
    return b"".join(kept)


def _webp(data: bytes) -> bytes:
    """WebP (RFC 9649): a RIFF container of chunks, each padded to an even length."""
    riff, size, form = struct.unpack_from("<4sI4s", data)
    if (riff, form) != (b"RIFF", b"WEBP"):
        raise ValueError
    body = b"".join(_webp_chunks(data, min(len(data), size + 8)))
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WEBP") + body


def _webp_chunks(data: bytes, end: int) -> Iterator[bytes]:
    place = 12
    while place < end:
        name, length = struct.unpack_from("<4sI", data, place)
        chunk = data[place : place + 8 + length + length % 2]
        if name == b"VP8X":
            yield chunk[:8] + bytes([chunk[8] & WEBP_ALPHA_AND_ANIMATION]) + chunk[9:]
        elif name in WEBP_KEPT:
            yield chunk
        place += len(chunk)
