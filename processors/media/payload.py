"""What media jobs carry, and what comes back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, RootModel

from queue_lib.processor import Model
from storage.errors import InvalidKeyError
from storage.objects.base import check_key

Format = Literal["jpeg", "webp", "avif", "png"]
Crop = Literal["center", "top", "entropy"]
Animation = Literal["keep", "mp4", "first-frame"]


def _storage_key(value: str) -> str:
    try:
        return check_key(value)
    except InvalidKeyError as error:
        raise ValueError(str(error)) from error


StorageKey = Annotated[str, AfterValidator(_storage_key)]
# It becomes a part of storage keys.
FileId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$", coerce_numbers_to_str=True)]
UserId = Annotated[str, Field(min_length=1, max_length=200, coerce_numbers_to_str=True)]
Quality = Annotated[int, Field(ge=1, le=95)]
Side = Annotated[int, Field(ge=16, le=4096)]
SMALLEST_AVATAR, LARGEST_AVATAR = 16, 2048  # pixels
AvatarSide = Annotated[int, Field(ge=SMALLEST_AVATAR, le=LARGEST_AVATAR)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class FilePayload(Model):
    """The upload under the storage key `filePath`, and the row of the app's file table it belongs to.

    Ids may be numbers.
    """

    file_id: FileId
    file_path: StorageKey
    user_id: UserId


class ImageOptions(Model):
    """How pictures are made.

    `formats`: the first is that of `compressedUrl`. `widths`: further pictures of these widths, in pixels. `crop`: the
    part that the thumbnail shows. `alpha`: `flatten` puts transparency on `background`, `keep` keeps it (as WebP, for
    JPEG has none). `animation`: `keep` makes an animated WebP, `mp4` a film beside the pictures (of a GIF),
    `first-frame` a picture. `hashedKeys`: the keys are made of the content, so that caches may keep them for ever.
    """

    formats: Annotated[tuple[Format, ...], Field(min_length=1, max_length=3)] = ("jpeg",)
    quality: Quality = 85
    progressive: bool = False
    widths: Annotated[tuple[Side, ...], Field(max_length=8)] = ()
    crop: Crop = "center"
    background: Colour = "#ffffff"
    alpha: Literal["flatten", "keep"] = "flatten"
    animation: Animation = "keep"
    hashed_keys: bool = False


class ImagePayload(FilePayload):
    """`process-image`."""

    options: ImageOptions = ImageOptions()


class Variant(Model):
    """One picture. `bytes` is its size, `width` and `height` are in pixels."""

    url: str
    format: str
    width: int
    height: int
    bytes: int


class ImageResult(Model):
    """Where the pictures are; `width`, `height` and `bytes` are those of the compressed one.

    `animation` says what became of one: `kept`, `mp4`, `first-frame`, or null where there was none. `variants` has the
    further widths and formats, and the film.
    """

    compressed_url: str
    thumbnail_url: str
    width: int
    height: int
    bytes: int
    format: str
    blurhash: str
    dominant_color: str
    animation: str | None
    variants: tuple[Variant, ...]


class VideoOptions(Model):
    """How films are made. `hashedKeys` as for pictures."""

    hashed_keys: bool = False


class VideoPayload(FilePayload):
    """`process-video`."""

    options: VideoOptions = VideoOptions()


class VideoResult(Model):
    """Where the film and its poster are. `duration` is in seconds.

    `truncated`: the upload ended before the time that it claimed. `remuxed`: it was fit for the web as it was.
    `soundDropped`: its sound is of a kind that can't be decoded, and `audio` is null.
    """

    url: str
    poster_url: str
    duration: float
    width: int
    height: int
    bytes: int
    codec: str
    audio: str | None
    truncated: bool
    remuxed: bool
    tone_mapped: bool
    sound_dropped: bool


class AvatarOptions(Model):
    """How avatars are made. `sizes` in pixels; by default those of AVATAR_SIZES.

    `animation`: with `keep` the WebPs of an animation move, and its JPEGs show the first frame.
    """

    sizes: Annotated[tuple[AvatarSide, ...], Field(min_length=1, max_length=10)] | None = None
    formats: Annotated[tuple[Literal["webp", "jpeg"], ...], Field(min_length=1, max_length=2)] = ("webp", "jpeg")
    crop: Crop = "top"
    background: Colour = "#ffffff"
    quality: Quality = 80
    animation: Literal["first-frame", "keep"] = "first-frame"


class AvatarPayload(Model):
    """`optimize-avatar`: the upload under the storage key `filePath`, for a user."""

    user_id: UserId
    file_path: StorageKey
    options: AvatarOptions = AvatarOptions()


class AvatarResult(Model):
    """The URLs by size and format: `urls["64"]["webp"]`."""

    urls: dict[str, dict[str, str]]
    blurhash: str
    dominant_color: str
    animation: str | None


class ResizeOptions(Model):
    """`resize`: fit inside `width` and `height` pixels (either may be left out); never enlarged."""

    width: Side = 4096
    height: Side = 4096
    format: Format = "jpeg"
    quality: Quality = 85


class CompressOptions(Model):
    """`compress`: the same pixels in fewer bytes."""

    format: Format = "jpeg"
    quality: Quality = 75


class ConvertOptions(Model):
    """`convert`: another format."""

    format: Format
    quality: Quality = 90


class ExtractOptions(Model):
    """`extract_text`. `markdown`: the upload is Markdown, which looks like any text."""

    max_characters: Annotated[int, Field(ge=1, le=5_000_000)] = 1_000_000
    max_pages: Annotated[int, Field(ge=1, le=2000)] = 500
    markdown: bool = False


class ResizeFile(FilePayload):
    """A picture, smaller."""

    operation: Literal["resize"]
    options: ResizeOptions = ResizeOptions()


class CompressFile(FilePayload):
    """A picture, lighter."""

    operation: Literal["compress"]
    options: CompressOptions = CompressOptions()


class ConvertFile(FilePayload):
    """A picture, in another format."""

    operation: Literal["convert"]
    options: ConvertOptions


class ExtractText(FilePayload):
    """A document's text."""

    operation: Literal["extract_text"]
    options: ExtractOptions = ExtractOptions()


PictureFile = ResizeFile | CompressFile | ConvertFile


class FileJob(RootModel[Annotated[PictureFile | ExtractText, Field(discriminator="operation")]]):
    """`process-file`: what is to be done, by its `operation`."""


class PictureFileResult(Variant):
    """What `resize`, `compress` and `convert` made."""

    operation: str
    animation: str | None


class TextResult(Model):
    """Where the text is (UTF-8). `kind`: pdf, docx, text or markdown. `truncated`: a limit cut it.

    `pages`: how many pages of a PDF were read; `pages_without_text`: how many of these have none, for they are scans,
    blank or damaged.
    """

    operation: str
    text_url: str
    kind: str
    characters: int
    pages: int | None
    pages_without_text: int | None
    truncated: bool
    bytes: int
