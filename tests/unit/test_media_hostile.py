"""Images that are damaged, bombs, or too large for memory."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from processors.media.image import decode, make_images, opened_image
from processors.sandbox.protocol import RefusedError
from tests.support.images import (
    PLAIN,
    WHITE,
    bytes_of,
    close,
    made,
    run,
    sized_png,
)
from tests.support.media import FakeParent, image_options

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


EMPTY_SCAN = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"  # of one layer, and without pixels
SCANS = EMPTY_SCAN * 100


@pytest.mark.parametrize("progressive", [True, False])
def test_a_scan_bomb_is_refused_at_once(tmp_path: Path, progressive: bool) -> None:
    """A small JPEG of 500 scans would take half a minute in one call that can't be interrupted."""
    data = bytes_of(Image.effect_noise((400, 300), 50).convert("RGB"), "JPEG", progressive=progressive)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2] if progressive else EMPTY_SCAN
    bomb = data[:last] + scan * 500 + data[-2:]

    with pytest.raises(RefusedError, match="more than 64 scans"):
        run(tmp_path, bomb)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN + b"\0\0\0\x18ftypmp42" + SCANS, id="a video behind it"),
        pytest.param(PLAIN[:2] + b"\xff\xe1\x04\0Exif" + SCANS.ljust(1018) + PLAIN[2:], id="a preview's in EXIF"),
        pytest.param(PLAIN[:2] + b"\xff" * 9 + PLAIN[2:] + SCANS, id="filled up before a marker"),
    ],
)
def test_only_the_image_s_own_scans_count(tmp_path: Path, data: bytes) -> None:
    """A phone's video behind the image, and a segment's content, may look like scans."""
    assert (1600, 1200) == made(tmp_path, image_options(box=(1600, 1200)), data).size


@pytest.mark.parametrize(
    "hiding",
    [
        pytest.param(b"junk", id="junk between segments"),
        pytest.param(b"\xff\x02\xff\xff", id="a marker that is none"),
        pytest.param(b"\xff\xfe\0\0", id="a segment shorter than its length"),
        pytest.param(b"\xff\0\xff\xd7\xff\xff", id="a stuffed byte, a restart, and a marker filled up"),
    ],
)
def test_every_scan_is_counted(tmp_path: Path, hiding: bytes) -> None:
    """Wherever libjpeg would find one, whatever stands before it."""
    with pytest.raises(RefusedError, match="more than 64 scans"):
        run(tmp_path, PLAIN[:-2] + (hiding + EMPTY_SCAN) * 100 + PLAIN[-2:])


@pytest.mark.slow
def test_memory_is_reserved_before_pixels_are_decoded(tmp_path: Path) -> None:
    """A WebP takes more than a PNG, and that more than a JPEG decoded at a fraction."""
    needs = []
    for kind in ("WEBP", "PNG", "JPEG"):
        Image.new("RGB", (600, 4000)).save(tmp_path / "source", kind, method=0)  # of WebP, the fastest
        parent = FakeParent()
        make_images.run(image_options(), parent)
        needs.append(parent.reserved)

    assert needs == sorted(needs, reverse=True)
    assert all(len(need) == 1 for need in needs)


def in_scans(image: Image.Image) -> bytes:
    """A baseline JPEG that stores one component after the other."""
    layers = [bytes_of(layer, "JPEG") for layer in image.convert("YCbCr").split()]
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
    """Until the last scan two bytes are kept for each pixel of each component, however small the result."""
    (tmp_path / "source").write_bytes(data)
    parent = FakeParent()

    with decode.opened(tmp_path / "source", FakeParent()) as image:
        source = decode.decode(image, 0.25, ["jpeg"], parent)

    small = opened_image.BASE + 300 * 200 * (4 + decode.RENDERING + 4)
    assert [small + 2 * 1200 * 800 * layers] == parent.reserved
    assert close(WHITE, source.pixels.convert("RGB").getpixel((150, 100)))


def test_a_refused_reservation_is_the_end(tmp_path: Path) -> None:
    """A task that gets no memory says why, and decodes nothing."""
    Image.new("RGB", (3000, 2000)).save(tmp_path / "source", "PNG")

    with pytest.raises(RefusedError, match="too much"):
        make_images.run(image_options(), FakeParent(refuses="too much"))

    assert ["source"] == [path.name for path in tmp_path.iterdir()]


def test_damaged_exif_is_left_out(tmp_path: Path) -> None:
    """Unreadable EXIF data is no reason to refuse an image."""
    assert run(tmp_path, Image.new("RGB", (40, 30)), "JPEG", exif=b"Exif\0\0nonsense").size == (40, 30)


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
    """It is refused for good, whatever the decoder raises."""
    with pytest.raises(RefusedError, match=r"the image is damaged: \w"):
        run(tmp_path, data)


