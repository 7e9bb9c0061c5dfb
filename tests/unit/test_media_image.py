"""Encoding a picture, on pictures that Pillow makes."""

from __future__ import annotations

import io
import math
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from processors.media.image import decode, original, render, task
from processors.media.image.write import KINDS
from processors.media.sandbox.wire import RefusedError
from tests.support.media import FakeParent, wishes

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


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def run(folder: Path, picture: Image.Image | bytes, kind: str = "PNG", **options: Any) -> Encoded:
    """Encode a picture that is saved as `kind`."""
    return made(folder, wishes(), picture, kind, **options)


def made(
    folder: Path, wanted: dict[str, Any], picture: Image.Image | bytes, kind: str = "PNG", **options: Any
) -> Encoded:
    """Encode a picture as it is wanted."""
    source = folder / "source"
    if isinstance(picture, bytes):
        source.write_bytes(picture)
    else:
        picture.save(source, kind, **options)
    report = task.run(wanted, FakeParent())
    by_variant = {file["variant"]: file for file in reversed(report["files"])}
    first = by_variant["compressed"]
    for file in report["files"]:
        assert (folder / file["name"]).stat().st_size == file["bytes"]
    compressed, thumbnail = (opened(folder / by_variant[name]["name"]) for name in ("compressed", "thumbnail"))
    return Encoded((first["width"], first["height"]), compressed, thumbnail, report)


def opened(path: Path) -> Image.Image:
    """A result, loaded."""
    with Image.open(path) as picture:
        picture.load()
        return picture


