"""The example app: `next build`, `next start`, the real worker, and Chromium as a phone."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import redis
from bullmq import Queue

from demo.app import PHOTO
from tests.support.example_page import open_chat, signed_in, write
from tests.support.polling import until
from tests.support.videos import make

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, FilePayload, Page

    from tests.support.example import Example

BROKEN: FilePayload = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
# Keeps what the page has shown for a moment only.
WATCH = """window.seen = {bars: [], hashes: []};
    new MutationObserver(() => {
      for (const bar of document.querySelectorAll("progress")) seen.bars.push(bar.getAttribute("aria-label"));
      for (const hash of document.querySelectorAll("[data-blurhash]")) seen.hashes.push(hash.dataset.blurhash);
    }).observe(document, {subtree: true, childList: true, attributes: true});"""


async def test_a_message_is_shown_and_pushed_to_the_other_user(chromium: Browser, example_app: Example) -> None:
    """The other user's open chat shows it, and a job pushes it to that user's devices."""
    async with signed_in(chromium, example_app, "Ada") as ada, signed_in(chromium, example_app, "Grace") as grace:
        await open_chat(grace, "Ada")
        await open_chat(ada, "Grace")

        await write(ada, "Grace", "Are you there?")

        await grace.get_by_role("listitem").filter(has_text="Are you there?").wait_for()
        [push] = await until(lambda: _jobs(example_app, "push-notifications", "Are you there?"))
        assert example_app.user("Grace") == push["userId"]
        assert ("Ada", "Are you there?") == (push["payload"]["title"], push["payload"]["body"])
        assert f"/chat/{example_app.user('Ada')}" == push["payload"]["url"]
        assert await _fits(ada)


async def test_a_picture_is_uploaded_followed_and_shown(chromium: Browser, example_app: Example) -> None:
    """Straight to the bucket; its job's progress is shown while it runs, then the BlurHash, then the thumbnail."""
    async with signed_in(chromium, example_app, "Ada") as page:
        await open_chat(page, "Grace")
        await page.evaluate(WATCH)
        others = {row["key"] for row in example_app.sql('SELECT * FROM "File"')}
        async with _paused(example_app, "file-processing"):
            await page.get_by_label("Send a picture or a video").set_input_files(PHOTO)
            await page.get_by_text("Compressing the image").wait_for()
            [key] = {row["key"] for row in example_app.sql('SELECT * FROM "File"')} - others
            [job] = await until(lambda: _jobs(example_app, "file-processing", key))
        [row] = await until(lambda: example_app.sql('SELECT * FROM "File" WHERE "processed" AND "key" = ?', key))

        thumbnail = page.locator(f'img[src="{row["thumbnailUrl"]}"]')
        await thumbnail.wait_for()
        await until(lambda: thumbnail.evaluate("image => image.naturalWidth"))
        seen = await page.evaluate("seen")
        opened = await httpx.AsyncClient().get(row["compressedUrl"])

        assert job["filePath"] == row["key"]
        assert row["key"].startswith(f"uploads/{example_app.user('Ada')}/")
        assert {"Upload", "Progress of the image"} <= set(seen["bars"])
        assert row["blurhash"] in seen["hashes"]
        assert (200, "image/jpeg") == (opened.status_code, opened.headers["Content-Type"])
        assert await _fits(page)


async def test_a_video_is_encoded_and_shown(chromium: Browser, example_app: Example, tmp_path: Path) -> None:
    """With its poster, and in a form that the browser plays."""
    make("plain", tmp_path / "clip.mp4")
    async with signed_in(chromium, example_app, "Ada") as page:
        await open_chat(page, "Grace")

        await page.get_by_label("Send a picture or a video").set_input_files(tmp_path / "clip.mp4")

        [row] = await until(lambda: example_app.sql('SELECT * FROM "File" WHERE "kind" = \'video\' AND "processed"'))
        video = page.locator(f'video[src="{row["url"]}"]')
        await video.wait_for()
        assert row["posterUrl"] == await video.get_attribute("poster")
        assert 1 == await video.evaluate(
            "video => new Promise((done) => {video.onloadedmetadata = () => done(Math.round(video.duration));"
            "video.preload = 'metadata'})"
        )


async def test_an_upload_that_is_no_picture_says_so(chromium: Browser, example_app: Example) -> None:
    """The worker's reason stands in the place of the picture."""
    async with signed_in(chromium, example_app, "Grace") as page:
        await open_chat(page, "Ada")

        await page.get_by_label("Send a picture or a video").set_input_files(BROKEN)

        await page.get_by_text("Could not be processed: not an image in one of the supported formats").wait_for()


