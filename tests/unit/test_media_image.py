"""Encoding a picture, on pictures that Pillow makes."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from PIL import Image, ImageCms

from processors.media import image
from processors.media.image import encode, main
from processors.media.refusal import REFUSED_STATUS, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
TOLERANCE = 12  # of 255: JPEG is not exact


class Encoded(NamedTuple):
    """Both results, opened."""

    size: tuple[int, int]
    compressed: Image.Image
    thumbnail: Image.Image


def run(folder: Path, picture: Image.Image | bytes, kind: str = "PNG", **options: Any) -> Encoded:
    """Encode a picture that is saved as `kind`."""
    source = folder / "source"
    if isinstance(picture, bytes):
        source.write_bytes(picture)
    else:
        picture.save(source, kind, **options)
    size = encode(source, folder / "compressed", folder / "thumbnail")
    return Encoded(size, opened(folder / "compressed"), opened(folder / "thumbnail"))


def opened(path: Path) -> Image.Image:
    """A result, loaded; it is a JPEG."""
    with Image.open(path, formats=["JPEG"]) as picture:
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
    turn = undo.get(orientation, image._UPRIGHT.get(orientation))
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

    source = image.decode(tmp_path / "source")

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
    for name in ("compressed", "thumbnail"):
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
    """Palettes, grey, 16 bits, one bit and print colours keep their look in an RGB JPEG."""
    result = run(tmp_path, picture, kind)

    assert result.compressed.mode == "RGB"
    assert close(left, result.compressed.getpixel((50, 150)))
    assert close(right, result.compressed.getpixel((350, 150)))


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    """Of an animated GIF the result shows the first frame."""
    frames = [Image.new("P", (40, 30)), Image.new("P", (40, 30))]
    for frame, colour in zip(frames, (RED, BLUE), strict=True):
        frame.putpalette([*colour])

    result = run(tmp_path, frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert close(RED, result.compressed.getpixel((20, 15)))


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


PHOTO = Image.effect_noise((400, 300), 50)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a picture"),
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
        (sized_png(7100, 7100), "more than 50 million pixels"),
        (sized_png(9800, 9800), "more than 50 million pixels"),
        (sized_png(50_000, 50_000), "more than 50 million pixels"),
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


def test_a_fault_of_the_system_is_not_the_picture_s(tmp_path: Path) -> None:
    """A file that is not there, and a disk that can't be written, stay what they are."""
    with pytest.raises(FileNotFoundError):
        encode(tmp_path / "missing", tmp_path / "compressed", tmp_path / "thumbnail")
    (tmp_path / "source").write_bytes(bytes_of(PHOTO, "JPEG"))
    with pytest.raises(FileNotFoundError):
        encode(tmp_path / "source", tmp_path / "no" / "folder", tmp_path / "thumbnail")


def test_the_command_prints_the_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The child's report of a success is its size as JSON."""
    (tmp_path / "source").write_bytes(bytes_of(PHOTO, "JPEG"))

    status = main([str(tmp_path / name) for name in ("source", "compressed", "thumbnail")])

    assert (0, {"width": 400, "height": 300}) == (status, json.loads(capsys.readouterr().out))


def test_the_command_says_why_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The child's report of a refusal is its own exit status and one line."""
    (tmp_path / "source").write_bytes(b"text")

    status = main([str(tmp_path / name) for name in ("source", "compressed", "thumbnail")])

    assert status == REFUSED_STATUS
    assert json.loads(capsys.readouterr().out) == {
        "refused": "not a picture in one of the formats JPEG, PNG, WEBP, GIF, AVIF"
    }
