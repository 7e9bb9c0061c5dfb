"""Jobs of a Next.js app from stock Node bullmq to our worker, and the results that the app gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.node import NodeError, node

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.push_service import PushService
    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")


async def test_a_push(app: App, push_service: PushService) -> None:
    """The app's `await job.waitUntilFinished()` gives the counts in camelCase, and the device has the message."""
    row = push_service.subscribe()
    app.subscribe(row)
    payload = {"title": "Grüße", "body": "👋"}

    async with app.worker():
        _, result, job = await node(
            app.env["REDIS_URL"],
            ("add", PUSHES, "push-notification", {"userId": "user-1", "payload": payload, "options": {"ttl": 60}}),
            ("waitUntilFinished", PUSHES, None, 5000),
            ("getJob", PUSHES, None),
        )

    none = dict.fromkeys(("failed", "pruned", "retrying", "skipped", "expired", "muted", "waiting"), 0)
    rest: dict[str, object] = {"total": 1, "collapsed": None, "cancelled": False, "followUps": [], "ignored": []}
    assert {"sent": 1} | none | rest | {"origins": {push_service.origin: {"sent": 1}}} == result
    assert [payload] == [push.json for push in push_service.received]
    assert ("completed", result, 1) == (job["state"], job["returnvalue"], job["attemptsMade"])


async def test_an_image(app: App) -> None:
    """The app gets the URLs and the size of the compressed image, hears of the progress, and finds its row marked."""
    key = app.upload("f1", (2400, 1200))

    async with app.worker():
        _, result, job = await node(
            app.env["REDIS_URL"],
            ("add", FILES, "process-image", {"fileId": "f1", "filePath": key, "userId": "user-1"}),
            ("waitUntilFinished", FILES, None, 10_000),
            ("getJob", FILES, None),
        )

    store = app.env["STORAGE_URL"]
    urls = {name + "Url": f"{store}/f1-{name}.jpg" for name in ("compressed", "thumbnail")}
    size = (app.folder / "store" / "f1-compressed.jpg").stat().st_size
    facts = {"width": 1920, "height": 960, "bytes": size, "format": "jpeg", "dominantColor": "#008080", "variants": []}
    assert urls | facts | {"blurhash": result["blurhash"], "animation": None} == result
    assert [(*urls.values(), 1)] == app.sql('SELECT "compressedUrl", "thumbnailUrl", "processed" FROM "File"')
    assert 100 == job["progress"]


async def test_a_refused_payload(app: App) -> None:
    """A payload that can never work fails at once; the app's promise is rejected, and names the bad field."""
    async with app.worker():
        with pytest.raises(NodeError) as caught:
            await node(
                app.env["REDIS_URL"],
                ("add", PUSHES, "push-notification", {"userId": "user-1"}, {"attempts": 5}),
                ("waitUntilFinished", PUSHES, None, 5000),
            )

    assert "bad payload for push-notification: payload: Field required" == caught.value.message


async def test_data_comes_and_goes_unchanged(mess: Mess) -> None:
    """Text of all scripts, nested lists, nulls and long numbers reach the job and come back as they were sent."""
    data = {
        "text": "żółw 🐢 \u2028 \u0000",
        "nested": {"list": [1, 2.5, None, True, {"a": []}]},
        "big": 2**53 - 1,
        "": 0,
    }

    async with mess.worker():
        results = await node(
            mess.url,
            ("addBulk", PUSHES, [{"name": "nap", "data": data | {"n": n}} for n in range(3)]),
            ("waitUntilFinished", PUSHES, None, 5000),
        )

    assert {"data": data | {"n": 2}} == results[1]
