"""How the dashboard looks: in both themes, on a phone, in large letters, in forced colours, on paper."""

from __future__ import annotations

import itertools
import re
from io import BytesIO
from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.async_api import expect
from pydantic_settings import BaseSettings, SettingsConfigDict
from pypdf import PdfReader

from tests.support.dashboard_browser import HOME, opened, operating, sign_in
from tests.support.dashboard_client import FULL
from tests.support.queues import QUEUES
from tests.support.showcase import FILES, IMAGE, STACK, bury, fill, schedule, tell, working
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from playwright.async_api import Browser, FloatRect, Locator, Page, ViewportSize

    from tests.support.wires import Mess

SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1180, "height": 820}, "phone": {"width": 360, "height": 780}}
ADD = f"/queue/{FILES.name}/add"
TABLES = (("schedules", "/schedules"), ("workers", "/workers"))
SHOWN = ("overview", "schedules", "job-")  # in docs/dashboard.md
LARGEST = 100 * 1024  # bytes of a screenshot
TALLEST = 1500  # pixels of it: each queue makes the overview longer
FAILED = f"{HOME}/queue/{FILES.name}?state=failed"
LEAST = 3.0  # contrast of what is no text (WCAG 2.2, 1.4.11)
FINGER = 24  # pixels of what is pressed (WCAG 2.2, 2.5.8), but for links in sentences
SMALL = f"""() => [...document.querySelectorAll(":is(.bar, main) :is(a, button, input, select, summary)")]
    .filter((each) => each.checkVisibility() && !each.closest(".alarm") && each.offsetHeight < {FINGER})
    .map((each) => each.outerHTML)"""
COLOURS = """() => {
    const colour = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
    return {card: colour(".queue", "backgroundColor"), done: colour(".queue path.done", "fill"),
        retried: colour("#stripes rect", "fill"), dead: colour(".queue path.dead", "fill"),
        p50: colour(".queue path.p50", "stroke"), p95: colour(".queue path.p95", "stroke")};
}"""


