"""The size of a WebP, read before it is opened: libwebp allocates two copies of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.image.opened_image import Size

HEAD = 30  # bytes
COPIES = 8  # bytes for each pixel: two copies, in RGBA
SIDE, BITS = 0x3FFF, 14  # mask and number of bits of a side


def size_of(path: Path) -> Size:
    """The size in pixels by the first chunk (RFC 9649); (1, 1) if that chunk is unknown."""
    with path.open("rb") as file:
        head = file.read(HEAD).ljust(HEAD, b"\0")
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & SIDE) + 1, (bits >> BITS & SIDE) + 1
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & SIDE, int.from_bytes(head[28:30], "little") & SIDE
    return 1, 1