async def test_an_avatar_is_made_square_and_small(chromium: Browser, example_app: Example) -> None:
    """The worker writes its URL into the user's row, and the page shows it."""
    async with signed_in(chromium, example_app, "Grace") as page:
        await page.goto("/settings")

        await page.get_by_label("Choose a picture").set_input_files(PHOTO)

        avatar = page.locator("main img.avatar")
        await avatar.wait_for()
        await until(lambda: avatar.evaluate("image => image.naturalWidth"))
        sides = await avatar.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        assert [512, 512] == sides
        assert await _fits(page)


async def test_the_dashboard_opens_for_an_admin_only(chromium: Browser, example_app: Example) -> None:
    """Other users are refused; a visitor without a session is sent to the sign-in."""
    async with signed_in(chromium, example_app, "Ada") as page:
        answer = await page.goto("/admin/queues")
        assert answer is not None
        assert 200 == answer.status
        await page.get_by_role("link", name="file-processing").first.wait_for()
        assert example_app.parts.secret not in await page.content()
    async with signed_in(chromium, example_app, "Grace") as page:
        answer = await page.goto("/admin/queues")
        assert answer is not None
        assert 403 == answer.status
    async with httpx.AsyncClient(base_url=example_app.url) as nobody:
        refused = await nobody.get("/admin/queues")
        assert "/sign-in" == refused.headers["Location"]


async def test_the_events_of_anothers_job_are_not_found(chromium: Browser, example_app: Example) -> None:
    """Its owner gets them, another user a 404, a visitor without a session a 401."""
    queue = Queue("file-processing", {"connection": example_app.parts.redis.url})
    upload = {"fileId": "none", "filePath": "uploads/none.jpg", "userId": example_app.user("Ada")}
    job = await queue.add("process-image", upload)
    await queue.close()
    url = f"/api/jobs/file-processing/{job.id}"

    statuses = {}
    for name in ("Ada", "Grace"):
        async with signed_in(chromium, example_app, name) as page:
            statuses[name] = (await page.request.get(url, headers={"Accept": "application/json"})).status
    async with httpx.AsyncClient(base_url=example_app.url) as nobody:
        statuses["nobody"] = (await nobody.get(url)).status_code

    assert {"Ada": 200, "Grace": 404, "nobody": 401} == statuses


async def test_the_edge_route_submits_a_push(chromium: Browser, example_app: Example) -> None:
    """To the user's own devices, over HTTP; a visitor without a session gets a 401."""
    async with signed_in(chromium, example_app, "Grace") as page:
        answer = await page.request.post("/api/edge/test-push")
        job = await answer.json()
    async with httpx.AsyncClient(base_url=example_app.url) as nobody:
        refused = await nobody.post("/api/edge/test-push")

    assert (202, 401) == (answer.status, refused.status_code)
    assert example_app.user("Grace") == _job(example_app, job["queue"], job["id"])["userId"]


async def test_what_a_phone_needs_to_install_it(example_app: Example) -> None:
    """A manifest whose icons are there, an icon for iOS, and a service worker that no cache keeps."""
    async with httpx.AsyncClient(base_url=example_app.url) as browser:
        manifest = (await browser.get("/manifest.webmanifest")).json()
        icons = [(await browser.get(icon["src"])).status_code for icon in manifest["icons"]]
        page = (await browser.get("/sign-in")).text
        scripts = [await browser.get(path) for path in ("/sw.js", "/pushmill-sw.js")]

    assert ("standalone", "/") == (manifest["display"], manifest["start_url"])
    assert [200, 200, 200] == icons
    assert 'rel="apple-touch-icon"' in page
    assert [(200, "no-cache")] * 2 == [(script.status_code, script.headers["Cache-Control"]) for script in scripts]


async def _fits(page: Page) -> bool:
    """Whether the page needs no scrolling to the side."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@asynccontextmanager
async def _paused(app: Example, name: str) -> AsyncIterator[None]:
    """Hold the jobs of a queue back, so that what a page shows of a waiting job does not depend on speed."""
    queue = Queue(name, {"connection": app.parts.redis.url})
    await queue.pause()
    try:
        yield
    finally:
        await queue.resume()
        await queue.close()


def _jobs(app: Example, queue: str, words: str) -> list[dict[str, Any]]:
    """The payloads of those of the queue's jobs that have these words in them."""
    with redis.Redis.from_url(app.parts.redis.url, decode_responses=True) as client:
        keys = [key for key in client.scan_iter(f"bull:{queue}:*") if client.type(key) == "hash"]
        return [json.loads(data) for key in keys if words in (data := client.hget(key, "data") or "")]


def _job(app: Example, queue: str, job_id: str) -> dict[str, Any]:
    with redis.Redis.from_url(app.parts.redis.url, decode_responses=True) as client:
        payload: dict[str, Any] = json.loads(client.hget(f"bull:{queue}:{job_id}", "data") or "{}")
        return payload
