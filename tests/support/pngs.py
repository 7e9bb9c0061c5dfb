"""PNGs built chunk by chunk, as Pillow does not write them."""

from __future__ import annotations

import struct
import zlib

GREY, RGB, PALETTE = 0, 2, 3


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(size: tuple[int, int], colours: int, depth: int = 8) -> bytes:
    """The first chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colours, 0, 0, 0))


def packed(rows: list[bytes]) -> bytes:
    """Compressed rows of pixels, none of them filtered."""
    return zlib.compress(b"".join(b"\0" + row for row in rows))


def png(
    size: tuple[int, int], colours: int, rows: list[bytes], *before: bytes, depth: int = 8, after: bytes = b""
) -> bytes:
    """An image with further chunks before and after its pixels."""
    pixels = chunk(b"IDAT", packed(rows))
    return b"".join((b"\x89PNG\r\n\x1a\n", header(size, colours, depth), *before, pixels, after, chunk(b"IEND", b"")))


def frame(
    number: int, size: tuple[int, int], place: tuple[int, int], dispose: int, over: int, milliseconds: int = 70
) -> bytes:
    """The chunk before a frame's pixels."""
    return chunk(b"fcTL", struct.pack(">5I2H2B", number, *size, *place, milliseconds, 1000, dispose, over))


def animated(plays: int, count: int) -> bytes:
    """The chunk that makes it an animation."""
    return chunk(b"acTL", struct.pack(">II", count, plays))
