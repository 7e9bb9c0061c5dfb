"""What a child process says of its results. It is checked like any input: the child has read hostile bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from processors.media.results import Animation, ImageFormat  # noqa: TC001 -- pydantic reads them
from queue_lib.errors import TransientError
from queue_lib.processor import Model


class Report(Model):
    """Base of all reports."""


class Output(Report):
    """A file that the child has made in its folder. `width` and `height` are in pixels, 0 for what has none."""

    variant: Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}\.[a-z0-9]{2,4}$")]
    format: str
    content_type: str
    width: Annotated[int, Field(ge=0)] = 0
    height: Annotated[int, Field(ge=0)] = 0
    bytes: Annotated[int, Field(ge=0)]


class ImageOutput(Output):
    """An image that the child has made."""

    format: ImageFormat
    content_type: Literal["image/jpeg", "image/webp", "image/avif", "image/png", "image/gif"]


class ImageReport(Report):
    """The images that were made of an upload. `kind` is the upload's format, in capitals."""

    files: Annotated[tuple[ImageOutput, ...], Field(min_length=1, max_length=64)]
    blurhash: Annotated[str, Field(max_length=100)]
    dominant_color: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    animation: Animation | None
    kind: Annotated[str, Field(pattern=r"^[A-Z]{3,4}$")]

    def output(self, variant: str) -> ImageOutput:
        """The first file of this variant. Raises TransientError if the child has made none."""
        for file in self.files:
            if file.variant == variant:
                return file
        msg = f"the task's report can't be read (it has no {variant} image)"
        raise TransientError(msg)


class VideoReport(Report):
    """The video that was made. `duration` is in seconds."""

    duration: Annotated[float, Field(ge=0)]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    bytes: Annotated[int, Field(gt=0)]
    codec: Literal["h264"]
    audio: Literal["aac"] | None
    truncated: bool
    remuxed: bool
    tone_mapped: bool
    sound_dropped: bool

    def output(self) -> Output:
        """The video as a file to be published."""
        sizes = {"width": self.width, "height": self.height, "bytes": self.bytes}
        return Output(variant="video", name="video.mp4", format="mp4", content_type="video/mp4", **sizes)


class TextReport(Report):
    """The text that was found."""

    kind: Literal["pdf", "docx", "text", "markdown"]
    characters: Annotated[int, Field(ge=0)]
    pages: Annotated[int, Field(ge=0)] | None
    pages_without_text: Annotated[int, Field(ge=0)] | None
    truncated: bool
    bytes: Annotated[int, Field(ge=0)]

    def output(self) -> Output:
        """The text as a file to be published."""
        content_type = "text/plain; charset=utf-8"
        return Output(variant="text", name="text.txt", format="text", content_type=content_type, bytes=self.bytes)
