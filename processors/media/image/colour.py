"""Colours as sRGB: what browsers take a picture without a profile for."""

from __future__ import annotations

import io

from PIL import Image, ImageCms


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture's colours as sRGB: RGB, RGBA, or YCbCr, which is decoded for no other colours.

    A profile that is damaged or of another kind of picture is left out. One with sRGB in its name is taken for sRGB:
    converting would change a colour by one in 255 at most.
    """
    if picture.mode == "YCbCr":
        return picture
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    return _converted(picture, profile, mode) or (picture if picture.mode == mode else picture.convert(mode))


def _converted(picture: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    if is_srgb(profile):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def is_srgb(profile: bytes) -> bool:
    """Whether colours under this profile are sRGB's (no profile: they are)."""
    if not profile:
        return True
    try:
        return "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False
