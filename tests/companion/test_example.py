"""The example app: `next build`, `next start`, the real worker, and Chromium as a phone."""

from __future__ import annotations

import asyncio
import csv
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
from bullmq import Queue
from playwright.async_api import expect

from demo.app import PHOTO
from tests.support.axe import violations
from tests.support.example_page import bell, fits, hydrated, listening, open_chat, signed_in, write
from tests.support.polling import until
from tests.support.videos import make
from tests.support.workbooks import read

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, FilePayload, Page

    from tests.support.example import Example

BROKEN: FilePayload = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
PREFERENCES = 'SELECT * FROM "NotificationPreference" WHERE "userId" = ? ORDER BY "channel"'
ORDERS = 'SELECT "id" FROM "Order" WHERE "userId" = ?'
TOLD = """SELECT 1 FROM "Notification" WHERE "userId" = ? AND "title" = 'Your export is ready'"""
PLACED = 'SELECT "item", "quantity" FROM "Order" WHERE "userId" = ? ORDER BY "createdAt" DESC LIMIT 1'
THANKED = """SELECT "body" FROM "Notification" WHERE "userId" = ? AND "title" = 'We have your order'"""
WISHES = ("channel", "type", "enabled", "quietFrom", "quietTo", "timeZone")
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
        [push] = await until(lambda: example_app.jobs("push-notifications", "Are you there?"))
        assert example_app.user("Grace") == push["userId"]
        assert ("Ada", "Are you there?") == (push["payload"]["title"], push["payload"]["body"])
        assert f"/chat/{example_app.user('Ada')}" == push["payload"]["url"]
        assert await fits(ada)


async def test_the_app_waits_while_the_worker_writes(chromium: Browser, example_app: Example) -> None:
    """SQLite has one writer at a time, and libSQL fails at once unless it is told to wait."""
    async with signed_in(chromium, example_app, "Ada") as page:
        await open_chat(page, "Grace")
        await page.get_by_label("Message to Grace").fill("Just a moment")
        with example_app.written():
            async with page.expect_request(lambda asked: asked.method == "POST"):
                await page.get_by_role("button", name="Send", exact=True).click()
            await asyncio.sleep(1)  # the app has tried by then
        await page.get_by_role("listitem").filter(has_text="Just a moment").wait_for()


async def test_a_picture_is_uploaded_followed_and_shown(chromium: Browser, example_app: Example) -> None:
    """Straight to the bucket; its job's progress is shown while it runs, then the BlurHash, then the thumbnail."""
    async with signed_in(chromium, example_app, "Ada") as page:
        await open_chat(page, "Grace")
        await page.evaluate(WATCH)
        others = {row["key"] for row in example_app.sql('SELECT * FROM "File"')}
        async with example_app.paused("file-processing"):
            await page.get_by_label("Send a picture or a video").set_input_files(PHOTO)
            await page.get_by_text("Compressing the image").wait_for()
            [key] = {row["key"] for row in example_app.sql('SELECT * FROM "File"')} - others
            [job] = await until(lambda: example_app.jobs("file-processing", key))
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
        assert await fits(page)


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
        await hydrated(page)

        await page.get_by_label("Choose a picture").set_input_files(PHOTO)

        avatar = page.locator("main img.avatar")
        await avatar.wait_for()
        await until(lambda: avatar.evaluate("image => image.naturalWidth"))
        sides = await avatar.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        assert [512, 512] == sides
        assert await fits(page)


async def test_the_bell_counts_what_the_worker_tells(chromium: Browser, example_app: Example) -> None:
    """From the click to the count, live; each user sees, and marks as read, the own ones alone."""
    example_app.sql('DELETE FROM "Notification"')
    async with signed_in(chromium, example_app, "Ada") as ada, signed_in(chromium, example_app, "Grace") as grace:
        for page in (ada, grace):
            await listening(page, "/settings")
        await ada.get_by_role("button", name="Ring the bell").click()
        await bell(ada, "Notifications, 1 unread").wait_for()
        await ada.get_by_role("status").filter(has_text="The bell works, 1 unread").wait_for(state="attached")
        [row] = example_app.sql('SELECT "id", "userId", "type" FROM "Notification"')
        theirs = {"ids": [row["id"]]}
        marked = await grace.request.patch("/api/notifications", data=theirs, headers={"Origin": example_app.url})
        unread = await marked.json()
        await grace.get_by_role("button", name="Ring the bell").click()
        await bell(grace, "Notifications, 1 unread").wait_for()
        told = await (await grace.request.get("/api/notifications")).json()
        assert await fits(ada)

    assert (example_app.user("Ada"), "success") == (row["userId"], row["type"])
    assert (200, {"unread": 0}) == (marked.status, unread)
    assert 1 == told["unread"] == len(told["notifications"])
    assert row["id"] != told["notifications"][0]["id"]
    assert 2 == len(example_app.sql('SELECT 1 FROM "Notification" WHERE "readAt" IS NULL'))


