"""Colours as sRGB: what browsers take an image without a profile for."""

from __future__ import annotations

import functools
import io

from PIL import Image, ImageChops, ImageCms

# Colours that other primaries and another gamma would change.
PROBE = Image.frombytes(
    "RGB", (6, 1), bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 64, 64, 64, 128, 128, 128, 200, 120, 60))
)
CLOSE = 2  # of 255: rounding


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The image's colours as sRGB: RGB, RGBA, or YCbCr, which is decoded for no other colours.

    A profile that is damaged or of another kind of image is left out.
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
    """Whether colours under this profile are sRGB's, but for two in 255 (no profile: they are).

    That it has sRGB in its name is not enough: so have Display P3 "with sRGB Transfer" and linear sRGB.
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
