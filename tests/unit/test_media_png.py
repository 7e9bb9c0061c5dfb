"""PNGs of other programs: chunks beside the pixels, transparency, colours, and frames."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from processors.media.image.png import Png
from processors.sandbox.protocol import RefusedError
from tests.support.images import GREEN, RED, WHITE, bytes_of, close, made, run, scene
from tests.support.media import image_options
from tests.support.pngs import GREY, PALETTE, RGB, animated, chunk, frame, header, packed, png

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (40, 30)
ORANGE = (200, 100, 50)
PLAIN = [bytes(ORANGE) * 40] * 30


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def text(name: bytes, words: bytes) -> bytes:
    """Compressed text."""
    return chunk(name, b"Comment\0\0" + zlib.compress(words))


def spoilt(whole: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return whole[:-4] + bytes(4)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(text(b"zTXt", bytes(3 * 1024**2)), b"", id="long text"),
        pytest.param(b"", text(b"zTXt", bytes(3 * 1024**2)), id="long text behind it"),
        pytest.param(spoilt(text(b"zTXt", b"word")), b"", id="text with a wrong checksum"),
        pytest.param(spoilt(chunk(b"gAMA", struct.pack(">I", 100_000))), b"", id="a gamma with a wrong checksum"),
        pytest.param(chunk(b"iCCP", b"name\0\0nonsense"), b"", id="a profile that is none"),
        pytest.param(chunk(b"tIME", b""), chunk(b"eXIf", b"nonsense"), id="a time without length, EXIF that is none"),
        pytest.param(spoilt(animated(0, 2)), b"", id="an animation with a wrong checksum"),
    ],
)
def test_bad_chunks_beside_the_pixels_do_no_harm(tmp_path: Path, before: bytes, after: bytes) -> None:
    """Browsers show such images, so they are read, whatever is wrong with texts, times and profiles."""
    result = run(tmp_path, png(SIZE, RGB, PLAIN, before, after=after))

    assert close(ORANGE, result.compressed.convert("RGB").getpixel((20, 15)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(png(SIZE, RGB, PLAIN)[:60], "damaged", id="cut off"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + spoilt(header(SIZE, RGB)), "checksum of IHDR", id="a wrong checksum"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "damaged: it has no header", id="nothing else"),
        pytest.param(
            png(SIZE, PALETTE, [bytes(40)] * 30, spoilt(chunk(b"PLTE", bytes(6)))), "checksum", id="a palette"
        ),
    ],
)
def test_damage_is_called_damage(tmp_path: Path, data: bytes, words: str) -> None:
    """An unreadable file that begins as an image is damaged, and not of another kind."""
    with pytest.raises(RefusedError, match=words):
        run(tmp_path, data)


def wide(*numbers: int) -> bytes:
    """Numbers of 16 bits."""
    return struct.pack(f">{len(numbers)}H", *numbers)


@pytest.mark.parametrize(
    ("colours", "bits", "left", "right", "key"),
    [
        (GREY, 16, wide(0x8000), wide(0x8001), wide(0x8000)),
        (GREY, 8, b"\x80", b"\x81", wide(0x80)),
        (GREY, 4, b"\x33", b"\x44", wide(3)),
        (GREY, 2, b"\x55", b"\xaa", wide(1)),
        (GREY, 1, b"\0", b"\xff", wide(0)),
        (RGB, 24, bytes(ORANGE), bytes(RED), wide(*ORANGE)),
        (RGB, 48, wide(0x8000, 0x4000, 0x2000), wide(0x8100, 0x4000, 0x2000), wide(0x8000, 0x4000, 0x2000)),
        (PALETTE, 8, b"\0", b"\1", b"\0"),
    ],
)
def test_one_colour_that_is_transparent(
    tmp_path: Path, colours: int, bits: int, left: bytes, right: bytes, key: bytes
) -> None:
    """It is read at the file's own bit depth; neighbouring colours stay."""
    row = left * (16 * bits // 8 // len(left)) + right * (24 * bits // 8 // len(right))
    palette = chunk(b"PLTE", bytes((*ORANGE, *RED))) if colours == PALETTE else b""
    data = png(SIZE, colours, [row] * 30, palette, chunk(b"tRNS", key), depth=bits // 3 if colours == RGB else bits)

    result = made(tmp_path, image_options(alpha="keep", background="#00ff00", original=False), data)

    seen = result.compressed.convert("RGBA")
    assert (0, 255) == (seen.getpixel((5, 15))[3], seen.getpixel((35, 15))[3])  # type: ignore[index]
    assert close(GREEN, result.thumbnail.getpixel((5, 15)))


def chromaticities(*numbers: int) -> bytes:
    """White, red, green and blue, in thousandths."""
    return chunk(b"cHRM", struct.pack(">8I", *(100 * number for number in numbers)))


def gamma(number: int) -> bytes:
    """The gamma, times 100,000."""
    return chunk(b"gAMA", struct.pack(">I", number))


OF_P3 = chromaticities(313, 329, 680, 320, 265, 690, 150, 60)
OF_SRGB = chromaticities(313, 329, 640, 330, 300, 600, 150, 60)


@pytest.mark.parametrize(
    ("chunks", "shown"),
    [
        pytest.param([gamma(100_000)], (229, 168, 122), id="light itself"),
        pytest.param([gamma(22_727)], (158, 34, 3), id="a gamma of 4.4"),
        pytest.param([gamma(45_455)], ORANGE, id="sRGB's gamma"),
        pytest.param([gamma(45_455), OF_SRGB], ORANGE, id="sRGB's gamma and primaries"),
        pytest.param([gamma(45_455), OF_P3], (216, 93, 24), id="P3's primaries"),
        pytest.param([OF_P3], ORANGE, id="primaries alone"),
        pytest.param([chunk(b"sRGB", b"\0"), gamma(100_000)], ORANGE, id="sRGB by name"),
        pytest.param([chunk(b"cICP", b"\x0c\x0d\0\1")], (215, 93, 31), id="Display P3"),
        pytest.param([chunk(b"cICP", b"\x09\x0d\0\1")], (241, 76, 29), id="BT.2020"),
        pytest.param([chunk(b"cICP", b"\1\1\0\1")], (197, 91, 39), id="BT.709"),
        pytest.param([chunk(b"cICP", b"\1\x08\0\1")], (229, 168, 122), id="linear"),
        pytest.param([chunk(b"cICP", b"\1\x0d\0\1"), gamma(100_000)], ORANGE, id="sRGB by its numbers"),
        pytest.param([chunk(b"cICP", b"\x63\x63\0\1")], ORANGE, id="numbers of nothing"),
        pytest.param([gamma(0)], ORANGE, id="no gamma"),
        pytest.param([gamma(1)], (0, 0, 0), id="a gamma beyond all"),
        pytest.param([gamma(100_000), chromaticities(*[0] * 8)], ORANGE, id="no colours"),
        pytest.param([gamma(100_000), chromaticities(*[300] * 8)], ORANGE, id="one colour"),
    ],
)
def test_colours_are_those_that_the_file_means(
    tmp_path: Path, chunks: list[bytes], shown: tuple[int, int, int]
) -> None:
    """Gamma, primaries and coding points are used; the numbers are those of Chromium 141."""
    result = made(tmp_path, image_options(formats=["png"]), png(SIZE, RGB, PLAIN, *chunks))

    actual = result.compressed.convert("RGB").getpixel((20, 15))
    assert shown == pytest.approx(actual, abs=1)


def test_a_gamma_holds_for_grey(tmp_path: Path) -> None:
    """Chromium uses it for grey images as well."""
    result = made(tmp_path, image_options(formats=["png"]), png(SIZE, GREY, [b"\x80" * 40] * 30, gamma(100_000)))

    assert (188, 188, 188) == result.compressed.convert("RGB").getpixel((20, 15))


@pytest.mark.parametrize(("transfer", "paper"), [(16, 148), (18, 191)])
def test_high_dynamic_range_is_brought_into_plain_colours(tmp_path: Path, transfer: int, paper: int) -> None:
    """Shades stay distinct up to five times the brightness of paper, which is a light grey; their order is kept."""
    row = bytes(value for value in range(256) for _ in range(3))
    data = png((256, 30), RGB, [row] * 30, chunk(b"cICP", bytes((9, transfer, 0, 1))))

    seen = made(tmp_path, image_options(formats=["png"]), data).compressed.convert("L")

    shades = [int(str(seen.getpixel((value, 15)))) for value in range(256)]
    assert shades == sorted(shades)
    assert (0, 255) == (shades[0], shades[255])
    assert 180 < shades[paper] < 200


def blinking(*chunks: bytes, frames: int = 3) -> bytes:
    """An animation with a palette: red all over, then a white square here, then one there."""
    square = packed([b"\1" * 10] * 10)
    parts = [frame(0, SIZE, (0, 0), 0, 0), chunk(b"IDAT", packed([bytes(40)] * 30))]
    for number in range(1, frames):
        parts.append(frame(2 * number - 1, (10, 10), (10 * number, 5), 2, 1))
        parts.append(chunk(b"fdAT", struct.pack(">I", 2 * number) + square))
    start = (b"\x89PNG\r\n\x1a\n", header(SIZE, PALETTE), chunk(b"PLTE", bytes((*RED, *WHITE))), *chunks)
    return b"".join((*start, animated(3, frames), *parts, chunk(b"IEND", b"")))


def test_an_animation_with_a_palette_keeps_its_colours(tmp_path: Path) -> None:
    """Each frame is as in browsers, with its disposal; the number of repeats is kept."""
    result = run(tmp_path, blinking())

    with Image.open(tmp_path / "compressed.webp") as image:
        assert (3, 3) == (getattr(image, "n_frames", 1), image.info["loop"])
        for number, at in enumerate([None, 15, 25]):
            image.seek(number)
            seen = image.convert("RGB")
            for x in (15, 25):
                assert close(WHITE if x == at else RED, seen.getpixel((x, 10)))
    assert close(RED, result.thumbnail.getpixel((15, 10)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(blinking(frames=1), id="one frame"),
        pytest.param(blinking().replace(struct.pack(">2I", 10, 5), struct.pack(">2I", 31, 5)), id="a frame outside"),
    ],
)
def test_a_png_without_usable_frames_is_an_image(tmp_path: Path, data: bytes) -> None:
    """One frame, or a malformed one: the image in the file is used."""
    result = run(tmp_path, data)

    assert (None, 1) == (result.report["animation"], getattr(result.compressed, "n_frames", 1))
    assert close(RED, result.compressed.convert("RGB").getpixel((20, 15)))


@pytest.mark.parametrize(
    ("over", "dispose", "expected"),
    [
        (0, 0, [None, None]),
        (1, 0, [RED, RED]),
        (1, 1, [RED, None]),
        (0, 2, [None, RED]),
    ],
)
def test_blending_and_disposal_of_frames(over: int, dispose: int, expected: list[Any]) -> None:
    """A transparent frame in the second place, then an empty one elsewhere: the pixels at its place."""
    clear = chunk(b"PLTE", bytes((*RED, *WHITE))) + chunk(b"tRNS", b"\xff\0")
    square = packed([b"\1" * 10] * 10)
    data = b"".join((
        b"\x89PNG\r\n\x1a\n", header(SIZE, PALETTE), clear, animated(0, 3),
        frame(0, SIZE, (0, 0), 0, 0), chunk(b"IDAT", packed([bytes(40)] * 30)),
        frame(1, (10, 10), (10, 5), dispose, over), chunk(b"fdAT", struct.pack(">I", 2) + square),
        frame(3, (10, 10), (30, 20), 0, 1), chunk(b"fdAT", struct.pack(">I", 4) + square),
        chunk(b"IEND", b""),
    ))  # fmt: skip

    moving = Png(data).animation
    assert moving is not None
    seen = [shown.pixels.getpixel((15, 10)) for shown in moving.frames()]

    assert [RED, *expected] == [colour[:3] if colour[3] else None for colour in map(tuple, seen)]  # type: ignore[arg-type]


@pytest.mark.slow
def test_exif_turns_it_and_xmp_does_not(tmp_path: Path) -> None:
    """Both can have the orientation; browsers use EXIF alone."""
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'

    assert (600, 800) == run(tmp_path, scene((800, 600)), "PNG", exif=exif).size
    for kind, options in (("JPEG", {"xmp": xmp}), ("WEBP", {"xmp": xmp})):
        assert (800, 600) == run(tmp_path, bytes_of(scene((800, 600)), kind, **options)).size
    told = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    assert SIZE == run(tmp_path, png(SIZE, RGB, PLAIN, told)).size