def halves(size: tuple[int, int], left: Any, right: Any, mode: str = "RGB") -> Image.Image:
    """A picture of two colours, side by side."""
    picture = Image.new(mode, size, right)
    picture.paste(left, (0, 0, size[0] // 2, size[1]))
    return picture


def close(expected: tuple[int, int, int], actual: Any) -> bool:
    """Whether two colours are the same but for compression."""
    return all(abs(a - b) <= TOLERANCE for a, b in zip(expected, actual, strict=True))


def bytes_of(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The file's bytes."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def sized_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("source", "compressed", "thumbnail"),
    [
        ((4000, 3000), (1440, 1080), (320, 240)),
        ((3000, 4000), (810, 1080), (320, 240)),
        ((2000, 1000), (1920, 960), (320, 240)),
        ((1920, 1080), (1920, 1080), (320, 240)),
        ((800, 600), (800, 600), (320, 240)),
        ((100, 80), (100, 80), (100, 75)),
        ((80, 100), (80, 100), (80, 60)),
        ((1, 1), (1, 1), (1, 1)),
        ((600, 9000), (72, 1080), (320, 240)),
        ((9000, 500), (1920, 107), (320, 240)),
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
    """The result fits 1920x1080, the thumbnail is a 4:3 cut of at most 320x240, and nothing is enlarged."""
    result = run(tmp_path, Image.new("RGB", source), kind)

    assert (compressed, compressed) == (result.size, result.compressed.size)
    assert thumbnail == result.thumbnail.size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    """A picture that a camera stored turned or mirrored is seen as it was taken, and the tag is gone."""
    upright = Image.new("RGB", (400, 300), WHITE)
    upright.paste(RED, (0, 0, 200, 150))
    upright.paste(BLUE, (200, 0, 400, 150))
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn = undo.get(orientation, render.UPRIGHT.get(orientation))
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation

    result = run(tmp_path, stored, "JPEG", exif=exif, quality=95)

    for picture in (result.compressed, result.thumbnail):
        width, height = picture.size
        assert width > height
        assert close(RED, picture.getpixel((width // 4, height // 4)))
        assert close(BLUE, picture.getpixel((width * 3 // 4, height // 4)))
        assert close(WHITE, picture.getpixel((width // 4, height * 3 // 4)))
        assert not picture.getexif()


def test_a_large_upright_phone_picture_fits_upright(tmp_path: Path) -> None:
    """The limits hold for the picture as it is seen: 3000x4000 after turning is 1080 high."""
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
    """A large JPEG is decoded at the smallest fraction that both results can be made of."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(tmp_path / "source", "JPEG", exif=exif)

    upright = size[::-1] if orientation == 6 else size
    scales = [render.fit_scale(upright, (1920, 1080)), render.cover_scale(upright, (320, 240))]
    with decode.opened(tmp_path / "source") as picture:
        source = decode.decode(picture, max(scales), ["jpeg"], FakeParent())

    assert (decoded, box) == (source.pixels.size, source.box)


def test_metadata_is_stripped(tmp_path: Path) -> None:
    """Position, comment, profile and resolution of the upload are in neither result."""
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
    ("picture", "kind"),
    [
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA"), "PNG"),
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA"), "WEBP"),
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA").quantize(4), "PNG"),
        (halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA"), "GIF"),
    ],
)
def test_transparency_is_put_on_white(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    """What was transparent is white, not black, and the rest keeps its colour."""
    result = run(tmp_path, picture, kind)

    assert close(RED, result.compressed.getpixel((50, 150)))
    assert close(WHITE, result.compressed.getpixel((350, 150)))
    assert close(WHITE, result.thumbnail.getpixel((300, 120)))


def test_hidden_colours_don_t_bleed(tmp_path: Path) -> None:
    """The colour under full transparency has no part in the pixels next to it."""
    result = run(tmp_path, halves((4000, 3000), (*WHITE, 255), (0, 0, 0, 0), "RGBA"))

    assert min(result.compressed.tobytes()) > 255 - TOLERANCE


@pytest.mark.parametrize(
    ("picture", "kind", "left", "right"),
    [
        (halves((400, 300), RED, BLUE), "WEBP", RED, BLUE),
        (halves((400, 300), RED, BLUE), "AVIF", RED, BLUE),
        (halves((400, 300), RED, BLUE).quantize(4), "PNG", RED, BLUE),
        (halves((400, 300), 0, 1, "1"), "PNG", (0, 0, 0), WHITE),
        (halves((400, 300), 255, 0, "L"), "JPEG", WHITE, (0, 0, 0)),
        (halves((400, 300), (255, 255), (255, 0), "LA"), "PNG", WHITE, WHITE),
        (Image.new("I;16", (400, 300), 65535), "PNG", WHITE, WHITE),
        (Image.new("I;16", (400, 300), 32768), "PNG", (128, 128, 128), (128, 128, 128)),
        (halves((400, 300), (0, 255, 255, 0), (0, 0, 0, 0), "CMYK"), "JPEG", RED, WHITE),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(
    tmp_path: Path, picture: Image.Image, kind: str, left: tuple[int, int, int], right: tuple[int, int, int]
) -> None:
    """Palettes, grey, 16 bits, one bit and print colours keep their look; print colours and 16 bits become RGB."""
    result = run(tmp_path, picture, kind)

    assert result.compressed.mode in ({"RGB"} if picture.mode in {"CMYK", "I;16", "LA"} else {"RGB", "L", "1", "P"})
    for seen in (result.compressed.convert("RGB"), result.thumbnail):
        assert close(left, seen.getpixel((seen.width // 8, seen.height // 2)))
        assert close(right, seen.getpixel((seen.width * 7 // 8, seen.height // 2)))


def animation(*colours: tuple[int, int, int], size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """An animated GIF, each frame of one colour, 70 ms each."""
    frames = [Image.new("P", size) for _ in colours]
    for frame, colour in zip(frames, colours, strict=True):
        frame.putpalette([*colour])
    return bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=70, loop=0, **options)


def test_an_animation_is_kept(tmp_path: Path) -> None:
    """An animated GIF becomes an animated WebP with all frames and their times, and the report says so."""
    result = run(tmp_path, animation(RED, GREEN, BLUE, size=(4000, 3000)))

    assert ("kept", "webp", (1440, 1080)) == (
        result.report["animation"],
        result.report["files"][0]["format"],
        result.size,
    )
    with Image.open(tmp_path / "compressed.webp") as picture:
        assert 3 == getattr(picture, "n_frames", 1)
        for number, colour in enumerate((RED, GREEN, BLUE)):
            picture.seek(number)
            assert close(colour, picture.convert("RGB").getpixel((700, 500)))
            assert 70 == picture.info["duration"]
        assert 0 == picture.info["loop"]
    assert close(RED, result.thumbnail.getpixel((100, 100)))


def test_the_first_frame_of_an_animation_may_be_asked_for(tmp_path: Path) -> None:
    """Cut to its first frame only where that is wanted; the report says so."""
    result = made(tmp_path, wishes(animation="first-frame"), animation(RED, BLUE))

    assert ("first-frame", 1) == (result.report["animation"], getattr(result.compressed, "n_frames", 1))
    assert close(RED, result.compressed.convert("RGB").getpixel((20, 15)))


def fallback_png() -> bytes:
    """An animated PNG, green then half blue, with a red picture before it for those who can't show it move."""
    frames = [Image.new("RGBA", (400, 300), (*GREEN, 255)), halves((400, 300), (*BLUE, 255), (0, 0, 0, 0), "RGBA")]
    red = Image.new("RGBA", (400, 300), (*RED, 255))
    return bytes_of(red, "PNG", save_all=True, append_images=frames, default_image=True, duration=[70, 80])


def test_a_png_s_picture_for_those_who_can_t_show_it_move_is_no_frame(tmp_path: Path) -> None:
    """An animated PNG that has one beside its frames is kept without it, and the thumbnail shows the first frame."""
    result = run(tmp_path, fallback_png())

    with Image.open(tmp_path / "compressed.webp") as picture:
        assert 2 == getattr(picture, "n_frames", 1)
        for number, (colour, duration) in enumerate(((GREEN, 70), (BLUE, 80))):
            picture.seek(number)
            assert close(colour, picture.convert("RGB").getpixel((50, 150)))
            assert duration == picture.info["duration"]
    assert close(GREEN, result.thumbnail.getpixel((100, 100)))
    assert close(GREEN, made(tmp_path, wishes(animation="first-frame"), fallback_png()).compressed.getpixel((100, 100)))


def test_memory_for_an_animation_grows_with_the_upload(tmp_path: Path) -> None:
    """Libwebp keeps all frames that it has made until the last one, which an upload of more bytes has more of."""
    needs = []
    for count in (2, 6):
        parent = FakeParent()
        frames = [Image.effect_noise((64, 48), 90) for _ in range(count)]
        frames[0].save(tmp_path / "source", "GIF", save_all=True, append_images=frames[1:])
        task.run(wishes(), parent)
        needs.append((*parent.reserved, (tmp_path / "source").stat().st_size))

    assert 2 * (needs[1][1] - needs[0][1]) == needs[1][0] - needs[0][0]


@pytest.mark.parametrize(("frames", "size"), [(1001, (2, 2)), (40, (4000, 3000))])
def test_an_animation_has_its_limits(tmp_path: Path, frames: int, size: tuple[int, int]) -> None:
    """Too many frames, or too many pixels in all of them together, are refused before they are rendered."""
    data = animation(*((number % 256, number // 256, 0) for number in range(frames)), size=(2, 2))
    claim = data[:6] + struct.pack("<HH", *size) + data[10:]

    with pytest.raises(RefusedError, match="more than 1000 frames or 300 million pixels"):
        run(tmp_path, claim)


def test_a_still_picture_is_no_animation(tmp_path: Path) -> None:
    """There is nothing to say of frames."""
    assert run(tmp_path, Image.new("RGB", (4, 3))).report["animation"] is None


def test_transparency_may_be_kept(tmp_path: Path) -> None:
    """It is kept in WebP, for JPEG has none; the thumbnail is on the background all the same."""
    picture = halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA")

    result = made(tmp_path, wishes(alpha="keep", background="#0000ff"), picture)

    assert "webp" == result.report["files"][0]["format"]
    alpha = result.compressed.getchannel("A")
    assert (0, 255) == (alpha.getpixel((390, 10)), alpha.getpixel((10, 10)))
    assert close(BLUE, result.thumbnail.getpixel((300, 120)))


def test_the_background_is_a_choice(tmp_path: Path) -> None:
    """Transparency lies on the colour that the job names."""
    picture = halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA")

    result = made(tmp_path, wishes(background="#0000ff"), picture)

    assert close(BLUE, result.compressed.getpixel((350, 150)))


@pytest.mark.parametrize("alpha", ["flatten", "keep"])
def test_the_background_has_no_part_in_the_picture_s_profile(tmp_path: Path, alpha: str) -> None:
    """The colour that the job names is sRGB, whatever the upload's numbers mean; the picture is converted first."""
    picture = halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA")
    profile = swapped_profile()

    result = made(tmp_path, wishes(background="#ff0000", alpha=alpha), picture, icc_profile=profile)

    assert close(RED, result.thumbnail.getpixel((300, 120)))
    assert close(GREEN, result.thumbnail.getpixel((20, 120)))
    shown = result.compressed.getpixel((350, 150))
    assert close(RED, shown) if alpha == "flatten" else (0, 0, 0, 0) == shown


def test_formats_and_widths(tmp_path: Path) -> None:
    """Each width comes in each format; a width beyond the upload's is not made up."""
    wanted = wishes(formats=["jpeg", "webp", "avif"], widths=[640, 3000], progressive=True)

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
    """By entropy the cut falls on what is to be seen, and not on the plain middle."""
    picture = Image.new("RGB", (1600, 400), WHITE)
    picture.paste(Image.effect_noise((400, 400), 90).convert("RGB"), (1200, 0))

    plain = made(tmp_path, wishes(), picture).thumbnail
    busy = made(tmp_path, wishes(crop="entropy"), picture).thumbnail

    assert plain.convert("L").entropy() < 0.5
    assert busy.convert("L").entropy() > 5


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Decibels between two pictures of one size."""
    squares = sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).sum2)
    return 99.0 if not squares else 10 * math.log10(255**2 * 3 * one.width * one.height / squares)


def scene(size: tuple[int, int] = (1200, 900)) -> Image.Image:
    """A picture with colours, edges and shades everywhere."""
    shades = [Image.linear_gradient("L").rotate(90 * turn).resize(size) for turn in range(3)]
    picture = Image.merge("RGB", shades)
    draw = ImageDraw.Draw(picture)
    for number in range(12):
        colour = (number * 20, 255 - number * 20, 128)
        draw.ellipse((number * 90, number * 60, number * 90 + 200, number * 60 + 160), fill=colour)
    return picture


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 95}),
        ("JPEG", "RGB", {"quality": 95, "progressive": True}),
        ("JPEG", "CMYK", {"quality": 95}),
        ("JPEG", "L", {"quality": 95}),
        ("PNG", "RGB", {}),
        ("PNG", "P", {}),
        ("PNG", "LA", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "I;16", {}),
        ("WEBP", "RGB", {"quality": 95}),
        ("AVIF", "RGB", {"quality": 95}),
        ("GIF", "P", {}),
    ],
)
@pytest.mark.parametrize("size", [(1200, 900), (2600, 1950)])
def test_golden_pictures(tmp_path: Path, kind: str, mode: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    """Whatever way a picture is stored, what comes out looks like it, at its size and at a smaller one."""
    whole = scene(size)
    stored = whole.convert("L").convert("I").point(lambda value: value * 257) if mode == "I;16" else whole.convert(mode)
    stored = stored.convert("I;16") if mode == "I;16" else stored
    shown = whole.convert("L") if mode in {"I;16", "L", "LA"} else stored if mode == "P" else whole

    result = run(tmp_path, stored, kind, **options)

    target = (1200, 900) if size == (1200, 900) else (1440, 1080)
    ideal = shown.convert("RGB").resize(target, Image.Resampling.LANCZOS)
    assert target == result.size
    # Few colours are dithered, which JPEG blurs; print colours have fewer shades.
    assert psnr(ideal, result.compressed) > {"P": 21, "CMYK": 28}.get(mode, 33)
    assert {"exif", "icc_profile", "comment", "xmp"}.isdisjoint(result.compressed.info)


def renumbered(data: bytes, numbers: bytes) -> bytes:
    """A JPEG whose three layers have these numbers, in its frame's header and in its scan's."""
    frame, scan = data.index(b"\xff\xc0") + 10, data.index(b"\xff\xda") + 5
    changed = bytearray(data)
    changed[frame : frame + 9 : 3] = changed[scan : scan + 6 : 2] = numbers
    return bytes(changed)


def segment(data: bytes, new: bytes) -> bytes:
    """A JPEG with the segment `new` in place of the one that it begins with."""
    return data[:2] + new + data[4 + int.from_bytes(data[4:6]) :]


def adobe(transform: int) -> bytes:
    """Adobe's segment, which says how a JPEG's colours are stored."""
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOURS = scene((1600, 1200))
PLAIN = bytes_of(COLOURS, "JPEG", quality=95)
AS_RGB = bytes_of(COLOURS, "JPEG", quality=95, keep_rgb=True)


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        pytest.param(PLAIN, "YCbCr", id="plain"),
        pytest.param(bytes_of(COLOURS, "JPEG", quality=95, progressive=True), "YCbCr", id="progressive"),
        pytest.param(bytes_of(COLOURS, "JPEG", quality=95, subsampling=0), "YCbCr", id="4:4:4"),
        pytest.param(bytes_of(COLOURS, "JPEG", quality=95, subsampling=1), "YCbCr", id="4:2:2"),
        pytest.param(bytes_of(COLOURS, "JPEG", quality=95, icc_profile=SRGB), "YCbCr", id="sRGB"),
        pytest.param(segment(PLAIN, b""), "YCbCr", id="no JFIF"),
        pytest.param(segment(PLAIN, adobe(1)), "YCbCr", id="Adobe's YCbCr"),
        pytest.param(segment(renumbered(PLAIN, b"\0\1\2"), b""), "RGB", id="other numbers"),
        pytest.param(AS_RGB, "RGB", id="RGB"),
        pytest.param(segment(AS_RGB, b""), "RGB", id="RGB by its numbers"),
        pytest.param(segment(renumbered(AS_RGB, b"\1\2\3"), adobe(0)), "RGB", id="RGB by Adobe's word"),
        pytest.param(bytes_of(COLOURS.convert("L"), "JPEG", quality=95), "L", id="grey"),
        pytest.param(bytes_of(COLOURS.convert("CMYK"), "JPEG", quality=95), "CMYK", id="CMYK"),
    ],
)
@pytest.mark.parametrize(("box", "floor"), [((720, 540), 39), ((361, 271), 36)])
def test_a_jpeg_keeps_its_colours_however_it_stores_them(
    tmp_path: Path, data: bytes, mode: str, box: tuple[int, int], floor: int
) -> None:
    """It looks as it does when decoded in full as RGB, and stays in YCbCr until it is encoded where it can."""
    result = made(tmp_path, wishes(box=box), data)

    with decode.opened(tmp_path / "source") as picture:
        assert mode == decode.decode(picture, 0.5, ["jpeg"], FakeParent()).pixels.mode
    ideal = opened(tmp_path / "source").convert("RGB").resize(box, Image.Resampling.LANCZOS)
    assert psnr(ideal, result.compressed) > floor
    assert psnr(ideal.resize((320, 240), Image.Resampling.LANCZOS), result.thumbnail) > 34


@pytest.mark.parametrize(("formats", "mode"), [(["jpeg", "webp", "avif"], "YCbCr"), (["jpeg", "png"], "RGB")])
def test_a_png_of_a_jpeg_has_all_of_its_colours(tmp_path: Path, formats: list[str], mode: str) -> None:
    """Where a result may have more colours than a JPEG's, they are not given up on the way."""
    floors = {"jpeg": 40, "webp": 40, "avif": 40, "png": 49}

    made(tmp_path, wishes(formats=formats, box=(720, 540)), PLAIN)

    with decode.opened(tmp_path / "source") as picture:
        assert mode == decode.decode(picture, 0.5, formats, FakeParent()).pixels.mode
    ideal = opened(tmp_path / "source").resize((720, 540), Image.Resampling.LANCZOS)
    for form in formats:
        assert psnr(ideal, opened(tmp_path / f"compressed.{KINDS[form][1]}")) > floors[form]


def test_what_iphones_take(tmp_path: Path) -> None:
    """HEIC is read where pillow-heif is installed."""
    pillow_heif.register_heif_opener()

    result = run(tmp_path, halves((400, 300), RED, BLUE), "HEIF", quality=90)

    assert ("jpeg", (400, 300)) == (result.report["files"][0]["format"], result.size)
    assert close(RED, result.compressed.getpixel((50, 150)))
    assert close(BLUE, result.compressed.getpixel((350, 150)))


@pytest.mark.parametrize("installed", [True, False])
def test_an_avif_of_a_general_brand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    """A file whose first brand is that of all HEIF is an AVIF where it names that as well, with the extra or not."""
    if not installed:
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = bytes_of(halves((400, 300), RED, BLUE), "AVIF", quality=90)
    assert (b"avif", True) == (data[8:12], b"mif1" in data[16:32])

    result = run(tmp_path, data[:8] + b"mif1" + data[12:16] + data[16:32].replace(b"mif1", b"avif") + data[32:])

    assert ("AVIF", (400, 300)) == (result.report["kind"], result.size)
    assert close(RED, result.compressed.getpixel((50, 150)))


def test_heic_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not, the job says what to install."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(RefusedError, match="need the package pillow-heif"):
        run(tmp_path, b"\0\0\0\x18ftypheic" + bytes(100))


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
def test_what_was_not_resized_is_never_larger(tmp_path: Path, kind: str, mode: str, options: dict[str, Any]) -> None:
    """Where encoding again would add bytes, the upload's own pixels are kept, and its metadata is not."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    extra: dict[str, dict[str, Any]] = {
        "JPEG": {"comment": b"SecretComment", "exif": exif},
        "WEBP": {"exif": exif, "quality": 10},
        "PNG": {},
    }
    picture = Image.effect_noise((300, 200), 60).convert(mode)
    if kind == "PNG":
        picture = Image.new("RGB", (300, 200), RED).quantize(2)
    data = bytes_of(picture, kind, **options, **extra[kind]) + b"<script>SecretTail</script>"

    result = run(tmp_path, data)

    main = result.report["files"][0]
    assert (kind, True) == (result.compressed.format, main["bytes"] <= len(data))
    assert result.compressed.convert("RGB").tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    assert b"Secret" not in (tmp_path / main["name"]).read_bytes()
    assert not result.compressed.getexif()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", id="JFIF"),
        pytest.param(b"\xff\xe0\0\x1fJFIF\0\1\1\0\0\1\0\1\5\1SecretPreview!!", id="JFIF with a preview"),
        pytest.param(adobe(1), id="Adobe"),
        pytest.param(b"\xff\xee\0\x14Adobe\0\x64\0\0\0\0\1Secret", id="more of Adobe's"),
    ],
)
def test_a_jpeg_s_own_pixels_keep_what_decodes_them(tmp_path: Path, head: bytes) -> None:
    """Of the segments beside the pixels JFIF and Adobe's word stay, and nothing that is written elsewhere in them."""
    hidden = (b"\xff\xe0\0\x0dJFXX\0Secret", b"\xff\xee\0\x08Secret", b"\xff\xe1\0\x08Secret", b"\xff\xfe\0\x08Secret")
    data = segment(bytes_of(Image.effect_noise((200, 150), 90).convert("RGB"), "JPEG", quality=10), head)
    end = 4 + int.from_bytes(data[4:6])

    run(tmp_path, data[:end] + b"".join(hidden) + data[end:])

    kept = (tmp_path / "compressed.jpg").read_bytes()
    assert (data[end:], b"Secret" in kept) == (kept[-len(data[end:]) :], False)
    assert {b"\xff\xe0": 18, b"\xff\xee": 16}[head[:2]] == len(kept) - len(data[end:]) - 2


def test_an_animation_that_is_cut_is_not_kept_in_secret(tmp_path: Path) -> None:
    """Where the first frame is wanted, the upload's own pixels, which move, are no way to save bytes."""
    frames = [Image.effect_noise((64, 48), 90).convert("RGB") for _ in range(3)]
    data = bytes_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=1)

    result = made(tmp_path, wishes(animation="first-frame"), data)

    assert ("jpeg", 1) == (result.report["files"][0]["format"], getattr(result.compressed, "n_frames", 1))


def test_the_uploads_own_format_is_not_made_twice(tmp_path: Path) -> None:
    """Where the upload's pixels are kept, they stand for a further format that they have already."""
    picture = Image.new("RGB", (300, 200), RED).quantize(2)

    result = made(tmp_path, wishes(formats=["jpeg", "png", "webp"], widths=[100, 100]), picture)

    names = [file["name"] for file in result.report["files"]]
    assert len(names) == len(set(names))
    assert names[:2] == ["compressed.png", "compressed.webp"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_can_t_be_taken_apart_is_not(kind: str) -> None:
    """A file that is not what it claims is left to the encoder."""
    data = bytes_of(Image.effect_noise((30, 20), 60), kind)

    assert original.stripped(kind, data) is not None
    assert original.stripped(kind, b"nonsense" * 9) is None
    assert original.stripped("GIF", data) is None
    if kind != "WEBP":
        assert original.stripped(kind, data[: len(data) // 2]) is None


EMPTY_SCAN = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"  # of one layer, and without pixels
SCANS = EMPTY_SCAN * 100


@pytest.mark.parametrize("progressive", [True, False])
def test_a_scan_bomb_is_refused_at_once(tmp_path: Path, progressive: bool) -> None:
    """A small JPEG of 500 scans would take half a minute in one call that nothing interrupts."""
    data = bytes_of(Image.effect_noise((400, 300), 50).convert("RGB"), "JPEG", progressive=progressive)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2] if progressive else EMPTY_SCAN
    bomb = data[:last] + scan * 500 + data[-2:]

    with pytest.raises(RefusedError, match="more than 64 scans"):
        run(tmp_path, bomb)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN + b"\0\0\0\x18ftypmp42" + SCANS, id="a film behind it"),
        pytest.param(PLAIN[:2] + b"\xff\xe1\x04\0Exif" + SCANS.ljust(1018) + PLAIN[2:], id="a preview's in EXIF"),
        pytest.param(PLAIN[:2] + b"\xff" * 9 + PLAIN[2:] + SCANS, id="filled up before a marker"),
    ],
)
def test_only_the_picture_s_own_scans_count(tmp_path: Path, data: bytes) -> None:
    """A phone's film behind the picture, and what a segment holds, look like scans and are none."""
    assert (1600, 1200) == made(tmp_path, wishes(box=(1600, 1200)), data).size


@pytest.mark.parametrize(
    "hiding",
    [
        pytest.param(b"junk", id="junk between segments"),
        pytest.param(b"\xff\x02\xff\xff", id="a marker that is none"),
        pytest.param(b"\xff\xfe\0\0", id="a segment shorter than its length"),
        pytest.param(b"\xff\0\xff\xd7\xff\xff", id="a stuffed byte, a restart, and a marker filled up"),
    ],
)
def test_no_scan_hides(tmp_path: Path, hiding: bytes) -> None:
    """Where libjpeg would go on and find a scan it is counted, whatever stands before it."""
    with pytest.raises(RefusedError, match="more than 64 scans"):
        run(tmp_path, PLAIN[:-2] + (hiding + EMPTY_SCAN) * 100 + PLAIN[-2:])


def test_memory_is_asked_for_before_pixels_are_decoded(tmp_path: Path) -> None:
    """A WebP takes more of it than a PNG, and that more than a JPEG that is decoded at a fraction."""
    needs = []
    for kind in ("WEBP", "PNG", "JPEG"):
        Image.new("RGB", (3000, 2000)).save(tmp_path / "source", kind)
        parent = FakeParent()
        task.run(wishes(), parent)
        needs.append(parent.reserved)

    assert needs == sorted(needs, reverse=True)
    assert all(len(need) == 1 for need in needs)


def in_scans(picture: Image.Image) -> bytes:
    """A baseline JPEG that stores one layer after the other."""
    layers = [bytes_of(layer, "JPEG") for layer in picture.convert("YCbCr").split()]
    start, scan = (layers[0].index(mark) for mark in (b"\xff\xc0", b"\xff\xda"))
    shape = layers[0][start + 4 : start + 9]  # bits, height, width
    frame = b"\xff\xc0\0\x11" + shape + b"\3\1\x11\0\2\x11\0\3\x11\0"
    tables = layers[0][start + 13 : scan]
    scans = [b"\xff\xda\0\x08\1%c\0\0\x3f\0" % number + layer[scan + 10 : -2] for number, layer in enumerate(layers, 1)]
    return layers[0][:start] + frame + tables + b"".join(scans) + b"\xff\xd9"


LARGE = Image.new("RGB", (1200, 800), WHITE)


@pytest.mark.parametrize(
    ("data", "layers"),
    [
        pytest.param(bytes_of(LARGE, "JPEG"), 0, id="one scan"),
        pytest.param(bytes_of(LARGE.convert("CMYK"), "JPEG"), 0, id="one scan, CMYK"),
        pytest.param(bytes_of(LARGE, "JPEG", progressive=True, subsampling=2), 1.5, id="progressive 4:2:0"),
        pytest.param(bytes_of(LARGE, "JPEG", progressive=True, subsampling=1), 2, id="progressive 4:2:2"),
        pytest.param(bytes_of(LARGE, "JPEG", progressive=True, subsampling=0), 3, id="progressive 4:4:4"),
        pytest.param(bytes_of(LARGE.convert("L"), "JPEG", progressive=True), 1, id="progressive grey"),
        pytest.param(bytes_of(LARGE.convert("CMYK"), "JPEG", progressive=True), 4, id="progressive CMYK"),
        pytest.param(in_scans(LARGE), 3, id="a scan for each layer"),
    ],
)
def test_a_jpeg_of_several_scans_takes_memory_for_all_of_it(tmp_path: Path, data: bytes, layers: float) -> None:
    """Until the last scan two bytes are kept for each pixel of each layer, however small the result."""
    (tmp_path / "source").write_bytes(data)
    parent = FakeParent()

    with decode.opened(tmp_path / "source") as picture:
        source = decode.decode(picture, 0.25, ["jpeg"], parent)

    small = decode.BASE + 300 * 200 * (4 + decode.RENDERING + 4)
    assert [small + 2 * 1200 * 800 * layers] == parent.reserved
    assert close(WHITE, source.pixels.convert("RGB").getpixel((150, 100)))


def test_a_refused_reservation_is_the_end(tmp_path: Path) -> None:
    """A task that gets no memory says why, and decodes nothing."""
    Image.new("RGB", (3000, 2000)).save(tmp_path / "source", "PNG")

    with pytest.raises(RefusedError, match="too much"):
        task.run(wishes(), FakeParent(refuses="too much"))

    assert ["source"] == [path.name for path in tmp_path.iterdir()]


def swapped_profile() -> bytes:
    """An RGB profile whose red is sRGB's green and the other way round, so that a conversion shows."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    for index in range(count):
        place = 132 + 12 * index
        name = bytes(profile[place : place + 4])
        profile[place : place + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA")])
def test_colours_are_converted_by_their_profile(tmp_path: Path, kind: str, mode: str) -> None:
    """A picture whose profile is not sRGB looks the same without the profile."""
    result = run(tmp_path, Image.new(mode, (400, 300), RED), kind, icc_profile=swapped_profile())

    assert close(GREEN, result.compressed.getpixel((200, 150)))
    assert close(GREEN, result.thumbnail.getpixel((160, 120)))


@pytest.mark.parametrize(
    ("picture", "profile"),
    [
        (Image.new("RGB", (40, 30), RED), b"not a profile"),
        (Image.new("RGB", (40, 30), RED), swapped_profile()[:200]),
        (Image.new("CMYK", (40, 30), (0, 255, 255, 0)), swapped_profile()),
    ],
)
def test_a_damaged_profile_is_left_out(tmp_path: Path, picture: Image.Image, profile: bytes) -> None:
    """A picture with a profile that can't be read, or is for other pixels, is encoded without it."""
    result = run(tmp_path, picture, "JPEG", icc_profile=profile)

    assert result.size == (40, 30)
    assert result.compressed.mode == "RGB"


def test_damaged_exif_is_left_out(tmp_path: Path) -> None:
    """EXIF data that can't be read is no reason to refuse a picture."""
    assert run(tmp_path, Image.new("RGB", (40, 30)), "JPEG", exif=b"Exif\0\0nonsense").size == (40, 30)


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
    """A picture whose orientation can't be read, or is no orientation, is left as it is stored, and may be kept."""
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\1\x01\x12" + value[:10] + bytes(4) + value[10:]

    result = run(tmp_path, Image.effect_noise((40, 30), 90), "JPEG", exif=exif, quality=5)

    assert (40, 30) == result.size
    assert (tmp_path / "source").stat().st_size - len(exif) - 4 == result.report["files"][0]["bytes"]


AVIF = bytes_of(Image.effect_noise((96, 80), 60).convert("RGB"), "AVIF")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(AVIF.replace(b"mdat\x12\0", b"mdat" + bytes(2)), id="an AVIF's pixels"),
        pytest.param(AVIF.replace(b"iloc", b"ilox"), id="an AVIF's parts"),
        pytest.param(AVIF.replace(b"nclx\0\1\0\x0d\0\6", b"nclx\0\1\0\x0d\0\x22"), id="an AVIF's colours"),
    ],
)
def test_damage_that_only_python_notices(tmp_path: Path, data: bytes) -> None:
    """Damage is refused for good, whatever the decoder raises for it."""
    with pytest.raises(RefusedError, match=r"the picture is damaged: \w"):
        run(tmp_path, data)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("Failed to decode image: Not implemented"), "damaged: Failed to decode image"),
        (ZeroDivisionError(), "damaged: ZeroDivisionError"),
        (KeyError("a"), "damaged: 'a'"),
    ],
)
def test_what_a_decoder_raises_is_damage(error: Exception, words: str) -> None:
    """Errors of Python's own mean that the bytes are bad, and say at least their names."""
    with pytest.raises(RefusedError, match=words), decode.refusing():
        raise error


@pytest.mark.parametrize(
    "words", ["ERROR assembling WebP: -3", "ERROR adding frame. WebPEncodingError: 1", "Out of memory"]
)
def test_a_library_without_memory_is_no_damage(words: str) -> None:
    """What libwebp and libavif say of memory is told apart."""
    with pytest.raises(MemoryError), decode.refusing():
        raise RuntimeError(words)


PHOTO = Image.effect_noise((400, 300), 50)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"Hello, world\n" * 100, "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (bytes_of(PHOTO, "BMP"), "not a picture"),
        (bytes_of(PHOTO, "TIFF"), "not a picture"),
        (bytes_of(PHOTO, "PPM"), "not a picture"),
        (bytes_of(PHOTO, "JPEG")[:5000], "damaged"),
        (bytes_of(PHOTO, "PNG")[:5000], "damaged"),
        (bytes_of(PHOTO, "GIF")[:5000], "damaged"),
        (bytes_of(PHOTO, "JPEG")[:20], "not a picture"),
        (sized_png(100, 100), "damaged"),
        (sized_png(10_001, 10_000), "more than 100 million pixels"),
        (sized_png(14_000, 14_000), "more than 100 million pixels"),
        (sized_png(50_000, 50_000), "more than 100 million pixels"),
        (sized_png(100_000, 900), "wider or higher than 32,767 pixels"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    """What is no picture, of another format, cut off or too large is refused with the reason."""
    with pytest.raises(RefusedError, match=reason):
        run(tmp_path, data)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_cut_files_of_newer_formats_are_refused(tmp_path: Path, kind: str) -> None:
    """A WebP or AVIF that ends early is refused, in whichever words."""
    data = bytes_of(PHOTO, kind)

    with pytest.raises(RefusedError):
        run(tmp_path, data[: len(data) // 2])


def test_a_fault_of_the_system_is_not_the_picture_s() -> None:
    """A file that is not there stays what it is."""
    with pytest.raises(FileNotFoundError):
        task.run(wishes(), FakeParent())
