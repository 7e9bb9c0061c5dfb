"""What media jobs carry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, RootModel, WithJsonSchema, model_validator

from queue_lib.processor import Model
from storage.errors import InvalidKeyError
from storage.objects.base import MAX_KEY_BYTES, check_key

Format = Literal["jpeg", "webp", "avif", "png"]
Crop = Literal["center", "top", "entropy"]
Animation = Literal["keep", "mp4", "first-frame"]


def _storage_key(value: str) -> str:
    try:
        return check_key(value)
    except InvalidKeyError as error:
        raise ValueError(str(error)) from error


# As far as a pattern can say what `check_key` takes: segments that are neither empty nor `.` nor `..`.
SEGMENT = r"(?!\.{1,2}(?:/|$))[^/\\\u0000-\u001f\u007f]+"
KEY_SCHEMA = {
    "type": "string",
    "maxLength": MAX_KEY_BYTES,
    "pattern": f"^{SEGMENT}(?:/{SEGMENT})*$",
    "examples": ["uploads/a.jpg"],
}
StorageKey = Annotated[str, AfterValidator(_storage_key), WithJsonSchema(KEY_SCHEMA)]


def _id_schema(**text: Any) -> WithJsonSchema:
    """An id as apps have it: a string, or an integer."""
    return WithJsonSchema({"anyOf": [{"type": "string", **text}, {"type": "integer"}]})


FILE_ID = r"^[A-Za-z0-9_-]{1,128}$"  # it becomes part of storage keys
FileId = Annotated[str, Field(pattern=FILE_ID, coerce_numbers_to_str=True), _id_schema(pattern=FILE_ID)]
UserId = Annotated[
    str, Field(min_length=1, max_length=200, coerce_numbers_to_str=True), _id_schema(minLength=1, maxLength=200)
]
Quality = Annotated[int, Field(ge=1, le=95)]
Side = Annotated[int, Field(ge=16, le=4096)]  # pixels
SMALLEST_AVATAR, LARGEST_AVATAR = 16, 2048  # pixels
AvatarSide = Annotated[int, Field(ge=SMALLEST_AVATAR, le=LARGEST_AVATAR)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class Options(Model):
    """Base of a job's options. An unknown name is refused: it is most likely one of the options, misspelt."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        fields = cls.model_fields
        names = [field.alias or name for name, field in fields.items()]
        if isinstance(value, dict) and (unknown := value.keys() - fields.keys() - set(names)):
            said = ", ".join(sorted(str(name)[:50] for name in unknown)[:5])
            msg = f"no such option: {said}; there are {', '.join(names)}"
            raise ValueError(msg)
        return value


class FilePayload(Model):
    """The upload under the storage key `filePath`, and the row of the app's file table that it belongs to."""

    file_id: FileId
    file_path: StorageKey
    user_id: UserId


class ImageOptions(Options):
    """How images are made.

    `formats`: the first is that of `compressedUrl`. `widths`: further images of these widths, in pixels. `crop`: the
    part that the thumbnail shows. `alpha`: `flatten` puts transparency on `background`, `keep` keeps it (as WebP, for
    JPEG has none). `animation`: `keep` makes an animated WebP, `mp4` also a video (of a GIF), `first-frame` a still
    image. `hashedKeys`: keys change with the content, so that caches may keep them for ever.
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


class VideoOptions(Options):
    """How videos are made. `hashedKeys` as for images."""

    hashed_keys: bool = False


class VideoPayload(FilePayload):
    """`process-video`."""

    options: VideoOptions = VideoOptions()


class AvatarOptions(Options):
    """How avatars are made. `sizes` are in pixels; the default is AVATAR_SIZES.

    `animation`: with `keep`, WebPs of an animation are animated, and JPEGs show the first frame.
    """

    sizes: Annotated[tuple[AvatarSide, ...], Field(min_length=1, max_length=10)] | None = None
    formats: Annotated[tuple[Literal["webp", "jpeg"], ...], Field(min_length=1, max_length=2)] = ("webp", "jpeg")
    crop: Crop = "top"
    background: Colour = "#ffffff"
    quality: Quality = 80
    animation: Literal["first-frame", "keep"] = "first-frame"


class AvatarPayload(Model):
    """`optimize-avatar`: the upload under the storage key `filePath` becomes the user's avatar."""

    user_id: UserId
    file_path: StorageKey
    options: AvatarOptions = AvatarOptions()


class ResizeOptions(Options):
    """`resize`: fit inside `width` and `height` pixels (either may be omitted); never enlarge."""

    width: Side = 4096
    height: Side = 4096
    format: Format = "jpeg"
    quality: Quality = 85


class CompressOptions(Options):
    """`compress`: the same pixels in fewer bytes."""

    format: Format = "jpeg"
    quality: Quality = 75


class ConvertOptions(Options):
    """`convert`: another format."""

    format: Format
    quality: Quality = 90


class ExtractOptions(Options):
    """`extract_text`. `markdown`: the upload is Markdown, which can't be told from plain text."""

    max_characters: Annotated[int, Field(ge=1, le=5_000_000)] = 1_000_000
    max_pages: Annotated[int, Field(ge=1, le=2000)] = 500
    markdown: bool = False


class ResizeFile(FilePayload):
    """Make an image smaller in pixels."""

    operation: Literal["resize"]
    options: ResizeOptions = ResizeOptions()


class CompressFile(FilePayload):
    """Make an image smaller in bytes."""

    operation: Literal["compress"]
    options: CompressOptions = CompressOptions()


class ConvertFile(FilePayload):
    """Convert an image to another format."""

    operation: Literal["convert"]
    options: ConvertOptions


class ExtractText(FilePayload):
    """Extract the text of a document."""

    operation: Literal["extract_text"]
    options: ExtractOptions = ExtractOptions()


ImageFile = ResizeFile | CompressFile | ConvertFile


class FileJob(RootModel[Annotated[ImageFile | ExtractText, Field(discriminator="operation")]]):
    """`process-file`: `operation` says what is to be done."""
