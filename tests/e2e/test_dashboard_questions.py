"""The dashboard's questions before an action, and axe's findings on its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.support.axe import violations
from tests.support.dashboard_browser import HOME, opened, operating, sign_in
from tests.support.dashboard_client import FULL
from tests.support.showcase import FILES, fill, schedule
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.support.wires import Mess

ADD = f"/queue/{FILES.name}/add"
FAILED = f"{HOME}/queue/{FILES.name}?state=failed"
PLACE = "document.activeElement.closest('dialog')?.id ?? document.activeElement.localName"
OLDER = """for (const each of document.querySelectorAll("[commandfor]")) each.removeAttribute("commandfor")"""


async def test_a_question_keeps_the_keyboard(mess: Mess, chromium: Browser) -> None:
    """Tab stays in it, Cancel has the focus first, Escape closes it, and the focus goes back to where it was."""
    await fill(mess)
    async with operating(chromium, mess) as page:
        await page.goto(FAILED)
        await page.get_by_role("button", name="Clean").focus()
        await page.keyboard.press("Enter")
        question = page.get_by_role("dialog", name="Clean")
        await expect(question).to_contain_text("Of the 4 failed jobs of file-processing, on both wires, delete")
        await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
        places = []
        for key in ["Tab"] * 8 + ["Shift+Tab"] * 8:
            await page.keyboard.press(key)
            places.append(await page.evaluate(PLACE))
        assert {"ask-clean"} == set(places) - {"body"}  # the browser's own bar has the focus then
        assert places.count("body") <= 5
        await page.keyboard.press("Escape")
        await expect(question).to_be_hidden()
        await expect(page.get_by_role("button", name="Clean")).to_be_focused()


async def test_an_older_browser_asks_in_a_popover(mess: Mess, chromium: Browser) -> None:
    """A browser without invoker commands shows the question, and cancels it, all the same."""
    await fill(mess)
    async with operating(chromium, mess) as page:
        await page.goto(FAILED)
        await page.evaluate(OLDER)
        question = page.get_by_role("dialog", name="Clean")
        await page.get_by_role("button", name="Clean").click()
        await question.get_by_role("button", name="Cancel").click()
        await expect(question).to_be_hidden()
        await page.get_by_role("button", name="Clean").click()
        await question.get_by_label("When they ended").select_option("whatever their age")
        await question.get_by_role("button", name="Clean").click()
        await expect(page.get_by_role("status")).to_contain_text("Jobs deleted: 4.")


@pytest.mark.parametrize(
    "look",
    [
        {"color_scheme": "light"},
        pytest.param({"color_scheme": "dark"}, marks=pytest.mark.matrix),
        pytest.param({"forced_colors": "active"}, marks=pytest.mark.matrix),
    ],
)
async def test_axe_finds_nothing(mess: Mess, chromium: Browser, look: dict[str, Any]) -> None:
    """On any page, with a question open or not, in either theme."""
    await fill(mess)
    await schedule(mess)
    process, url = web_process(mess.url, mess.folder, FULL)
    async with process, opened(chromium, url, **look) as page:
        await page.goto(HOME)
        assert [] == await violations(page)
        await sign_in(page)
        for path in (
            "/",
            "/?period=day",
            "/letters",
            "/letters/groups",
            "/schedules",
            "/workers",
            ADD,
            f"/queue/{FILES.name}?state=failed&period=day",
            f"/queue/{FILES.name}?state=failed",
        ):
            await page.goto(f"{HOME}{path}")
            assert [] == await violations(page), path
        await page.get_by_role("button", name="Clean").click()
        assert [] == await violations(page)
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("link", name="process-image").first.click()
        await expect(page.get_by_role("region", name="Stack trace")).to_be_visible()
        assert [] == await violations(page)
        await page.get_by_role("link", name="Dead letter", exact=True).click()
        await expect(page.get_by_role("button", name="Replay")).to_be_visible()
        assert [] == await violations(page)
