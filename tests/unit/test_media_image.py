"""Encoding an image: its size, sides and options, on images that Pillow makes."""

from __future__ import annotations

import io
import math
import struct
import sys
from typing import TYPE_CHECKING, Any

import pillow_heif
import pytest
from PIL import Image, ImageCms

from processors.media.image import decode, render
from tests.support.images import (
    BLUE,
    RED,
    TOLERANCE,
    WHITE,
    bytes_of,
    close,
    halves,
    made,
    opened,
    run,
)
from tests.support.media import FakeParent, image_options

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("source", "compressed", "thumbnail"),
    [
        pytest.param((4000, 3000), (1440, 1080), (320, 240), marks=pytest.mark.golden),
        pytest.param((3000, 4000), (810, 1080), (320, 240), marks=pytest.mark.golden),
        ((2000, 1000), (1920, 960), (320, 240)),
        ((1920, 1080), (1920, 1080), (320, 240)),
        ((800, 600), (800, 600), (320, 240)),
        ((100, 80), (100, 80), (100, 75)),
        ((80, 100), (80, 100), (80, 60)),
        ((1, 1), (1, 1), (1, 1)),
        pytest.param((600, 9000), (72, 1080), (320, 240), marks=pytest.mark.golden),
        pytest.param((9000, 500), (1920, 107), (320, 240), marks=pytest.mark.golden),
        ((9000, 3), (1920, 1), (4, 3)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_sizes(
    tmp_path: Path,
    kind: str,
    source: tuple[int, int],
    compressed: tuple[int, int],
    thumbnail: tuple[int, int],
) -> None:
    """The result fits 1920x1080, the thumbnail is a 4:3 crop of at most 320x240, and nothing is enlarged."""
    result = run(tmp_path, Image.new("RGB", source), kind)

    assert (compressed, compressed) == (result.size, result.compressed.size)
    assert thumbnail == result.thumbnail.size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    """Turned or mirrored images look as they were taken, and the tag is gone."""
    upright = Image.new("RGB", (400, 300), WHITE)
    upright.paste(RED, (0, 0, 200, 150))
    upright.paste(BLUE, (200, 0, 400, 150))
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn = undo.get(orientation, render.UPRIGHT.get(orientation))
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation

    result = run(tmp_path, stored, "JPEG", exif=exif, quality=95)

    for image in (result.compressed, result.thumbnail):
        width, height = image.size
        assert width > height
        assert close(RED, image.getpixel((width // 4, height // 4)))
        assert close(BLUE, image.getpixel((width * 3 // 4, height // 4)))
        assert close(WHITE, image.getpixel((width // 4, height * 3 // 4)))
        assert not image.getexif()


@pytest.mark.slow
def test_a_large_upright_phone_image_fits_upright(tmp_path: Path) -> None:
    """The limits hold for the upright image: 3000x4000 after turning is 1080 high."""
    exif = Image.Exif()
    exif[0x0112] = 6

    result = run(tmp_path, Image.new("RGB", (4000, 3000)), "JPEG", exif=exif)

    assert result.size == (810, 1080)
    assert result.thumbnail.size == (320, 240)


@pytest.mark.parametrize(
    ("size", "orientation", "decoded", "box"),
    [
        ((4000, 3000), 1, (2000, 1500), (0, 0, 2000, 1500)),
        ((4001, 3001), 1, (2001, 1501), (0, 0, 2000.5, 1500.5)),
        ((5000, 3752), 6, (1250, 938), (0, 0, 1250, 938)),
        ((600, 9000), 1, (600, 9000), (0, 0, 600, 9000)),
    ],
)
def test_a_jpeg_is_decoded_no_larger_than_needed(
    tmp_path: Path, size: tuple[int, int], orientation: int, decoded: tuple[int, int], box: tuple[float, ...]
) -> None:
    """At the smallest fraction from which both results can be made."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(tmp_path / "source", "JPEG", exif=exif)

    upright = size[::-1] if orientation == 6 else size
    scales = [render.fit_scale(upright, (1920, 1080)), render.cover_scale(upright, (320, 240))]
    with decode.opened(tmp_path / "source", FakeParent()) as image:
        source = decode.decode(image, max(scales), ["jpeg"], FakeParent())

    assert (decoded, box) == (source.pixels.size, source.box)


def test_metadata_is_stripped(tmp_path: Path) -> None:
    """Neither result has the upload's position, comment, profile or resolution."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010F] = "SecretCamera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    result = run(
        tmp_path,
        Image.new("RGB", (400, 300)),
        "JPEG",
        exif=exif,
        comment=b"SecretComment",
        icc_profile=profile,
        dpi=(300, 300),
    )

    assert set(result.compressed.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert result.compressed.info["jfif_density"] == (1, 1)
    for name in ("compressed.jpg", "thumbnail.jpg"):
        assert b"Secret" not in (tmp_path / name).read_bytes()


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA"), "PNG"),
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA"), "WEBP"),
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA").quantize(4), "PNG"),
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA"), "GIF"),
    ],
)
def test_transparency_is_put_on_white(tmp_path: Path, image: Image.Image, kind: str) -> None:
    """Transparent areas become white, not black, and the rest keeps its colour."""
    result = run(tmp_path, image, kind)

    assert close(RED, result.compressed.getpixel((50, 150)))
    assert close(WHITE, result.compressed.getpixel((350, 150)))
    assert close(WHITE, result.thumbnail.getpixel((300, 120)))


def test_hidden_colours_don_t_bleed(tmp_path: Path) -> None:
    """The colour under full transparency does not reach the pixels next to it."""
    result = run(tmp_path, halves((400, 3000), (*WHITE, 255), (0, 0, 0, 0), "RGBA"))

    assert min(result.compressed.tobytes()) > 255 - TOLERANCE


def test_transparency_may_be_kept(tmp_path: Path) -> None:
    """In WebP, because JPEG has none; the thumbnail has a background all the same."""
    image = halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA")

    result = made(tmp_path, image_options(alpha="keep", background="#0000ff"), image)

    assert "webp" == result.report["files"][0]["format"]
    alpha = result.compressed.getchannel("A")
    assert (0, 255) == (alpha.getpixel((390, 10)), alpha.getpixel((10, 10)))
    assert close(BLUE, result.thumbnail.getpixel((300, 120)))


def test_the_background_is_a_choice(tmp_path: Path) -> None:
    """Transparent areas get the job's colour."""
    image = halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA")

    result = made(tmp_path, image_options(background="#0000ff"), image)

    assert close(BLUE, result.compressed.getpixel((350, 150)))


@pytest.mark.golden
def test_formats_and_widths(tmp_path: Path) -> None:
    """Each width comes in each format; a width beyond the upload's is left out."""
    wanted = image_options(formats=["jpeg", "webp", "avif"], widths=[640, 3000], progressive=True)

    result = made(tmp_path, wanted, halves((2000, 1000), RED, BLUE))

    sizes = {(file["variant"], file["format"]): (file["width"], file["height"]) for file in result.report["files"]}
    forms = ("jpeg", "webp", "avif")
    assert sizes == {
        **{("compressed", form): (1920, 960) for form in forms},
        **{("640w", form): (640, 320) for form in forms},
        **{("3000w", form): (2000, 1000) for form in forms},
        ("thumbnail", "jpeg"): (320, 240),
    }
    assert result.compressed.info["progressive"]
    assert ["JPEG", "WEBP", "AVIF"] == [opened(tmp_path / f"640w.{end}").format for end in ("jpg", "webp", "avif")]


def test_the_thumbnail_may_show_the_busiest_part(tmp_path: Path) -> None:
    """By entropy the crop falls on the details, and not on the plain middle."""
    image = Image.new("RGB", (1600, 400), WHITE)
    image.paste(Image.effect_noise((400, 400), 90).convert("RGB"), (1200, 0))

    plain = made(tmp_path, image_options(), image).thumbnail
    busy = made(tmp_path, image_options(crop="entropy"), image).thumbnail

    assert plain.convert("L").entropy() < 0.5
    assert busy.convert("L").entropy() > 5


def test_heic_of_iphones_is_read(tmp_path: Path) -> None:
    """HEIC is read."""
    pillow_heif.register_heif_opener()

    result = run(tmp_path, halves((400, 300), RED, BLUE), "HEIF", quality=90)

    assert ("jpeg", (400, 300)) == (result.report["files"][0]["format"], result.size)
    assert close(RED, result.compressed.getpixel((50, 150)))
    assert close(BLUE, result.compressed.getpixel((350, 150)))


@pytest.mark.parametrize("installed", [True, False])
def test_an_avif_of_a_general_brand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    """A file whose first brand is HEIF's general one is an AVIF if it names that as well, with the extra or not."""
    if not installed:
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = bytes_of(halves((400, 300), RED, BLUE), "AVIF", quality=90)
    assert (b"avif", True) == (data[8:12], b"mif1" in data[16:32])

    result = run(tmp_path, data[:8] + b"mif1" + data[12:16] + data[16:32].replace(b"mif1", b"avif") + data[32:])

    assert ("AVIF", (400, 300)) == (result.report["kind"], result.size)
    assert close(RED, result.compressed.getpixel((50, 150)))


def test_facts(tmp_path: Path) -> None:
    """The report has a BlurHash and the dominant colour."""
    result = run(tmp_path, halves((400, 300), RED, RED))

    assert ("#ff0000", 28) == (result.report["dominantColor"], len(result.report["blurhash"]))


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 30}),
        ("JPEG", "L", {"quality": 30, "progressive": True}),
        ("WEBP", "RGB", {}),
        ("PNG", "P", {}),
    ],
)
def test_a_result_of_the_same_size_has_no_more_bytes(
    tmp_path: Path, kind: str, mode: str, options: dict[str, Any]
) -> None:
    """If encoding would add bytes, the upload's own pixels are kept, without its metadata."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    extra: dict[str, dict[str, Any]] = {
        "JPEG": {"comment": b"SecretComment", "exif": exif},
        "WEBP": {"exif": exif, "quality": 10},
        "PNG": {},
    }
    image = Image.effect_noise((300, 200), 60).convert(mode)
    if kind == "PNG":
        image = Image.new("RGB", (300, 200), RED).quantize(2)
    data = bytes_of(image, kind, **options, **extra[kind]) + b"<script>SecretTail</script>"

    result = run(tmp_path, data)

    main = result.report["files"][0]
    assert (kind, True) == (result.compressed.format, main["bytes"] <= len(data))
    assert result.compressed.convert("RGB").tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    assert b"Secret" not in (tmp_path / main["name"]).read_bytes()
    assert not result.compressed.getexif()


def test_the_uploads_own_format_is_not_made_twice(tmp_path: Path) -> None:
    """The kept pixels serve for another requested format that equals theirs."""
    image = Image.new("RGB", (300, 200), RED).quantize(2)

    result = made(tmp_path, image_options(formats=["jpeg", "png", "webp"], widths=[100, 100]), image)

    names = [file["name"] for file in result.report["files"]]
    assert len(names) == len(set(names))
    assert names[:2] == ["compressed.png", "compressed.webp"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\0\x0c\0\0\0\1\0\0\0\x1a" + struct.pack(">d", math.inf), id="an infinite number"),
        pytest.param(b"\0\x0c\0\0\0\1\0\0\0\x1a" + struct.pack(">d", math.nan), id="no number"),
        pytest.param(b"\0\x05\0\0\0\1\0\0\0\x1a" + bytes(8), id="a division by zero"),
        pytest.param(b"\0\x03\0\0\0\1\0\x09\0\0", id="none of the eight"),
    ],
)
def test_an_orientation_that_is_none_counts_as_upright(tmp_path: Path, value: bytes) -> None:
    """An image with an unreadable or wrong orientation stays as stored, and may be kept."""
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\1\x01\x12" + value[:10] + bytes(4) + value[10:]

    result = run(tmp_path, Image.effect_noise((40, 30), 90), "JPEG", exif=exif, quality=5)

    assert (40, 30) == result.size
    assert (tmp_path / "source").stat().st_size - len(exif) - 4 == result.report["files"][0]["bytes"]
