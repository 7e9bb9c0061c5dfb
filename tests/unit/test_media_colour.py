"""Colours: every kind of pixel, profiles, and JPEGs whose YCbCr pixels are kept, against an ideal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageCms

from processors.media.image import cicp, decode, strip_metadata
from processors.media.image.write import KINDS
from tests.support.images import (
    BLUE,
    COLOURS,
    GREEN,
    PLAIN,
    RED,
    WHITE,
    adobe,
    bytes_of,
    close,
    halves,
    made,
    opened,
    psnr,
    run,
    scene,
    segment,
    swapped_profile,
)
from tests.support.media import FakeParent, image_options

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("image", "kind", "left", "right"),
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
    tmp_path: Path, image: Image.Image, kind: str, left: tuple[int, int, int], right: tuple[int, int, int]
) -> None:
    """Palettes, grey, 16 bits, one bit and CMYK keep their look; CMYK and 16 bits become RGB."""
    result = run(tmp_path, image, kind)

    assert result.compressed.mode in ({"RGB"} if image.mode in {"CMYK", "I;16", "LA"} else {"RGB", "L", "1", "P"})
    for seen in (result.compressed.convert("RGB"), result.thumbnail):
        assert close(left, seen.getpixel((seen.width // 8, seen.height // 2)))
        assert close(right, seen.getpixel((seen.width * 7 // 8, seen.height // 2)))


@pytest.mark.parametrize("alpha", ["flatten", "keep"])
def test_the_background_has_no_part_in_the_image_s_profile(tmp_path: Path, alpha: str) -> None:
    """The job's colour is sRGB, whatever the upload's profile; the image is converted first."""
    image = halves((400, 300), (*RED, 255), (0, 0, 0, 0), "RGBA")
    profile = swapped_profile()

    result = made(tmp_path, image_options(background="#ff0000", alpha=alpha), image, icc_profile=profile)

    assert close(RED, result.thumbnail.getpixel((300, 120)))
    assert close(GREEN, result.thumbnail.getpixel((20, 120)))
    shown = result.compressed.getpixel((350, 150))
    assert close(RED, shown) if alpha == "flatten" else (0, 0, 0, 0) == shown


@pytest.mark.golden
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
def test_golden_images(tmp_path: Path, kind: str, mode: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    """However an image is stored, the results look like it, at its size and at a smaller one."""
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
    """A JPEG whose three components have these numbers, in the frame's header and in the scan's."""
    frame, scan = data.index(b"\xff\xc0") + 10, data.index(b"\xff\xda") + 5
    changed = bytearray(data)
    changed[frame : frame + 9 : 3] = changed[scan : scan + 6 : 2] = numbers
    return bytes(changed)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
AS_RGB = bytes_of(COLOURS, "JPEG", quality=95, keep_rgb=True)


@pytest.mark.golden
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
    """It looks as it does when decoded in full as RGB, and stays in YCbCr until it is encoded, if possible."""
    result = made(tmp_path, image_options(box=box), data)

    with decode.opened(tmp_path / "source", FakeParent()) as image:
        assert mode == decode.decode(image, 0.5, ["jpeg"], FakeParent()).pixels.mode
    ideal = opened(tmp_path / "source").convert("RGB").resize(box, Image.Resampling.LANCZOS)
    assert psnr(ideal, result.compressed) > floor
    assert psnr(ideal.resize((320, 240), Image.Resampling.LANCZOS), result.thumbnail) > 34


@pytest.mark.golden
@pytest.mark.parametrize(("formats", "mode"), [(["jpeg", "webp", "avif"], "YCbCr"), (["jpeg", "png"], "RGB")])
def test_a_png_of_a_jpeg_has_all_of_its_colours(tmp_path: Path, formats: list[str], mode: str) -> None:
    """If the result can have more colours than a JPEG, none are lost on the way."""
    floors = {"jpeg": 40, "webp": 40, "avif": 40, "png": 49}

    made(tmp_path, image_options(formats=formats, box=(720, 540)), PLAIN)

    with decode.opened(tmp_path / "source", FakeParent()) as image:
        assert mode == decode.decode(image, 0.5, formats, FakeParent()).pixels.mode
    ideal = opened(tmp_path / "source").resize((720, 540), Image.Resampling.LANCZOS)
    for form in formats:
        assert psnr(ideal, opened(tmp_path / f"compressed.{KINDS[form][1]}")) > floors[form]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", id="JFIF"),
        pytest.param(b"\xff\xe0\0\x1fJFIF\0\1\1\0\0\1\0\1\5\1SecretPreview!!", id="JFIF with a preview"),
        pytest.param(adobe(1), id="Adobe"),
        pytest.param(b"\xff\xee\0\x14Adobe\0\x64\0\0\0\0\1Secret", id="more of Adobe's"),
    ],
)
def test_a_jpegs_kept_pixels_keep_the_segments_that_decoders_need(tmp_path: Path, head: bytes) -> None:
    """Those of JFIF and Adobe stay, without other data in them."""
    hidden = (b"\xff\xe0\0\x0dJFXX\0Secret", b"\xff\xee\0\x08Secret", b"\xff\xe1\0\x08Secret", b"\xff\xfe\0\x08Secret")
    data = segment(bytes_of(Image.effect_noise((200, 150), 90).convert("RGB"), "JPEG", quality=10), head)
    end = 4 + int.from_bytes(data[4:6])

    run(tmp_path, data[:end] + b"".join(hidden) + data[end:])

    kept = (tmp_path / "compressed.jpg").read_bytes()
    assert (data[end:], b"Secret" in kept) == (kept[-len(data[end:]) :], False)
    assert {b"\xff\xe0": 18, b"\xff\xee": 16}[head[:2]] == len(kept) - len(data[end:]) - 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_malformed_jpeg_is_left_to_the_encoder(kind: str) -> None:
    """Its own pixels are not kept."""
    data = bytes_of(Image.effect_noise((30, 20), 60), kind)

    assert strip_metadata.stripped(kind, data) is not None
    assert strip_metadata.stripped(kind, b"nonsense" * 9) is None
    assert strip_metadata.stripped("GIF", data) is None
    if kind != "WEBP":
        assert strip_metadata.stripped(kind, data[: len(data) // 2]) is None


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA")])
def test_colours_are_converted_by_their_profile(tmp_path: Path, kind: str, mode: str) -> None:
    """An image whose profile is not sRGB looks the same without the profile."""
    result = run(tmp_path, Image.new(mode, (400, 300), RED), kind, icc_profile=swapped_profile())

    assert close(GREEN, result.compressed.getpixel((200, 150)))
    assert close(GREEN, result.thumbnail.getpixel((160, 120)))


@pytest.mark.parametrize(
    ("primaries", "transfer", "shown"),
    [
        pytest.param(12, 13, (41, 183, 48), id="Display P3 with sRGB's curve"),
        pytest.param(1, 8, (160, 219, 143), id="linear sRGB"),
        pytest.param(1, 4, (90, 181, 68), id="much like sRGB"),
    ],
)
def test_a_profile_is_not_srgb_by_its_name(
    tmp_path: Path, primaries: int, transfer: int, shown: tuple[int, int, int]
) -> None:
    """Other profiles have sRGB in their names as well."""
    profile = cicp.of_numbers(primaries, transfer).replace(b"CICP", b"sRGB")

    result = run(tmp_path, Image.new("RGB", (40, 30), (90, 180, 70)), "PNG", icc_profile=profile)

    assert close(shown, result.compressed.getpixel((20, 15)))


@pytest.mark.parametrize(
    ("image", "profile"),
    [
        (Image.new("RGB", (40, 30), RED), b"not a profile"),
        (Image.new("RGB", (40, 30), RED), swapped_profile()[:200]),
        (Image.new("CMYK", (40, 30), (0, 255, 255, 0)), swapped_profile()),
    ],
)
def test_a_damaged_profile_is_left_out(tmp_path: Path, image: Image.Image, profile: bytes) -> None:
    """An image with a profile that can't be read, or is for other pixels, is encoded without it."""
    result = run(tmp_path, image, "JPEG", icc_profile=profile)

    assert result.size == (40, 30)
    assert result.compressed.mode == "RGB"