class ScreenshotSettings(BaseSettings):
    """`screenshots` is the folder for the images; without it they are checked and thrown away."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    screenshots: Path | None = None


@pytest.mark.matrix
async def test_it_fits_and_is_shown_in_the_docs(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """No page is wider than the screen; `make screenshots` keeps the images."""
    await fill(mess)
    await schedule(mess, broken=False)
    folder = ScreenshotSettings().screenshots or tmp_path
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process:
        for size, theme in itertools.product(SIZES, ("light", "dark")):
            await tell(mess, anew=True)  # a machine may take longer than a minute over them
            async with opened(chromium, url, color_scheme=theme, viewport=SIZES[size]) as page:
                await _tour(page, folder, f"{size}-{theme}.png")


async def _tour(page: Page, folder: Path, name: str) -> None:
    """All pages."""
    await page.goto(HOME)
    await _look(page, folder / f"sign-in-{name}")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    failed = f"/queue/{FILES.name}?state=failed"
    for kind, path in (
        ("overview", "/"),
        ("letters", "/letters"),
        ("groups", "/letters/groups"),
        *TABLES,
        ("add", ADD),
        ("jobs", failed),
    ):
        await page.goto(f"{HOME}{path}")
        await _look(page, folder / f"{kind}-{name}")
    work = await page.get_by_role("region", name="What the workers did").screenshot(animations="disabled")
    _keep(Image.open(BytesIO(work)), folder / f"work-{name}")
    await page.get_by_role("link", name="process-image").first.click()
    await expect(page.get_by_role("region", name="Stack trace")).to_be_visible()
    await _look(page, folder / f"job-{name}")


async def _look(page: Page, path: Path) -> None:
    """Take a screenshot, and check that nothing is cut off, nor too small for a finger."""
    await page.evaluate("document.activeElement?.blur()")
    image = Image.open(BytesIO(await page.screenshot(full_page=True, animations="disabled")))
    assert 0 == await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"), path.name
    assert "phone" not in path.name or [] == await page.evaluate(SMALL), path.name
    if path.name.startswith(SHOWN):
        _keep(image, path)


def _keep(image: Image.Image, path: Path) -> None:
    shown = image.crop((0, 0, image.width, min(image.height, TALLEST)))
    colours = shown.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)
    assert path.stat().st_size < LARGEST, path.name


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
async def test_graphs_can_be_told_apart(mess: Mess, chromium: Browser, theme: str) -> None:
    """Bars and lines stand out from the page and from each other: by brightness, stripes and dashes."""
    await fill(mess)
    async with operating(chromium, mess, color_scheme=theme) as page:
        colours = {name: luminance(told) for name, told in (await page.evaluate(COLOURS)).items()}
        card = colours.pop("card")
        assert {} == {name: contrast(each, card) for name, each in colours.items() if contrast(each, card) < LEAST}
        assert contrast(colours["done"], colours["dead"]) >= LEAST
        bars, lines = page.locator(".queue path.retried"), page.locator(".queue path.p95")
        assert {'url("#stripes")'} == set(await bars.evaluate_all("all => all.map(e => getComputedStyle(e).fill)"))
        assert "none" not in await lines.evaluate_all("all => all.map(e => getComputedStyle(e).strokeDasharray)")
        shown = [await shows(page, each) for each in await page.locator(".key svg").all()]
        assert [True] * 5 * len(QUEUES) == shown


def luminance(told: str) -> float:
    """Relative luminance of `rgb(…)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", told)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """Of two luminances (WCAG 2.2)."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


async def shows(page: Page, place: Locator) -> bool:
    """Whether something is visible at a place: pixels that differ clearly from those just outside its corner."""
    await place.evaluate("each => each.scrollIntoView({block: 'center', behavior: 'instant'})")  # not at the edge
    box = await place.bounding_box()
    assert box is not None
    around: FloatRect = {"x": box["x"] - 2, "y": box["y"] - 2, "width": box["width"] + 4, "height": box["height"] + 4}
    values = Image.open(BytesIO(await page.screenshot(clip=around))).convert("L").tobytes()
    return sum(abs(value - values[0]) > 60 for value in values) >= 8


EDGE = "each => getComputedStyle(each).borderBottomColor"


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
async def test_forced_colours(mess: Mess, chromium: Browser, theme: str) -> None:
    """Whatever colours the reader sets: current page, state and wire are marked, and graphs have legends."""
    await fill(mess)
    async with operating(chromium, mess, color_scheme=theme, forced_colors="active") as page:
        shown = [await shows(page, each) for each in await page.locator(".key svg, .graphs .graph").all()]
        assert [True] * len(shown) == shown
        assert 14 <= len(shown)
        await page.goto(FAILED)
        canvas = await page.locator("body").evaluate("each => getComputedStyle(each).backgroundColor")
        current, others = page.locator("nav [aria-current]"), page.locator("nav:not(.paging) a:not([aria-current])")
        assert canvas not in {await each.evaluate(EDGE) for each in await current.all()}
        assert {canvas} == {await each.evaluate(EDGE) for each in await others.all()}
        assert (4, True) == (await current.count(), await others.count() > 5)


async def test_text_is_as_large_as_the_reader_wants(mess: Mess, chromium: Browser) -> None:
    """Twice as large, if the browser is set to it, and nothing is wider than the screen."""
    await fill(mess)
    await schedule(mess)
    size = "parseFloat(getComputedStyle(document.body).fontSize)"
    async with operating(chromium, mess) as page:
        usual = await page.evaluate(size)
        browser = await page.context.new_cdp_session(page)
        await browser.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
        for path in (
            "/",
            "/letters",
            "/letters/groups",
            "/schedules",
            "/workers",
            ADD,
            f"/queue/{FILES.name}?state=failed",
        ):
            await page.goto(f"{HOME}{path}")
            assert 2 * usual == await page.evaluate(size)
            assert 0 == await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"), path


async def test_a_stack_trace_is_printed_whole(mess: Mess, chromium: Browser) -> None:
    """Paper does not scroll; buttons are left out."""
    frames = [f'  File "/app/step_{number}.py", line 1, in run' for number in range(150)]
    async with operating(chromium, mess) as page:
        await mess.bullmq("process-image", IMAGE, queue=FILES.name)
        async with working(mess) as broker:
            [job_id] = await bury(mess, broker, 1, "\n".join([STACK, *frames]))
        await page.goto(f"{HOME}/job?queue={FILES.name}&wire=bullmq&id={job_id}")
        paper = PdfReader(BytesIO(await page.pdf()))
    printed = "\n".join(sheet.extract_text() for sheet in paper.pages)
    assert [] == [number for number in range(150) if f"step_{number}.py" not in printed]
    assert "uploads/holiday.jpg" in printed
    assert "Sign out" not in printed
    assert "Remove" not in printed


async def test_exact_times(mess: Mess, chromium: Browser) -> None:
    """A job's page shows them; in a list keyboard and pointer show them, and screen readers read them."""
    await fill(mess)
    exact = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC")
    async with operating(chromium, mess) as page:
        await page.goto(FAILED)
        row = page.locator("tbody tr").first
        await expect(row.locator(".moment")).not_to_be_in_viewport()
        await row.get_by_role("link").focus()
        await expect(row.locator(".moment")).to_be_in_viewport()
        await expect(row.locator(".moment")).to_have_text(exact)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/job?**")
        times = page.locator("time")
        assert 3 <= await times.count()
        assert [] == [each for each in await times.all_inner_texts() if not exact.search(each)]
        assert await times.evaluate_all("all => all.every(e => Math.abs(Date.parse(e.dateTime) - Date.now()) < 9e5)")