async def test_the_bell_works_with_the_keyboard(chromium: Browser, example_app: Example) -> None:
    """It opens, marks one or all as read without losing the focus, and Escape closes it. axe finds nothing."""
    example_app.sql('DELETE FROM "Notification"')
    rows = [(f"n{number}", example_app.user("Ada"), f"News {number}") for number in range(3)]
    for row in rows:
        example_app.sql('INSERT INTO "Notification" ("id", "userId", "title", "body") VALUES (?, ?, ?, \'\')', *row)
    async with signed_in(chromium, example_app, "Ada") as page:
        await page.emulate_media(color_scheme="dark")
        await page.goto("/settings/preferences")
        await bell(page, "Notifications, 3 unread").press("Enter")
        await page.get_by_role("button", name="Mark as read: News 1").press("Enter")
        await bell(page, "Notifications, 2 unread").wait_for()
        await expect(page.get_by_role("heading", name="Notifications")).to_be_focused()
        assert await fits(page)
        assert [] == await violations(page)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Mark all as read")).to_be_focused()
        await page.keyboard.press("Enter")
        await bell(page, "Notifications").wait_for()
        await page.keyboard.press("Escape")
        await expect(bell(page, "Notifications")).to_be_focused()
        await expect(page.get_by_role("heading", name="Notifications")).to_be_hidden()
        await page.emulate_media(color_scheme="light")
        assert [] == await violations(page)
    await until(lambda: 3 == len(example_app.sql('SELECT 1 FROM "Notification" WHERE "readAt" IS NOT NULL')))


async def test_the_worker_follows_the_preferences_of_the_page(chromium: Browser, example_app: Example) -> None:
    """A switch mutes a channel, and quiet hours have the browser's time zone."""
    grace = example_app.user("Grace")
    async with signed_in(chromium, example_app, "Grace") as page:
        await page.goto("/settings/preferences")
        await page.get_by_label("In the app, at the bell").click()
        await expect(page.get_by_label("In the app, at the bell")).not_to_be_checked()
        await page.get_by_label("From").fill("21:30")
        await page.get_by_role("button", name="Turn on").click()
        await page.get_by_role("button", name="Turn off").wait_for()
        assert await fits(page)
        zone = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
        rows = example_app.sql(PREFERENCES, grace)
        await page.goto("/settings")
        await page.get_by_role("button", name="Ring the bell").click()
        [told] = await until(
            lambda: [result for result in example_app.results("notifications", grace) if result["muted"]]
        )
    example_app.sql('DELETE FROM "NotificationPreference"')

    wishes = [tuple(row[name] for name in WISHES) for row in rows]
    assert [("*", "*", None, "21:30", "07:00", zone), ("in-app", "*", 0, None, None, None)] == wishes
    assert (0, 1) == (told["created"], told["muted"])


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
    assert example_app.user("Grace") == example_app.job(job["queue"], job["id"])["userId"]


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


async def test_orders_are_exported_for_their_own_user(chromium: Browser, example_app: Example, tmp_path: Path) -> None:
    """A click adds the job, its progress is shown, and the browser downloads a file of the user's rows alone."""
    ids = {row["id"] for row in example_app.sql(ORDERS, example_app.user("Ada"))}
    async with signed_in(chromium, example_app, "Ada") as page, signed_in(chromium, example_app, "Grace") as other:
        await page.get_by_role("link", name="Orders").click()
        await hydrated(page, "button[name=type]")
        async with example_app.paused("exports"), page.expect_request("**/api/jobs/exports/*") as asked:
            await page.get_by_role("button", name="For Excel").click()
            await page.get_by_role("progressbar", name="Progress of the export").wait_for()
        job = (await asked.value).url
        [_, *rows] = read(await downloaded(page, tmp_path / "orders.xlsx"))[0]
        await page.get_by_role("button", name="As CSV").click()
        with (await downloaded(page, tmp_path / "orders.csv")).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))

        assert [404, 200] == [await status_of(each, job) for each in (other, page)]
        await page.emulate_media(color_scheme="dark")
        assert await fits(page)
        assert [] == await violations(page)
    assert len(ids) > 1
    assert ids == {row[0] for row in rows} == {line["id"] for line in lines}
    assert {Decimal(line["total"]) for line in lines} == {row[4] for row in rows}
    await until(lambda: example_app.sql(TOLD, example_app.user("Ada")))


async def test_an_order_is_told_by_the_job_that_its_transaction_wrote(chromium: Browser, example_app: Example) -> None:
    """The worker brings the job out of the outbox."""
    grace = example_app.user("Grace")
    async with signed_in(chromium, example_app, "Grace") as page:
        await page.goto("/orders")
        await hydrated(page, "button[name=type]")
        await page.get_by_role("button", name="Order something").click()
        [told] = await until(lambda: example_app.sql(THANKED, grace))

    [order] = example_app.sql(PLACED, grace)
    [row] = example_app.sql('SELECT "topic", "error" FROM "Outbox" WHERE "publishedAt" IS NOT NULL')
    assert f"{order['quantity']} \N{MULTIPLICATION SIGN} {order['item']}" == told["body"]
    assert ("job", None) == (row["topic"], row["error"])


async def downloaded(page: Page, to: Path) -> Path:
    """Follow the link of the export that is under way, once it leads to a file of that type."""
    link = page.get_by_role("link", name="Download")
    await until(lambda: link.evaluate("(link, end) => new URL(link.href).pathname.endsWith(end)", to.suffix))
    async with page.expect_download() as begun:
        await link.click()
    file = await begun.value
    assert to.name == file.suggested_filename
    await file.save_as(to)
    return to


async def status_of(page: Page, url: str) -> int:
    """The status of a request with the page's cookies."""
    return (await page.context.request.get(url, headers={"Accept": "application/json"})).status
