"""The settings of media."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from processors.media.dependencies import VideoLimits, VideoSlots
from processors.media.payload import LARGEST_AVATAR, SMALLEST_AVATAR
from processors.sandbox.limits import MEBIBYTE

IMAGES_SHARE = 60 * MEBIBYTE  # that a video leaves for images


class MediaSettings(BaseSettings):
    """The limits of media, and the app's tables of files and avatars."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    video_concurrency: int = Field(
        1,
        ge=1,
        description=(
            "How many running `file-processing` jobs may be videos (`process-video`, and `process-image` of a GIF "
            "with `animation: mp4`)."
        ),
    )
    video_max_duration: float = Field(600.0, gt=0, description="Seconds; a longer video is refused.")
    video_max_upload: int = Field(1024, ge=1, description="MiB; a larger video is refused.")
    ffmpeg_path: str | None = Field(None, description="Path of `ffmpeg`. Default: the one on PATH, else the wheel's.")
    ffprobe_path: str | None = Field(None, description="Path of `ffprobe`. Default: as for ffmpeg.")
    avatar_sizes: Annotated[tuple[int, ...], NoDecode] = Field(
        (32, 64, 128, 256, 512), description="Sizes of avatars in pixels, unless the job names some."
    )
    file_table: str = Field("File", min_length=1, description="The table of uploaded files, as the database spells it.")
    avatar_table: str | None = Field(
        None, description="The table of users, if the row with the user's `id` is to get the URL of the largest avatar."
    )
    avatar_column: str = Field("image", min_length=1, description="The column of that table for the URL.")

    @field_validator("avatar_sizes", mode="before")
    @classmethod
    def _sizes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        sizes = [part.strip() for part in value.split(",")]
        if not all(size.isdecimal() and SMALLEST_AVATAR <= int(size) <= LARGEST_AVATAR for size in sizes):
            msg = f"not a list of sizes of {SMALLEST_AVATAR} to {LARGEST_AVATAR} pixels; it looks like 32,64,128"
            raise ValueError(msg)
        return sizes

    def video_slots(self) -> VideoSlots:
        """The slots for videos."""
        return VideoSlots(self.video_concurrency)

    def video_limits(self, memory: int) -> VideoLimits:
        """The limits of a video: of `memory` bytes it leaves some for an image beside it."""
        return VideoLimits(
            duration=self.video_max_duration,
            upload=self.video_max_upload * MEBIBYTE,
            memory=memory - IMAGES_SHARE,
        )
