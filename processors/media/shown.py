"""What operators see of media jobs: the pictures that they made. Their addresses are those of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.media.results import AvatarResult, FileResult, ImageFileResult, ImageResult, TextResult, VideoResult
from queue_lib.shown import Facts, Link, Picture, Showing
from storage.objects.places import expires_at, public_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.shown import Part, Seen
    from storage.settings import ObjectsSettings

WIDE = 128  # pixels of an avatar that is shown, if there is one so large
DIGITS = 4  # of a size


def showing(settings: ObjectsSettings | None) -> Showing:
    """What is shown where the store has these settings, if they are known."""
    return Showing(parts=_parts, below=public_places(settings) if settings else ())


def _parts(seen: Seen) -> Sequence[Part]:
    result = seen.result.root if isinstance(seen.result, FileResult) else seen.result
    match result:
        case ImageResult():
            return _of_image(result)
        case VideoResult():
            return _of_video(result)
        case AvatarResult():
            return _of_avatar(result)
        case ImageFileResult():
            facts = _size(result.width, result.height, result.bytes)
            return [_picture(result.url, "The image"), Facts({"Operation": result.operation, **facts})]
        case TextResult():
            facts = {"Kind": result.kind, "Characters": f"{result.characters:,}", "Pages": str(result.pages or "none")}
            return [_link(result.text_url, "The text"), Facts(facts)]
        case _:
            return []


def _of_image(result: ImageResult) -> Sequence[Part]:
    facts = {"Format": result.format, **_size(result.width, result.height, result.bytes)}
    return [
        _picture(result.thumbnail_url, "The thumbnail"),
        Facts(facts | {"Further files": str(len(result.variants))}),
        _link(result.compressed_url, "The compressed image"),
    ]


def _of_video(result: VideoResult) -> Sequence[Part]:
    facts = _size(result.width, result.height, result.bytes)
    return [
        _picture(result.poster_url, "The poster"),
        Facts({"Duration": f"{result.duration:,.1f} s", **facts, "Sound": result.audio or "none"}),
        _link(result.url, "The video"),
    ]


def _of_avatar(result: AvatarResult) -> Sequence[Part]:
    """The largest one that is not larger than a page needs."""
    sizes = sorted(
        (int(size), urls) for size, urls in result.urls.items() if size.isdecimal() and len(size) <= DIGITS and urls
    )
    if not sizes:
        return []
    _, urls = next((each for each in sizes if each[0] >= WIDE), sizes[-1])
    return [
        _picture(urls.get("webp") or urls["jpeg"], "The avatar"),
        Facts({"Sizes": ", ".join(str(size) for size, _ in sizes), "Colour": result.dominant_color}),
    ]


def _size(width: int, height: int, size: int) -> dict[str, str]:
    return {"Size": f"{width} x {height} pixels", "Bytes": f"{size:,}"}


def _picture(url: str, name: str) -> Picture:
    return Picture(url, name, expires_at(url))


def _link(url: str, name: str) -> Link:
    return Link(url, name, expires_at(url))
