"""The checks of the demo. Each one looks where its result must be and returns lines about it, or raises DemoError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bullmq import Queue as BullQueue
from PIL import Image, UnidentifiedImageError
from redis.asyncio import Redis

from demo.app import UPLOAD_KEY
from demo.failure import DemoError
from processors.media.image.make_images import COMPRESSED, THUMBNAIL

if TYPE_CHECKING:
    from pathlib import Path

    from demo.app import App
    from demo.plan import Plan
    from demo.stage import Stage
    from embedded.push_service import PushService
    from storage.ports import Subscription

# The photo is stored turned, with an EXIF tag that says so. Upright it is 16:9 and fills these boxes exactly.
IMAGES = {"compressedUrl": COMPRESSED, "thumbnailUrl": THUMBNAIL}
MISSING_FIELD = "payload.title"


def _require(condition: object, message: str) -> None:
    if not condition:
        raise DemoError(message)


async def pushed(stage: Stage, plan: Plan) -> list[str]:
    """Each active device has decrypted exactly its notification, once, and no push was wrong."""
    _require(not stage.push.refused, f"the push endpoint refused: {', '.join(stage.push.refused)}")
    return [
        _received(stage.push, stage.ada, "BullMQ", plan.to_ada),
        _received(stage.push, stage.grace, "RQ", plan.to_grace),
    ]


def _received(service: PushService, device: Subscription, wire: str, notification: dict[str, str]) -> str:
    received = [push.json for push in service.received if push.subscription_id == device.id]
    _require(received == [notification], f"{device.user_id} should have received one push over {wire}, not {received}")
    return f"over {wire}, {device.user_id}'s device decrypted {received[0]['title']!r}, {received[0]['body']!r}"


async def mailed(stage: Stage, plan: Plan) -> list[str]:
    """The mail server has the mail, once, for the one recipient."""
    received = [(mail.recipients, mail.message["Subject"]) for mail in stage.mail.received]
    wanted = [(("ada@example.com",), plan.mail["subject"])]
    _require(received == wanted, f"the mail server should have {wanted}, not {received}")
    return [f"ada@example.com received {plan.mail['subject']!r}"]


async def pruned(stage: Stage, before: list[str]) -> list[str]:
    """Only the row of the subscription that answered 410 is deleted."""
    after, gone = stage.app.subscription_ids(), stage.ada_gone.id
    expected = [row for row in before if row != gone]
    _require(
        gone in before and after == expected,
        f"of the rows {before} only {gone} should be deleted; these are left: {after}",
    )
    return [f"{gone} answered 410 Gone: {len(before)} rows before, {len(after)} after"]


async def images(app: App) -> list[str]:
    """Both JPEGs are on disk, upright and with the right size, and the file's row has their URLs."""
    row = app.file()
    _require(row["processed"], "the row of the upload is not marked as processed")
    width, height, size = _measure(app.store / UPLOAD_KEY)
    lines = [f"the upload: {width} x {height} pixels as stored, {size:,} bytes"]
    for column, box in IMAGES.items():
        path = app.store / _name(row[column])
        width, height, bytes_ = _measure(path)
        _require((width, height) == box, f"{path.name} has {width} x {height} pixels, not {box[0]} x {box[1]}")
        _require(bytes_ < size, f"{path.name} is not smaller than the upload")
        lines.append(f"-> {path.name}: {width} x {height} pixels, {bytes_:,} bytes")
    return lines


def _name(url: str | None) -> str:
    return unquote(urlsplit(url or "").path).rpartition("/")[2] or "(no image)"


def _measure(path: Path) -> tuple[int, int, int]:
    """Width, height (pixels) and bytes of a JPEG."""
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            image.load()
            return *image.size, path.stat().st_size
    except (OSError, UnidentifiedImageError) as error:
        msg = f"there is no JPEG at {path}: {error}"
        raise DemoError(msg) from error


async def dead_letter(url: str) -> list[str]:
    """The queue `dead` has one dead letter: the push without a title."""
    letters = await _letters(url)
    _require(len(letters) == 1, f"there should be one dead letter, not {len(letters)}")
    [(entry, data)] = letters
    _require(entry == "push-notification_failed", f"the dead letter has the name {entry}")
    _require(MISSING_FIELD in data["reason"], f"the dead letter has another reason: {data['reason']}")
    return [f"{entry}, over {data['wire']}, attempt {data['attemptsMade']}: {data['reason']}"]


async def _letters(url: str) -> list[tuple[str, Any]]:
    async with Redis.from_url(url, decode_responses=True) as connection:
        jobs = await BullQueue("dead", {"connection": connection}).getJobs(["waiting"])
    return [(job.name, job.data) for job in jobs]


async def exited(status: int, seconds: float) -> list[str]:
    """The worker has exited with status 0."""
    _require(status == 0, f"the exit status after SIGTERM should be 0, not {status}; worker.log says more")
    return [f"exit status {status}, {seconds:.1f} s after SIGTERM"]
