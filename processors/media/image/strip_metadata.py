"""Removing metadata without encoding again, for uploads that a new encoding would only make larger."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# What begins a segment or ends the image. Restart markers and stuffed zero bytes belong to a scan. Like libjpeg, skip
# everything that is no marker.
JPEG_MARKER = re.compile(b"\xff[\xc0-\xcf\xd8-\xfe]")
JPEG_AGAIN, JPEG_ENDS, JPEG_SCAN = 0xD8, 0xD9, 0xDA
JPEG_PIXELS = range(0xC0, 0xE0)  # markers of frames, tables and scans
# Other segments that are kept, by marker: their beginning and their length in bytes. JFIF's preview is cut off.
JPEG_HEADERS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
JPEG_HEADER = 12  # bytes of these that are copied
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"cHRM", b"IDAT", b"IEND"})
PNG_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT"})
WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
WEBP_ALPHA_AND_ANIMATION = 0b0001_0010  # the flags of a VP8X header that are kept


def stripped(kind: str, data: bytes) -> bytes | None:
    """The file without metadata and without what follows its end; None if it can't be parsed.

    `kind` is Pillow's name of the format. Nothing is decoded.
    """
    strip: Callable[[bytes], bytes] | None = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}.get(kind)
    try:
        return None if strip is None else strip(data)
    except (ValueError, IndexError, struct.error):
        return None


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG (ITU T.81, annex B); the last one is the end of the image.

    A scan includes its coded data. What follows the image (a phone's video, a preview) is not read. An image that is
    cut off has no end segment.
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
    """What is kept of a segment without pixels: JFIF without its preview, and Adobe's colour transform.

    Old cameras store previews in further JFIF segments, and an Adobe segment may hold any text.
    """
    start, size = JPEG_HEADERS.get(marker, (b"", 0))
    if not start or not body.startswith(start) or len(body) < size:
        return b""
    return bytes([JPEG_START[0], marker]) + struct.pack(">H", 2 + size) + body[:JPEG_HEADER].ljust(size, b"\0")


def _png(data: bytes) -> bytes:
    """PNG (its specification, section 5): chunks of length, name, data and checksum."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError
    kept, offset, name = [PNG_SIGNATURE], len(PNG_SIGNATURE), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if name in PNG_KEPT and _is_sound(data[offset + 4 : end]):
            kept.append(data[offset:end])
        elif name in PNG_NEEDED:
            raise ValueError
        offset = end
    return b"".join(kept)


def _is_sound(chunk: bytes) -> bool:
    """Whether the checksum at the end of the chunk is right."""
    return zlib.crc32(chunk[:-4]) == int.from_bytes(chunk[-4:])


def _webp(data: bytes) -> bytes:
    """WebP (RFC 9649): a RIFF container of chunks, each padded to an even length."""
    riff, size, form = struct.unpack_from("<4sI4s", data)
    if (riff, form) != (b"RIFF", b"WEBP"):
        raise ValueError
    body = b"".join(_webp_chunks(data, min(len(data), size + 8)))
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WEBP") + body


def _webp_chunks(data: bytes, end: int) -> Iterator[bytes]:
    offset = 12
    while offset < end:
        name, length = struct.unpack_from("<4sI", data, offset)
        chunk = data[offset : offset + 8 + length + length % 2]
        if name == b"VP8X":
            yield chunk[:8] + bytes([chunk[8] & WEBP_ALPHA_AND_ANIMATION]) + chunk[9:]
        elif name in WEBP_KEPT:
            yield chunk
        offset += len(chunk)
