"""Formats that not all browsers show, and vector graphics: how they are converted."""

from __future__ import annotations

import importlib
import io
import struct
import sys
from typing import TYPE_CHECKING, Any

import pillow_heif
import pytest
from PIL import Image
from PIL.Image import Resampling

from processors.media.image import decode, webp
from processors.media.image.image_kind import kind_of
from processors.media.image.opened_image import BASE
from processors.sandbox.protocol import RefusedError
from tests.support.images import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    bytes_of,
    close,
    halves,
    made,
    psnr,
    run,
    scene,
    swapped_profile,
)
from tests.support.media import FakeParent, image_options

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("TIFF", "RGB", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "jpeg", "quality": 95}),
        ("TIFF", "L", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", "I;16", {}),
        ("TIFF", "P", {}),
        ("BMP", "RGB", {}),
        ("BMP", "L", {}),
        ("BMP", "P", {}),
    ],
)
@pytest.mark.parametrize("size", [(600, 450), (2600, 1950)])
def test_formats_of_cameras_and_scanners(
    tmp_path: Path, kind: str, mode: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    """The result looks like the upload, at its own size and at a smaller one."""
    whole = scene(size)
    stored = whole.convert("L").convert("I").point(lambda value: value * 257) if mode == "I;16" else whole.convert(mode)
    stored = stored.convert("I;16") if mode == "I;16" else stored
    shown = whole.convert("L") if mode in {"I;16", "L"} else stored if mode == "P" else whole

    result = run(tmp_path, stored, kind, **options)

    target = size if size == (600, 450) else (1440, 1080)
    ideal = shown.convert("RGB").resize(target, Image.Resampling.LANCZOS)
    assert (kind, target) == (result.report["kind"], result.size)
    assert psnr(ideal, result.compressed) > (21 if mode == "P" else 30)


def test_a_tiff_s_print_colours_look_as_printed(tmp_path: Path) -> None:
    """Without a profile CMYK is that of a common press, as sharp shows it: its red is not a screen's red."""
    result = run(tmp_path, halves((400, 300), (0, 255, 255, 0), (0, 0, 0, 0), "CMYK"), "TIFF")

    assert close((232, 0, 0), result.compressed.getpixel((50, 150)))
    assert close(WHITE, result.compressed.getpixel((350, 150)))


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO"])
def test_transparency(tmp_path: Path, kind: str) -> None:
    """It is kept on request, and its hidden colour shows nowhere."""
    image = halves((200, 160), (*RED, 255), (0, 0, 0, 0), "RGBA")
    options = {"ICO": {"sizes": [(200, 160)]}}.get(kind, {})

    result = made(tmp_path, image_options(alpha="keep"), bitmap(image) if kind == "BMP" else image, kind, **options)

    seen = result.compressed.convert("RGBA")
    assert close(RED, seen.getpixel((50, 80))[:3])  # type: ignore[index]
    assert 0 == seen.getpixel((190, 80))[3]  # type: ignore[index]
    assert close(WHITE, result.thumbnail.getpixel((result.thumbnail.width - 5, 80)))


def bitmap(image: Image.Image) -> bytes:
    """A BMP with transparency: its header says which bits have it."""
    pixels = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGRA")
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 124, *image.size, 1, 32, 3, len(pixels), 0, 0, 0, 0) + masks.ljust(84, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def test_an_icon_is_its_largest_image(tmp_path: Path) -> None:
    """Of all the sizes in it."""
    assert (128, 128) == run(tmp_path, scene((128, 128)), "ICO", sizes=[(16, 16), (128, 128), (32, 32)]).size


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_tiff_s_colours_and_orientation(tmp_path: Path, mode: str) -> None:
    """Its profile and its tag are used."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = halves((400, 300), RED, BLUE).convert(mode)

    result = run(tmp_path, image, "TIFF", icc_profile=swapped_profile(), exif=exif)

    assert (300, 400) == result.size
    assert close(GREEN, result.compressed.getpixel((150, 50)))


def test_hidden_colours_of_a_tiff_don_t_bleed(tmp_path: Path) -> None:
    """White alternating with transparent black is white when it is shrunk."""
    row = Image.frombytes("RGBA", (1600, 1), bytes([255] * 4 + [0] * 4) * 800)

    result = made(tmp_path, image_options(box=(100, 75)), row.resize((1600, 1200), Resampling.NEAREST), "TIFF")

    assert (100, 75) == result.size
    assert min(result.compressed.tobytes()) > 240


def test_of_several_pages_the_first_is_taken(tmp_path: Path) -> None:
    """A scanned letter is its first page, and no animation."""
    pages = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]

    result = run(tmp_path, pages[0], "TIFF", save_all=True, append_images=pages[1:])

    assert result.report["animation"] is None
    assert close(RED, result.compressed.getpixel((20, 15)))


@pytest.mark.parametrize("tag", [254, 50706])
def test_a_camera_s_raw_data_are_no_image(tmp_path: Path, tag: int) -> None:
    """The file begins as a TIFF, and its preview must not be taken for the image."""
    tags = b"".join(struct.pack("<HHII", each, 4, 1, 1) for each in (tag, 256, 257))
    (tmp_path / "source").write_bytes(b"II*\0\x08\0\0\0\3\0" + tags)

    with pytest.raises(RefusedError, match="not an image"):
        kind_of(tmp_path / "source")


@pytest.mark.parametrize(
    ("primaries", "transfer", "shown"),
    [
        (12, 13, (215, 93, 31)),
        (9, 13, (241, 76, 29)),
        (1, 1, (200, 100, 50)),
        (1, 8, (229, 168, 122)),
        (2, 2, (200, 100, 50)),
    ],
)
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_coding_points_are_honoured(
    tmp_path: Path, kind: str, primaries: int, transfer: int, shown: tuple[int, int, int]
) -> None:
    """Colours by CICP numbers look as in Chromium 141, in an AVIF as in a HEIC."""
    importlib.import_module("pillow_heif").register_heif_opener()
    image = Image.new("RGB", (64, 48), (200, 100, 50))
    data = bytes_of(image, kind, quality=100, **({"subsampling": "4:4:4"} if kind == "AVIF" else {"chroma": 444}))
    at = data.index(b"nclx") + 4
    data = data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]

    result = made(tmp_path, image_options(formats=["png"]), data)

    assert shown == pytest.approx(result.compressed.convert("RGB").getpixel((30, 20)), abs=3)


def drawing(body: str, attributes: str = 'width="40" height="30"', before: str = "") -> bytes:
    """An SVG."""
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{body}</svg>'.encode()


HALF = '<rect width="20" height="30" fill="#f00"/>'


@pytest.mark.parametrize(
    ("data", "size"),
    [
        pytest.param(drawing(HALF), (1440, 1080), id="with a size"),
        pytest.param(drawing(HALF, 'viewBox="0 0 40 30"'), (1440, 1080), id="with a view alone"),
        pytest.param(drawing(HALF, 'width="4000" height="3000" viewBox="0 0 40 30"'), (1440, 1080), id="a large one"),
        pytest.param(
            drawing(HALF, before='<?xml version="1.0"?>\n<!-- <a> -->\n<!DOCTYPE svg>\n'),
            (1440, 1080),
            id="behind others",
        ),
        pytest.param(drawing(HALF).decode().encode("utf-16"), (1440, 1080), id="of two bytes a letter"),
    ],
)
def test_a_drawing_is_drawn_as_large_as_the_result(tmp_path: Path, data: bytes, size: tuple[int, int]) -> None:
    """An SVG has no pixels to be enlarged: it fills the result, sharp, and is transparent elsewhere."""
    result = made(tmp_path, image_options(background="#00ff00"), data)

    assert ("SVG", size) == (result.report["kind"], result.size)
    middle = size[0] // 2
    assert close(RED, result.compressed.getpixel((middle - 4, 15)))
    assert close(GREEN, result.compressed.getpixel((middle + 4, 15)))
    assert (320, 240) == result.thumbnail.size


SECRET = "SecretOfThisMachine"


@pytest.mark.parametrize(
    "body",
    [
        '<image href="beside.png" width="40" height="30"/>',
        '<image href="{folder}/beside.png" width="40" height="30"/>',
        '<image href="file://{folder}/beside.png" width="40" height="30"/>',
        '<image href="http://127.0.0.1:{port}/beside.png" width="40" height="30"/>',
        '<use href="beside.svg#part"/>',
        '<style>@import url("file://{folder}/beside.css");</style><rect class="a" width="40" height="30" fill="none"/>',
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{folder}/beside.svg"/>',
    ],
)
def test_a_drawing_reads_no_file_and_asks_no_server(tmp_path: Path, body: str) -> None:
    """Outside files, styles and URLs are missing in it, however it refers to them."""
    Image.new("RGB", (40, 30), RED).save(tmp_path / "beside.png")
    (tmp_path / "beside.css").write_text(".a{fill:#f00}")
    (tmp_path / "beside.svg").write_bytes(drawing('<rect id="part" width="40" height="30" fill="#f00"/>'))

    result = run(tmp_path, drawing(body.replace("{folder}", str(tmp_path)).replace("{port}", "9")))

    assert close(WHITE, result.compressed.getpixel((700, 500)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(
            drawing("<text>&x;</text>", before='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
            "the SVG can't be drawn",
            id="a file as an entity",
        ),
        pytest.param(
            drawing(
                "<text>&l9;</text>",
                before="<!DOCTYPE svg [<!ENTITY l0 'lol'>"
                + "".join(f"<!ENTITY l{at} '{f'&l{at - 1};' * 10}'>" for at in range(1, 10))
                + "]>",
            ),
            "the SVG can't be drawn",
            id="a billion laughs",
        ),
        pytest.param(drawing("<g>" * 5000 + "</g>" * 5000), "the SVG can't be drawn", id="too deep"),
        pytest.param(drawing("", 'width="0" height="0"'), "the SVG can't be drawn", id="without a size"),
        pytest.param(drawing("", 'width="1000000" height="1"'), "the SVG can't be drawn", id="a line"),
        pytest.param(drawing("<g>")[:-6], "the SVG can't be drawn", id="cut off"),
        pytest.param(drawing(" " * 4 * MEBIBYTE), "larger than 4 MiB", id="too large"),
    ],
)
def test_a_malformed_drawing_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    """For good, and at once."""
    with pytest.raises(RefusedError, match=reason):
        run(tmp_path, data)


def test_a_huge_drawing_takes_no_more_than_others(tmp_path: Path) -> None:
    """Its size is only a proportion."""
    parent = FakeParent()
    (tmp_path / "source").write_bytes(drawing(HALF, 'width="1000000" height="1000000"'))

    with decode.opened(tmp_path / "source", FakeParent()) as upload:
        assert (2048, 2048) == upload.size
        decode.decode(upload, 0.5, ["jpeg"], parent)

    assert parent.reserved[0] < 128 * MEBIBYTE


@pytest.mark.parametrize(("size", "progressive", "room"), [((16_000, 12_400), False, 40), ((12_000, 9000), False, 40)])
def test_a_phone_s_largest_images_take_little_memory(
    tmp_path: Path, size: tuple[int, int], room: int, *, progressive: bool
) -> None:
    """A JPEG of 108 or 200 megapixels is decoded at an eighth or a quarter."""
    data = bytes_of(Image.new("RGB", (64, 48), RED), "JPEG", progressive=progressive)
    at = data.index(b"\xff\xc0") + 5
    (tmp_path / "source").write_bytes(data[:at] + struct.pack(">HH", size[1], size[0]) + data[at + 4 :])

    with decode.opened(tmp_path / "source", FakeParent()) as upload:
        assert size == upload.size
        assert upload.prepare(1080 / size[1], ["jpeg"]) < room * MEBIBYTE


@pytest.mark.parametrize(
    ("data", "modules", "words"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(100), ["pillow_heif"], "need the package pillow-heif"),
        (drawing(""), ["pyvips", "processors.media.image.vips"], "need the packages pyvips and pyvips-binary"),
    ],
)
def test_a_format_whose_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, modules: list[str], words: str
) -> None:
    """Such an image is refused, and the reason names the package."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(RefusedError, match=words):
        run(tmp_path, data)


def test_a_result_that_a_format_has_no_room_for(tmp_path: Path) -> None:
    """A WebP has 14 bits for a side: the reason says so, and it is no internal fault."""
    with pytest.raises(RefusedError, match="at most 16,383 pixels"):
        made(tmp_path, image_options(formats=["webp"], box=(32_767, 32_767)), Image.new("L", (20_000, 3)))


def test_text_that_begins_like_an_image_is_none(tmp_path: Path) -> None:
    """Text that happens to begin so is no image."""
    for data in (
        b"BMX is a sport",
        b"MM*",
        b"<!-- no --><html><svg/></html>",
        b"RIFF\0\0\0\0WAVE",
        io.BytesIO(bytes(9)).read(),
    ):
        (tmp_path / "source").write_bytes(data)
        with pytest.raises(RefusedError, match="not an image"):
            kind_of(tmp_path / "source")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        pytest.param("RGB", {}, id="lossy"),
        pytest.param("RGB", {"lossless": True}, id="lossless"),
        pytest.param("RGBA", {}, id="extended"),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (257, 64), (300, 16_383)])
def test_the_size_of_a_webp_is_known_before_it_is_opened(
    tmp_path: Path, mode: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    """In each of its three forms."""
    path = tmp_path / "source"
    Image.new(mode, size).save(path, "WEBP", method=0, **options)

    assert size == webp.size_of(path)


@pytest.mark.parametrize(("bits", "mode", "bytes_a_pixel"), [(8, "RGB", 9), (10, "RGB;16", 16)])
def test_a_camera_s_heif_takes_more_memory(tmp_path: Path, bits: int, mode: str, bytes_a_pixel: int) -> None:
    """One of ten bits is decoded through twice as many bytes."""
    file = io.BytesIO()
    pillow_heif.encode(mode, (600, 400), bytes(600 * 400 * 3 * (bits + 7 >> 3)), file)
    (tmp_path / "source").write_bytes(file.getvalue())

    with decode.opened(tmp_path / "source", FakeParent()) as upload:
        assert BASE + 600 * 400 * bytes_a_pixel == upload.prepare(1.0, ["jpeg"])
