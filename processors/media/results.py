"""What media jobs return. URLs expire if the store signs them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from queue_lib.processor import Model

ImageFormat = Annotated[Literal["jpeg", "webp", "avif", "png", "gif"], Field(title="ImageFormat")]
Animation = Literal["kept", "first-frame"]  # what became of an animation


class Variant(Model):
    """One file. Sides are in pixels."""

    url: str
    format: ImageFormat | Literal["mp4"]
    width: int
    height: int
    bytes: int


class ImageResult(Model):
    """Where the images are. URLs expire if the store signs them."""

    compressed_url: str = Field(description="at most 1920 x 1080 pixels")
    thumbnail_url: str = Field(description="at most 320 x 240 pixels, cropped to these proportions")
    width: int = Field(description="of the compressed image")
    height: int
    bytes: int
    format: ImageFormat
    blurhash: str = Field(description="https://blurha.sh")
    dominant_color: str = Field(description="#rrggbb")
    animation: Animation | Literal["mp4"] | None = Field(description="null: the upload was not animated")
    variants: tuple[Variant, ...] = Field(description="further formats and widths, and the video")


class VideoResult(Model):
    """Where the video and its poster are."""

    url: str = Field(description="MP4: H.264, AAC")
    poster_url: str = Field(description="JPEG, at most 640 pixels wide")
    duration: float = Field(description="seconds")
    width: int
    height: int
    bytes: int
    codec: Literal["h264"]
    audio: Literal["aac"] | None
    truncated: bool = Field(description="the upload ended before its stated duration")
    remuxed: bool = Field(description="every browser plays the upload, so it was not encoded again")
    tone_mapped: bool = Field(description="it was HDR")
    sound_dropped: bool = Field(description="its sound could not be decoded; audio is null")


class AvatarResult(Model):
    """Where the images are."""

    urls: dict[str, dict[Literal["webp", "jpeg"], str]] = Field(description='by size and format: urls["64"]?.webp')
    blurhash: str
    dominant_color: str
    animation: Animation | None


class ImageFileResult(Model):
    """The image that `resize`, `compress` or `convert` made. Sides are in pixels."""

    url: str
    format: ImageFormat
    width: int
    height: int
    bytes: int
    operation: Literal["resize", "compress", "convert"]
    animation: Animation | None


class TextResult(Model):
    """Where the text of a document is."""

    operation: Literal["extract_text"]
    text_url: str = Field(description="UTF-8")
    kind: Literal["pdf", "docx", "text", "markdown"]
    characters: int
    pages: int | None = Field(description="of a PDF: those that were read")
    pages_without_text: int | None = Field(
        description="scans, blank or damaged ones; if it equals pages, the PDF is a scan"
    )
    truncated: bool = Field(description="a limit cut the text")
    bytes: int


class FileResult(RootModel[Annotated[ImageFileResult | TextResult, Field(discriminator="operation")]]):
    """`process-file`: what its `operation` made."""
