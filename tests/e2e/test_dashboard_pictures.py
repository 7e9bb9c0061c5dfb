"""The pictures of jobs in a real Chromium: shown under the strict policy, and none of another host."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image
from playwright.async_api import expect

from tests.support.axe import violations
from tests.support.dashboard_browser import HOME, opened, refreshed, sign_in
from tests.support.dashboard_client import FULL
from tests.support.showcase import FILES, IMAGE, claim, working
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page, Route

    from tests.support.wires import Mess

CDN = "https://cdn.example/app"
RESULT = {
    "compressedUrl": f"{CDN}/a.jpg",
    "thumbnailUrl": f"{CDN}/a-thumbnail.jpg",
    "width": 1600,
    "height": 1200,
    "bytes": 90_000,
    "format": "jpeg",
    "blurhash": "L",
    "dominantColor": "#aabbcc",
    "animation": None,
    "variants": [],
}
SIZE = "each => [each.naturalWidth, each.naturalHeight]"


async def answer(route: Route) -> None:
    """As a content network does."""
    image = BytesIO()
    Image.new("RGB", (320, 240), "#4a7").save(image, "JPEG")
    await route.fulfill(body=image.getvalue(), content_type="image/jpeg")


async def test_the_picture_of_a_job_appears_when_it_has_ended(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """Under a policy that names this picture: the page that was open had none, so it is loaded anew."""
    process, url = web_process(mess.url, tmp_path, FULL, STORAGE_URL="s3://bucket", STORAGE_PUBLIC_BASE_URL=CDN)
    async with process, opened(chromium, url) as page, working(mess) as broker:
        await page.clock.install()
        await page.route(f"{CDN}/**", answer)
        await sign_in(page)
        await look_at_new(mess, page)
        await (await claim(broker, FILES)).done(RESULT)
        await refreshed(page)
        picture = page.get_by_role("img", name="The thumbnail")
        await expect(picture).to_be_visible()
        await expect(picture).to_have_js_property("complete", value=True)
        assert [320, 240] == await picture.evaluate(SIZE)
        await expect(page.get_by_role("link", name="The compressed image")).to_have_attribute("href", f"{CDN}/a.jpg")
        assert [] == await violations(page)


async def test_a_picture_of_another_host_is_not_asked_for(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """Whoever writes a result into Redis learns nothing of those who read it."""
    asked: list[str] = []
    process, url = web_process(mess.url, tmp_path, FULL, STORAGE_URL="s3://bucket", STORAGE_PUBLIC_BASE_URL=CDN)
    async with process, opened(chromium, url) as page, working(mess) as broker:
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(page)
        job = await look_at_new(mess, page)
        await (await claim(broker, FILES)).done(RESULT | {"thumbnailUrl": "https://evil.example/app/a.jpg"})
        await page.goto(job)
        await expect(page.get_by_text("The thumbnail: not shown")).to_be_visible()
        await expect(page.locator("img")).to_have_count(0)
    assert {True} == {each.startswith(url) for each in asked}


async def look_at_new(mess: Mess, page: Page) -> str:
    """Open the page of a new image job; returns its address."""
    [job_id] = await mess.bullmq("process-image", IMAGE, queue=FILES.name)
    address = f"{HOME}/job?queue={FILES.name}&wire=bullmq&id={job_id}"
    await page.wait_for_url(re.compile(f"{HOME}/?$"))
    await page.goto(address)
    await expect(page.get_by_role("heading", name="process-image waiting")).to_be_visible()
    return address
