"""What must be seen for the demo to succeed. Each check looks where the result has to be, and returns what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bullmq import Queue as BullQueue
from PIL import Image, UnidentifiedImageError
from redis.asyncio import Redis

from demo.app import UPLOAD_KEY
from demo.failure import DemoError
from processors.media.image.task import COMPRESSED, THUMBNAIL

if TYPE_CHECKING:
    from pathlib import Path

    from demo.app import App
    from demo.plan import Plan
    from demo.stage import Stage
    from embedded.push_service import PushService
    from storage.ports import Subscription

# The photo lies on its side, with an EXIF tag that says so, and has the proportions 16:9: upright it fills its box.
PICTURES = {"compressedUrl": COMPRESSED, "thumbnailUrl": THUMBNAIL}
MISSING_FIELD = "payload.title"


def _require(condition: object, message: str) -> None:
    if not condition:
        raise DemoError(message)


async def pushed(stage: Stage, plan: Plan) -> list[str]:
    """Each device that lives has decrypted exactly its notification, once, and no push was wrong."""
    _require(not stage.push.refused, f"the push endpoint refused: {', '.join(stage.push.refused)}")
    return [
        _received(stage.push, stage.ada, "BullMQ", plan.to_ada),
        _received(stage.push, stage.grace, "RQ", plan.to_grace),
    ]


def _received(service: PushService, device: Subscription, wire: str, notification: dict[str, str]) -> str:
    received = [push.json for push in service.received if push.subscription_id == device.id]
    _require(received == [notification], f"one push over {wire} should have reached {device.user_id}, not {received}")
    return f"over {wire}, {device.user_id}'s device decrypted {received[0]['title']!r}, {received[0]['body']!r}"


async def pruned(stage: Stage, before: list[str]) -> list[str]:
    """The row of the subscription that answered 410, and no other, is deleted."""
    after, gone = stage.app.subscription_ids(), stage.ada_gone.id
    expected = [row for row in before if row != gone]
    _require(gone in before and after == expected, f"of the rows {before} only {gone} should be gone; left are {after}")
    return [f"{gone} answered 410 Gone: {len(before)} rows before, {len(after)} after"]


async def pictures(app: App) -> list[str]:
    """Both JPEGs are on disk, upright and of the promised size, and the file's row points at them."""
    row = app.file()
    _require(row["processed"], "the row of the upload is not marked as processed")
    width, height, size = _measure(app.store / UPLOAD_KEY)
    lines = [f"the upload: {width} x {height} pixels as it lies, {size:,} bytes"]
    for column, box in PICTURES.items():
        path = app.store / _name(row[column])
        width, height, bytes_ = _measure(path)
        _require((width, height) == box, f"{path.name} has {width} x {height} pixels, not {box[0]} x {box[1]}")
        _require(bytes_ < size, f"{path.name} is not smaller than the upload")
        lines.append(f"-> {path.name}: {width} x {height} pixels, {bytes_:,} bytes")
    return lines


def _name(url: str | None) -> str:
    return unquote(urlsplit(url or "").path).rpartition("/")[2] or "(no picture)"


def _measure(path: Path) -> tuple[int, int, int]:
    """Width, height (pixels) and bytes of a JPEG."""
    try:
        with Image.open(path, formats=("JPEG",)) as picture:
            picture.load()
            return *picture.size, path.stat().st_size
    except (OSError, UnidentifiedImageError) as error:
        msg = f"there is no JPEG at {path}: {error}"
        raise DemoError(msg) from error


async def buried(url: str) -> list[str]:
    """The `dead` queue holds one letter: the push without a title."""
    letters = await _letters(url)
    _require(len(letters) == 1, f"there should be one dead letter, not {len(letters)}")
    [(entry, data)] = letters
    _require(entry == "push-notification_failed", f"the dead letter is called {entry}")
    _require(MISSING_FIELD in data["reason"], f"the dead letter's reason is another one: {data['reason']}")
    return [f"{entry}, over {data['wire']}, attempt {data['attemptsMade']}: {data['reason']}"]


async def _letters(url: str) -> list[tuple[str, Any]]:
    async with Redis.from_url(url, decode_responses=True) as connection:
        jobs = await BullQueue("dead", {"connection": connection}).getJobs(["waiting"])
    return [(job.name, job.data) for job in jobs]


async def exited(status: int, seconds: float) -> list[str]:
    """The worker has ended in good order."""
    _require(status == 0, f"the exit status after SIGTERM should be 0, not {status}; worker.log says more")
    return [f"exit status {status}, {seconds:.1f} s after SIGTERM"]