@pytest.mark.parametrize(
    "error",
    [
        OSError("error -3 when assembling WebP: -3"),
        ValueError("Memory allocation error: Unspecified: Allocating 12007695 bytes failed"),
    ],
)
def test_a_decoder_without_memory_is_no_damage(error: Exception) -> None:
    """Each library has its own message for it."""
    with pytest.raises(MemoryError), opened_image.refuse_damage():
        raise error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("Failed to decode image: Not implemented"), "damaged: Failed to decode image"),
        (ZeroDivisionError(), "damaged: ZeroDivisionError"),
        (KeyError("a"), "damaged: 'a'"),
    ],
)
def test_an_exception_of_a_decoder_is_damage(error: Exception, words: str) -> None:
    """Python's own errors mean bad bytes; the reason has at least their names."""
    with pytest.raises(RefusedError, match=words), opened_image.refuse_damage():
        raise error


@pytest.mark.parametrize(
    "words", ["ERROR assembling WebP: -3", "ERROR adding frame. WebPEncodingError: 1", "Out of memory"]
)
def test_a_library_without_memory_is_no_damage(words: str) -> None:
    """The messages of libwebp and libavif about memory are recognized."""
    with pytest.raises(MemoryError), opened_image.refuse_damage():
        raise RuntimeError(words)


PHOTO = Image.effect_noise((400, 300), 50)


@functools.cache
def photo_as(kind: str) -> bytes:
    """The photo as a file of this kind."""
    return bytes_of(PHOTO, kind)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"Hello, world\n" * 100, "not an image"),
        (b"<p>no drawing</p>", "not an image"),
        (b"BMW is a car, and II*\0 no TIFF", "not an image"),
        (bytes_of(PHOTO, "PPM"), "not an image"),
        (bytes_of(PHOTO.convert("RGB"), "TIFF")[:90_000], "damaged"),
        (bytes_of(PHOTO, "BMP")[:5000], "damaged"),
        (bytes_of(PHOTO, "ICO")[:500], "damaged"),
        (bytes_of(PHOTO, "JPEG")[:5000], "damaged"),
        (bytes_of(PHOTO, "PNG")[:5000], "damaged"),
        (bytes_of(PHOTO, "GIF")[:5000], "damaged"),
        (bytes_of(PHOTO, "JPEG")[:20], "damaged"),
        (bytes_of(PHOTO, "PNG")[:20], "damaged"),
        (bytes_of(PHOTO, "GIF")[:9], "damaged"),
        (bytes_of(PHOTO, "GIF")[:13], "damaged"),
        (sized_png(100, 100), "damaged"),
        (sized_png(10_001, 10_000), "more than 100 million pixels"),
        (sized_png(14_000, 14_000), "more than 100 million pixels"),
        (sized_png(50_000, 50_000), "more than 100 million pixels"),
        (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x3e\0\x27\x23\0", "more than 100 million pixels"),
        (b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(90), "damaged: its header can't be read"),
        (sized_png(100_000, 900), "wider or higher than 32,767 pixels"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    """No image, another format, cut off, or too large: each with its reason."""
    with pytest.raises(RefusedError, match=reason):
        run(tmp_path, data)


def test_many_comments_before_no_drawing_take_no_time(tmp_path: Path) -> None:
    """A regular expression could split them in 2^500 ways, which must not be tried."""
    with pytest.raises(RefusedError, match="not an image"):
        run(tmp_path, b"<!---->" * 500)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_jpeg_that_names_no_components_is_damaged(tmp_path: Path, layers: int) -> None:
    """It has their number, and its header ends there."""
    data = bytes_of(PHOTO, "JPEG", progressive=True)
    place = data.index(b"\xff\xc2")
    end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
    header = b"\xff\xc2\0\x08" + data[place + 4 : place + 9] + bytes([layers])

    with pytest.raises(RefusedError, match="damaged"):
        run(tmp_path, data[:place] + header + data[end:])


@pytest.mark.slow
@pytest.mark.parametrize("length", [2**62, 2**63 - 1, 2**64 - 1])
def test_a_box_that_is_longer_than_a_file_can_be(tmp_path: Path, length: int) -> None:
    """An AVIF that is whole before it ends there, and says nothing of its colours."""
    data = photo_as("AVIF").replace(b"colrnclx", b"freenclx")

    assert PHOTO.size == made(tmp_path, image_options(), data + struct.pack(">I4sQ", 1, b"free", length)).size


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_cut_files_of_newer_formats_are_refused(tmp_path: Path, kind: str) -> None:
    """A WebP or AVIF that ends early, with any message."""
    data = photo_as(kind)

    with pytest.raises(RefusedError):
        run(tmp_path, data[: len(data) // 2])


def test_a_fault_of_the_system_is_not_the_image_s() -> None:
    """A missing file stays an OSError."""
    with pytest.raises(FileNotFoundError):
        make_images.run(image_options(), FakeParent())
