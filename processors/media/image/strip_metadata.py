"""The upload's own pixels without its metadata, for when encoding them again would only make them larger."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# What begins a segment or ends the image. A scan goes on behind a restart and a byte that is stuffed with a zero; and
# as libjpeg does, all that is no marker is skipped where one is due.
JPEG_MARKER = re.compile(b"\xff[\xc0-\xcf\xd8-\xfe]")
JPEG_AGAIN, JPEG_ENDS, JPEG_SCAN = 0xD8, 0xD9, 0xDA
JPEG_PIXELS = range(0xC0, 0xE0)  # frames, tables and scans
# What else is kept, by marker: how it begins, and its bytes. JFIF's end with the size of a preview, which is cut off.
JPEG_HEADERS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
JPEG_HEADER = 12  # bytes of these that matter
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"cHRM", b"IDAT", b"IEND"})
PNG_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
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


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, beginning and end of each segment of a JPEG (ITU T.81, annex B), the last one being the image's end.

    A scan's coded data belong to it. What follows the image (a phone's video, a preview) is not looked at, and neither
    is what a segment holds. An image that is cut off has no end.
    """
    found = JPEG_MARKER.search(data, len(JPEG_START))
    while found:
        marker, start = data[found.start() + 1], found.start()
        if marker == JPEG_ENDS:
            yield marker, start, found.end()
            return
        length = 0 if marker == JPEG_AGAIN else max(2, int.from_bytes(data[found.end() : found.end() + 2]))
        end = found.end() + length
        found = JPEG_MARKER.search(data, end)
        yield marker, start, found.start() if found and marker == JPEG_SCAN else end


def _jpeg(data: bytes) -> bytes:
    if not data.startswith(JPEG_START):
        raise ValueError
    kept, marker = [JPEG_START], 0
    for marker, start, end in jpeg_segments(data):
        kept.append(data[start:end] if marker in JPEG_PIXELS else _jpeg_header(marker, data[start + 4 : end]))
    if marker != JPEG_ENDS:
        raise ValueError
    return b"".join(kept)


def _jpeg_header(marker: int, body: bytes) -> bytes:
    """What is kept of a segment that has no pixels: JFIF without a preview, and Adobe's word on how colours are stored.

    Old cameras keep previews in further segments of JFIF's number, and anybody may write text in Adobe's.
    """
    start, size = JPEG_HEADERS.get(marker, (b"", 0))
    if not start or not body.startswith(start) or len(body) < size:
        return b""
    return bytes([JPEG_START[0], marker]) + struct.pack(">H", 2 + size) + body[:JPEG_HEADER].ljust(size, b"\0")


def _png(data: bytes) -> bytes:
    """PNG (its specification, section 5): chunks of length, name, data and checksum."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError
    kept, place, name = [PNG_SIGNATURE], len(PNG_SIGNATURE), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if name in PNG_KEPT and _is_sound(data[place + 4 : end]):
            kept.append(data[place:end])
        elif name in PNG_NEEDED:
            raise ValueError
        place = end
    return b"".join(kept)


def _is_sound(chunk: bytes) -> bool:
    """Whether the checksum, which ends it, is that of the name and the data."""
    return zlib.crc32(chunk[:-4]) == int.from_bytes(chunk[-4:])


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
