"""Images for tests of the encoder, and the encoder's results."""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from processors.media.image import make_images
from tests.support.media import FakeParent, image_options

if TYPE_CHECKING:
    from pathlib import Path

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
TOLERANCE = 12  # of 255: JPEG is not exact


class Encoded(NamedTuple):
    """Both results, opened, and the whole report."""

    size: tuple[int, int]
    compressed: Image.Image
    thumbnail: Image.Image
    report: dict[str, Any]


def run(folder: Path, image: Image.Image | bytes, kind: str = "PNG", **options: Any) -> Encoded:
    """Encode an image that is saved as `kind`."""
    return made(folder, image_options(), image, kind, **options)


def made(
    folder: Path, wanted: dict[str, Any], image: Image.Image | bytes, kind: str = "PNG", **options: Any
) -> Encoded:
    """Encode an image as it is wanted."""
    source = folder / "source"
    if isinstance(image, bytes):
        source.write_bytes(image)
    else:
        quickly = {"compress_level": 1} if kind == "PNG" else {}
        image.save(source, kind, **quickly, **options)
    report = make_images.run(wanted, FakeParent())
    by_variant = {file["variant"]: file for file in reversed(report["files"])}
    first = by_variant["compressed"]
    for file in report["files"]:
        assert (folder / file["name"]).stat().st_size == file["bytes"]
    compressed, thumbnail = (opened(folder / by_variant[name]["name"]) for name in ("compressed", "thumbnail"))
    return Encoded((first["width"], first["height"]), compressed, thumbnail, report)


def opened(path: Path) -> Image.Image:
    """A result, loaded."""
    with Image.open(path) as image:
        image.load()
        return image


def halves(size: tuple[int, int], left: Any, right: Any, mode: str = "RGB") -> Image.Image:
    """An image of two colours, side by side."""
    image = Image.new(mode, size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def close(expected: tuple[int, int, int], actual: Any) -> bool:
    """Whether two colours are equal except for compression."""
    return all(abs(a - b) <= TOLERANCE for a, b in zip(expected, actual, strict=True))


def bytes_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file's bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sized_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Decibels between two images of one size."""
    squares = sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).sum2)
    return 99.0 if not squares else 10 * math.log10(255**2 * 3 * one.width * one.height / squares)


def scene(size: tuple[int, int] = (1200, 900)) -> Image.Image:
    """An image with colours, edges and shades everywhere."""
    shades = [Image.linear_gradient("L").rotate(90 * turn).resize(size) for turn in range(3)]
    image = Image.merge("RGB", shades)
    draw = ImageDraw.Draw(image)
    for number in range(12):
        colour = (number * 20, 255 - number * 20, 128)
        draw.ellipse((number * 90, number * 60, number * 90 + 200, number * 60 + 160), fill=colour)
    return image


def segment(data: bytes, new: bytes) -> bytes:
    """A JPEG with the segment `new` in place of its first one."""
    return data[:2] + new + data[4 + int.from_bytes(data[4:6]) :]


def adobe(transform: int) -> bytes:
    """Adobe's segment, which says how a JPEG's colours are stored."""
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


COLOURS = scene((1600, 1200))
PLAIN = bytes_of(COLOURS, "JPEG", quality=95)


def swapped_profile() -> bytes:
    """An RGB profile with sRGB's red and green swapped, so that a conversion is visible."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    for index in range(count):
        place = 132 + 12 * index
        name = bytes(profile[place : place + 4])
        profile[place : place + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


def fallback_png() -> bytes:
    """An animated PNG, green then half blue, with a red default image before its frames."""
    frames = [Image.new("RGBA", (400, 300), (*GREEN, 255)), halves((400, 300), (*BLUE, 255), (0, 0, 0, 0), "RGBA")]
    red = Image.new("RGBA", (400, 300), (*RED, 255))
    return bytes_of(red, "PNG", save_all=True, append_images=frames, default_image=True, duration=[70, 80])
