"""What media jobs carry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel, WithJsonSchema, model_validator

from processors.storage_key import StorageKey  # noqa: TC001 -- pydantic reads it
from queue_lib.processor import Model

# The titles are the names of the types in TypeScript.
Format = Annotated[Literal["jpeg", "webp", "avif", "png"], Field(title="Format")]
Crop = Annotated[Literal["center", "top", "entropy"], Field(title="Crop")]
Animation = Literal["keep", "mp4", "first-frame"]


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


class Upload(Model):
    """An upload, and the row of the app's file table that it belongs to."""

    file_id: FileId = Field(description="letters, digits, _ and -")
    file_path: StorageKey = Field(description="a storage key: no URL, no leading slash")
    user_id: UserId


class ImageOptions(Options):
    """How images are made."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1, max_length=3)] = Field(
        ("jpeg",), description="the first is that of compressedUrl"
    )
    quality: Quality = 85
    progressive: bool = False
    widths: Annotated[tuple[Side, ...], Field(max_length=8)] = Field(
        (), description="further images of these widths, 16 to 4,096 pixels"
    )
    crop: Crop = Field(
        "center", description="what the thumbnail shows; top: the upper third; entropy: the busiest part"
    )
    background: Colour = Field("#ffffff", description="#rrggbb under transparency")
    alpha: Literal["flatten", "keep"] = Field(
        "flatten", description="keep: WebP instead of JPEG if there is transparency"
    )
    animation: Animation = Field("keep", description="keep: an animated WebP; mp4: for a GIF, a video in variants")
    hashed_keys: bool = Field(
        default=False, description="keys that change with the content; browsers may cache them for ever"
    )


class ImagePayload(Upload):
    """`process-image`: smaller images of an upload, for all browsers."""

    model_config = ConfigDict(title="ProcessImage")

    options: ImageOptions = ImageOptions()


class VideoOptions(Options):
    """How videos are made."""

    hashed_keys: bool = Field(default=False, description="as for images")


class VideoPayload(Upload):
    """`process-video`: an upload becomes a video that all browsers play, and its poster."""

    model_config = ConfigDict(title="ProcessVideo")

    options: VideoOptions = VideoOptions()


class AvatarOptions(Options):
    """How avatars are made."""

    sizes: Annotated[tuple[AvatarSide, ...], Field(min_length=1, max_length=10)] | None = Field(
        None, description="16 to 2,048 pixels; default AVATAR_SIZES"
    )
    formats: Annotated[tuple[Literal["webp", "jpeg"], ...], Field(min_length=1, max_length=2)] = ("webp", "jpeg")
    crop: Crop = "top"
    background: Colour = Field("#ffffff", description="#rrggbb under transparency")
    quality: Quality = 80
    animation: Literal["first-frame", "keep"] = Field(
        "first-frame", description="keep: WebP outputs of an animation stay animated"
    )


class AvatarPayload(Model):
    """`optimize-avatar`: an upload becomes the user's avatar, in several sizes."""

    model_config = ConfigDict(title="OptimizeAvatar")

    user_id: UserId
    file_path: StorageKey = Field(description="a storage key: no URL, no leading slash")
    options: AvatarOptions = AvatarOptions()


class ResizeOptions(Options):
    """`resize`: fit inside `width` and `height` pixels (either may be omitted). Nothing is enlarged."""

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
    """`extract_text`: how much text, and of what."""

    max_characters: Annotated[int, Field(ge=1, le=5_000_000)] = 1_000_000
    max_pages: Annotated[int, Field(ge=1, le=2000)] = 500
    markdown: bool = Field(default=False, description="the upload is Markdown, which can't be told from plain text")


class ResizeFile(Upload):
    """Make an image smaller in pixels."""

    operation: Literal["resize"]
    options: ResizeOptions = ResizeOptions()


class CompressFile(Upload):
    """Make an image smaller in bytes."""

    operation: Literal["compress"]
    options: CompressOptions = CompressOptions()


class ConvertFile(Upload):
    """Convert an image to another format."""

    operation: Literal["convert"]
    options: ConvertOptions


class ExtractText(Upload):
    """Extract the text of a document."""

    operation: Literal["extract_text"]
    options: ExtractOptions = ExtractOptions()


ImageFile = ResizeFile | CompressFile | ConvertFile


class FileJob(RootModel[Annotated[ImageFile | ExtractText, Field(discriminator="operation")]]):
    """`process-file`: `operation` says what is to be done."""

    model_config = ConfigDict(title="ProcessFile")
