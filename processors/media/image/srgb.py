"""Conversion to sRGB, which browsers assume for an image without a profile."""

from __future__ import annotations

import functools
import io

from PIL import Image, ImageChops, ImageCms

# Colours that any other primaries or gamma would change.
PROBE = Image.frombytes(
    "RGB", (6, 1), bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 64, 64, 64, 128, 128, 128, 200, 120, 60))
)
CLOSE = 2  # of 255: rounding


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The image in sRGB, as RGB or RGBA. YCbCr is returned unchanged: only sRGB images are decoded to it.

    A profile that is damaged, or made for another colour model, is ignored.
    """
    if image.mode == "YCbCr":
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    return _converted(image, profile, mode) or (image if image.mode == mode else image.convert(mode))


def _converted(image: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    if is_srgb(profile):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@functools.lru_cache(maxsize=1)
def is_srgb(profile: bytes) -> bool:
    """Whether this profile means sRGB, up to 2 of 255 (an empty one does).

    A name with "sRGB" is not enough: Display P3 "with sRGB Transfer" and linear sRGB have it, too.
    """
    if not profile:
        return True
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "sRGB" in ImageCms.getProfileDescription(source) and _changes_nothing(source)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False


def _changes_nothing(source: ImageCms.ImageCmsProfile) -> bool:
    probe = PROBE.convert("L") if source.profile.xcolor_space.strip() == "GRAY" else PROBE
    shown = ImageCms.profileToProfile(probe, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if shown is None:
        return False
    return max(ImageChops.difference(shown, probe.convert("RGB")).tobytes()) <= CLOSE
