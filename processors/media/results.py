"""What media jobs return. URLs expire if the store signs them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from queue_lib.processor import Model

ImageFormat = Literal["jpeg", "webp", "avif", "png", "gif"]
Animation = Literal["kept", "first-frame"]  # what became of an animation


class Variant(Model):
    """One file. `bytes` is its size, `width` and `height` are in pixels."""

    url: str
    format: ImageFormat | Literal["mp4"]
    width: int
    height: int
    bytes: int


class ImageResult(Model):
    """Where the images are; `width`, `height` and `bytes` are those of the compressed one.

    `animation` says what became of an animation; it is null if the upload was none. `variants` has the further widths
    and formats, and the video.
    """

    compressed_url: str
    thumbnail_url: str
    width: int
    height: int
    bytes: int
    format: ImageFormat
    blurhash: str
    dominant_color: str
    animation: Animation | Literal["mp4"] | None
    variants: tuple[Variant, ...]


class VideoResult(Model):
    """Where the video and its poster are. `duration` is in seconds.

    `truncated`: the upload ended before the time that it claimed. `remuxed`: it was fit for the web as it was.
    `toneMapped`: it was HDR. `soundDropped`: its sound can't be decoded, and `audio` is null.
    """

    url: str
    poster_url: str
    duration: float
    width: int
    height: int
    bytes: int
    codec: Literal["h264"]
    audio: Literal["aac"] | None
    truncated: bool
    remuxed: bool
    tone_mapped: bool
    sound_dropped: bool


class AvatarResult(Model):
    """The URLs by size and format: `urls["64"]["webp"]`."""

    urls: dict[str, dict[str, str]]
    blurhash: str
    dominant_color: str
    animation: Animation | None


class ImageFileResult(Model):
    """The image that `resize`, `compress` or `convert` made. `bytes` is its size, sides are in pixels."""

    url: str
    format: ImageFormat
    width: int
    height: int
    bytes: int
    operation: Literal["resize", "compress", "convert"]
    animation: Animation | None


class TextResult(Model):
    """Where the text is (UTF-8). `truncated`: a limit cut it.

    `pages`: how many pages of a PDF were read; `pagesWithoutText`: how many of these have no text, because they are
    scans, blank or damaged.
    """

    operation: Literal["extract_text"]
    text_url: str
    kind: Literal["pdf", "docx", "text", "markdown"]
    characters: int
    pages: int | None
    pages_without_text: int | None
    truncated: bool
    bytes: int


class FileResult(RootModel[Annotated[ImageFileResult | TextResult, Field(discriminator="operation")]]):
    """`process-file`: what its `operation` made."""
