"""Boxes in the dashboard's lists: with a keyboard, with and without JavaScript, while the list is updated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.support.axe import violations
from tests.support.dashboard_browser import HOME, act, opened, operating, refreshed, sign_in
from tests.support.dashboard_client import FULL
from tests.support.showcase import FILES, IMAGE, bury, working
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page, ViewportSize

    from tests.support.wires import Mess

PHONE: ViewportSize = {"width": 390, "height": 844}
FAILED = f"{HOME}/queue/{FILES.name}?state=failed"


def box(page: Page, job_id: str) -> Locator:
    """The box of a job."""
    return page.get_by_role("checkbox", name=f"process-image {job_id}", exact=True)


async def broken(mess: Mess, count: int) -> list[str]:
    """Let some image jobs fail for good; returns their ids, the newest last."""
    await mess.bullmq("process-image", *[IMAGE] * count, queue=FILES.name)
    async with working(mess) as broker:
        return await bury(mess, broker, count)


async def said_of(page: Page, name: str) -> str:
    """What a screen reader says of an open question: its description, with what the style sheet adds."""
    browser = await page.context.new_cdp_session(page)
    nodes = (await browser.send("Accessibility.getFullAXTree"))["nodes"]
    found = [each for each in nodes if each["role"].get("value") == "dialog" and each["name"]["value"] == name]
    return str(found[0]["description"]["value"])


async def test_updates_keep_what_is_ticked(mess: Mess, chromium: Browser) -> None:
    """Rows move down and one goes; the boxes stay with their jobs, and the question says how many are ticked."""
    async with operating(chromium, mess) as page:
        ids = await broken(mess, 4)
        await page.goto(FAILED)
        await box(page, ids[0]).check()
        await box(page, ids[2]).focus()
        await page.keyboard.press("Space")
        [newest] = await broken(mess, 1)
        async with mess._bull(FILES.name) as queue:
            await queue.remove(ids[3])
        await refreshed(page)
        await expect(box(page, newest)).not_to_be_checked()
        await expect(box(page, ids[3])).to_have_count(0)
        await expect(box(page, ids[2])).to_be_focused()
        assert [True, False, True] == [await box(page, each).is_checked() for each in ids[:3]]

        await page.get_by_role("button", name="Retry ticked").click()
        question = page.get_by_role("dialog", name="Retry ticked")
        await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
        assert (await said_of(page, "Retry ticked")).endswith("Ticked: 2")
        assert [] == await violations(page)
        await question.get_by_role("button", name="Retry ticked").click()
        await expect(page.get_by_role("status")).to_contain_text("Ticked jobs that run again: 2.")
        await expect(page.get_by_role("checkbox")).to_have_count(2)
        await expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)


@pytest.mark.parametrize("script", [True, False])
async def test_ticked_jobs_are_removed(mess: Mess, chromium: Browser, script: bool) -> None:
    """On a phone, and without JavaScript, too."""
    ids = await broken(mess, 3)
    process, url = web_process(mess.url, mess.folder, FULL)
    async with process, opened(chromium, url, java_script_enabled=script, viewport=PHONE) as page:
        await sign_in(page)
        await page.goto(FAILED)
        for each in ids[:2]:
            await box(page, each).check()
        await act(page, "Remove ticked")
        await expect(page.get_by_role("status")).to_contain_text("Ticked jobs removed: 2.")
        await expect(page.get_by_role("checkbox")).to_have_count(1)
        await act(page, "Remove ticked")
        await expect(page.get_by_role("status")).to_contain_text("Nothing was done: no job was ticked.")


async def test_a_test_job_is_added(mess: Mess, chromium: Browser) -> None:
    """The sample is wrong at first: the fault is read, the payload corrected, and the job shown."""
    async with operating(chromium, mess, expected=["422"]) as page:
        await page.goto(f"{HOME}/queue/{FILES.name}")
        await page.get_by_role("link", name="Add a test job").click()
        await page.get_by_role("link", name="process-image", exact=True).click()
        payload = page.get_by_label("Payload of process-image")
        sample = await payload.input_value()
        await payload.fill("")
        await act(page, "Add")
        await expect(page.get_by_role("alert")).to_contain_text("this is no JSON")
        await payload.fill(sample.replace("uploads/", "../"))
        await act(page, "Add")
        await expect(page.get_by_role("alert")).to_contain_text("filePath")
        assert [] == await violations(page)
        await payload.fill((await payload.input_value()).replace("../", "uploads/"))
        await page.get_by_label("Wire").select_option("RQ")
        await act(page, "Add")
        await expect(page.get_by_role("status")).to_contain_text("The job is added.")
        await expect(page.get_by_role("heading", level=1)).to_have_text("process-image waiting")
