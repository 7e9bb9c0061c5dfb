"""How a page updates itself under its reader: real keys and pointers in a real Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from queue_lib.outcome import Failure
from tests.support.dashboard_browser import AGAIN, HOME, operating, refreshed
from tests.support.showcase import FILES, IMAGE, STACK, bury, claim, fill, schedule, tell, working

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

    from queue_lib.broker.base import Broker, Lease
    from tests.support.wires import Mess

FAILED = f"{HOME}/queue/{FILES.name}?state=failed&wire=bullmq"
ABOUT = "document.activeElement.href ?? document.activeElement.localName"
DEEP = "\n".join(f'  File "/app/processors/media/step_{number}.py", line 1, in run' for number in range(100))


async def broken(mess: Mess, page: Page, count: int) -> list[str]:
    """Let image jobs fail for good, and open their list; returns their ids, the newest last."""
    await mess.bullmq("process-image", *[IMAGE] * (count + 10), queue=FILES.name, attempts=2)
    async with working(mess) as broker:
        ids = await bury(mess, broker, count)
    await page.goto(FAILED)
    return ids


async def bury_more(mess: Mess, count: int) -> list[str]:
    """Let more of them fail while the list is open."""
    async with working(mess) as broker:
        return await bury(mess, broker, count)


async def forget(mess: Mess, job_id: str) -> None:
    """Delete a failed job, as another operator does."""
    async with mess._bull(FILES.name) as queue:
        await queue.remove(job_id)


def job(page: Page, job_id: str) -> Locator:
    """The link of a job in a list."""
    return page.locator(f'a[href$="id={job_id}"]')


def opened_job(page: Page) -> list[str]:
    """The id of the job that is open."""
    return parse_qs(urlsplit(page.url).query).get("id", [])


async def test_the_focus_stays_with_its_job(mess: Mess, chromium: Browser) -> None:
    """Two jobs fail, the rows move down, and Enter opens the job that had the focus before."""
    async with operating(chromium, mess) as page:
        ids = await broken(mess, page, 4)
        await job(page, ids[1]).focus()
        newest = await bury_more(mess, 2)
        await refreshed(page)
        await expect(job(page, newest[-1])).to_be_visible()
        await expect(job(page, ids[1])).to_be_focused()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/job?**")
        assert [ids[1]] == opened_job(page)


async def test_the_focus_stays_with_its_link(mess: Mess, chromium: Browser) -> None:
    """Also outside tables: a job gets another child, listed before the one that has the focus."""
    async with operating(chromium, mess) as page:
        [parent] = await mess.bullmq("process-image", IMAGE, queue=FILES.name)
        for child in ("ada", "zoe"):
            await mess.bullmq("process-image", IMAGE, queue=FILES.name, jobId=child)
        key = f"bull:{FILES.name}:{parent}:dependencies"
        mess.redis.sadd(key, f"bull:{FILES.name}:zoe")
        await page.goto(f"{HOME}/job?queue={FILES.name}&wire=bullmq&id={parent}")
        await job(page, "zoe").focus()
        mess.redis.sadd(key, f"bull:{FILES.name}:ada")
        await refreshed(page)
        await expect(job(page, "ada")).to_be_visible()
        await expect(job(page, "zoe")).to_be_focused()


async def test_the_focus_of_a_job_that_is_gone_moves_to_no_other(mess: Mess, chromium: Browser) -> None:
    """Enter then opens nothing: neither the next job, nor a button that has moved there."""
    async with operating(chromium, mess) as page:
        ids = await broken(mess, page, 2)
        await job(page, ids[1]).focus()
        await forget(mess, ids[1])
        await refreshed(page)
        await expect(job(page, ids[1])).to_have_count(0)
        assert "body" == await page.evaluate(ABOUT)

        await page.get_by_role("button", name="Retry all").focus()
        await forget(mess, ids[0])
        await refreshed(page)
        await expect(page.get_by_text("No BullMQ job is failed")).to_be_visible()
        assert "body" == await page.evaluate(ABOUT)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.url.endswith(FAILED)


async def test_nothing_moves_under_a_press(mess: Mess, chromium: Browser) -> None:
    """The list updates between a button's way down and up: it waits, and the pressed job is opened."""
    async with operating(chromium, mess) as page:
        ids = await broken(mess, page, 4)
        await job(page, ids[1]).hover()
        await page.mouse.down()
        newest = await bury_more(mess, 2)
        await refreshed(page)
        await page.clock.run_for(2_000)
        await expect(job(page, newest[-1])).to_have_count(0)
        await page.mouse.up()
        await page.wait_for_url("**/job?**")
        assert [ids[1]] == opened_job(page)


async def test_nothing_moves_under_a_pointer_that_aims(mess: Mess, chromium: Browser) -> None:
    """The list waits until the pointer has been still for a second."""
    async with operating(chromium, mess) as page:
        ids = await broken(mess, page, 4)
        await page.clock.pause_at(await page.evaluate("Date.now() / 1000") + 1)
        [newest] = await bury_more(mess, 1)
        async with page.expect_response(page.url) as answer:
            await aim(page, ids[1], times=12)
        await (await answer.value).finished()
        await aim(page, ids[1], times=4)
        await expect(job(page, newest)).to_have_count(0)
        await page.clock.run_for(2_000)
        await expect(job(page, newest)).to_be_visible()


async def aim(page: Page, job_id: str, times: int) -> None:
    """Move the pointer on a job's link this many times, half a second apart."""
    for number in range(times):
        await job(page, job_id).hover(position={"x": 5 + number, "y": 5})
        await page.clock.run_for(500)


async def opened_attempts(page: Page) -> list[bool]:
    """Which of a job's failed attempts are open."""
    return [await each.get_attribute("open") is not None for each in await page.locator("details.attempt").all()]


async def test_an_update_keeps_scroll_positions_and_open_attempts(mess: Mess, chromium: Browser) -> None:
    """Of stack traces, too; new attempts are open."""
    async with operating(chromium, mess) as page, working(mess) as broker:
        lease = await failed_twice(mess, broker, page)
        attempts = page.locator("details.attempt")
        assert [True, False] == await opened_attempts(page)
        await attempts.nth(0).locator("summary").first.click()
        await attempts.nth(1).locator("summary").first.click()
        trace = attempts.last.get_by_role("region", name="Stack trace")
        await trace.evaluate("each => { each.scrollTop = 300 }")

        await lease.log("a line of the log")
        await refreshed(page)
        await expect(page.get_by_text("a line of the log")).to_be_visible()
        assert [False, True] == await opened_attempts(page)
        assert 300 == await trace.evaluate("each => each.scrollTop")

        await lease.retry(600.0, Failure("S3 answered 505", STACK))
        await refreshed(page)
        await expect(attempts).to_have_count(3)
        assert [True, False, True] == await opened_attempts(page)
        assert 300 == await trace.evaluate("each => each.scrollTop")


async def failed_twice(mess: Mess, broker: Broker, page: Page) -> Lease:
    """Open the page of a job that has failed twice and runs again."""
    [job_id] = await mess.bullmq("process-image", IMAGE, queue=FILES.name, attempts=5)
    for reason in ("S3 answered 503", "S3 answered 504"):
        await (await claim(broker, FILES)).retry(0.0, Failure(reason, f"{STACK}\n{DEEP}"))
    lease = await claim(broker, FILES)
    await page.goto(f"{HOME}/job?queue={FILES.name}&wire=bullmq&id={job_id}")
    return lease


async def test_selected_text_stays(mess: Mess, chromium: Browser) -> None:
    """It stays until the selection ends, even if it is outdated: the reader wants to copy it."""
    async with operating(chromium, mess) as page, working(mess) as broker:
        lease = await failed_twice(mess, broker, page)
        title = page.get_by_role("heading", level=1)
        await title.select_text()
        await lease.retry(600.0, Failure("S3 answered 505", STACK))
        await refreshed(page)
        await page.clock.run_for(2_000)
        assert "process-image active" == await page.evaluate("String(getSelection())")
        await page.evaluate("getSelection().empty()")
        await refreshed(page)
        await expect(title).to_have_text("process-image delayed")


async def test_a_queues_page_updates_itself(mess: Mess, chromium: Browser) -> None:
    """Badge, buttons and alarms change with the queue; alarms are announced as they come and go."""
    async with operating(chromium, mess) as page:
        await broken(mess, page, 1)
        told = page.locator("[aria-live]")
        await expect(page.get_by_text("No worker serves this queue.")).to_be_visible()
        await refreshed(page)
        await tell(mess)
        async with mess._bull(FILES.name) as queue:
            await queue.pause()
        assert "" == await told.text_content()
        await refreshed(page)
        await expect(page.get_by_text("paused", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Pause", exact=True)).to_have_count(0)
        await expect(page.get_by_text("No worker serves this queue.").locator("visible=true")).to_have_count(1)
        await expect(told).to_have_text(f"Over: {FILES.name}: No worker serves this queue.")

        mess.redis.delete(*mess.redis.scan_iter("*pulse*"), *mess.redis.scan_iter("*worker*"))
        await refreshed(page)
        await expect(told).to_have_text(f"{FILES.name}: No worker serves this queue.")


async def test_the_list_of_a_later_page_stays(mess: Mess, chromium: Browser) -> None:
    """It would slide away under its reader; badge, buttons and counts beside it are updated."""
    async with operating(chromium, mess) as page:
        ids = await mess.bullmq("process-image", *[IMAGE] * 60, queue=FILES.name)
        await page.goto(f"{HOME}/queue/{FILES.name}?wire=bullmq")
        await page.get_by_role("link", name="Next", exact=True).click()
        await expect(page.locator("tbody .id")).to_have_text(ids[50:])
        async with mess._bull(FILES.name) as queue:
            await queue.pause()
        await forget(mess, ids[0])
        await refreshed(page)
        await expect(page.get_by_text("paused", exact=True)).to_be_visible()
        await expect(page.get_by_role("link", name="waiting 59")).to_be_visible()
        await expect(page.locator("tbody .id")).to_have_text(ids[50:])


async def test_all_dead_letters_means_those_on_the_page(mess: Mess, chromium: Browser) -> None:
    """A question says how many, keeps that number while others come, and affects no more than these."""
    async with operating(chromium, mess) as page:
        await broken(mess, page, 3)
        await page.goto(f"{HOME}/letters")
        await page.get_by_role("button", name="Replay all").click()
        question = page.get_by_role("dialog", name="Replay all")
        await expect(question).to_contain_text("the jobs of 3 dead letters")
        newest = await bury_more(mess, 2)
        await refreshed(page)
        await expect(page.locator("tbody tr")).to_have_count(5)
        await expect(question).to_contain_text("the jobs of 3 dead letters")
        await question.get_by_role("button", name="Cancel").click()
        await refreshed(page)
        await page.get_by_role("button", name="Replay all").click()
        await expect(question).to_contain_text("the jobs of 5 dead letters")
        newest = await bury_more(mess, 2)
        await question.get_by_role("button", name="Replay all").click()
        await expect(page.get_by_role("status")).to_contain_text("Dead letters replayed: 5.")
        assert newest[::-1] == await page.locator("tbody .id").all_inner_texts()


async def test_half_filled_forms_stay(mess: Mess, chromium: Browser) -> None:
    """The search form, and a question that was cancelled."""
    async with operating(chromium, mess) as page:
        await broken(mess, page, 2)
        await page.get_by_label("Search").fill("holi")
        await page.get_by_role("button", name="Clean").click()
        await page.get_by_label("When they ended").select_option("a week ago or earlier")
        await page.get_by_role("button", name="Cancel").click()
        [newest] = await bury_more(mess, 1)
        await refreshed(page)
        await expect(job(page, newest)).to_be_visible()
        await expect(page.get_by_label("Search")).to_have_value("holi")
        await page.get_by_role("button", name="Clean").click()
        await expect(page.get_by_label("When they ended")).to_have_value("604800")


async def test_updates_can_be_paused(mess: Mess, chromium: Browser) -> None:
    """For all pages of the tab, which say so, until they are resumed."""
    async with operating(chromium, mess) as page:
        await broken(mess, page, 2)
        await page.get_by_role("button", name="Pause updates").click()
        await expect(page.get_by_role("status")).to_contain_text("Updates are paused. What is shown is from")
        [newest] = await bury_more(mess, 1)
        await page.goto(FAILED)
        await expect(job(page, newest)).to_be_visible()
        await expect(page.get_by_role("status")).to_contain_text("Updates are paused.")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.clock.fast_forward(60_000)
        await page.clock.run_for(AGAIN)
        assert [] == asked
        await page.get_by_role("button", name="Resume updates").click()
        await expect(page.get_by_role("status")).to_be_hidden()
        [newest] = await bury_more(mess, 1)
        await refreshed(page)
        await expect(job(page, newest)).to_be_visible()


async def test_each_part_that_can_change_has_a_name(mess: Mess, chromium: Browser) -> None:
    """Each link, button and row of an updated part can be told from the ones in its place before."""
    await fill(mess)
    await schedule(mess)
    nameless = """() => [...document.querySelectorAll(
        "[data-live] :is(a, button, input, select, details, pre, section, tbody tr)")].filter((each) =>
        !each.closest("dialog") && each.type !== "hidden" && !each.id && !each.dataset.key && !each.getAttribute("href")
        && !each.getAttribute("commandfor")).map((each) => each.outerHTML)"""
    async with operating(chromium, mess) as page:
        for path in ("/", "/letters", "/letters/groups", "/schedules", "/workers", f"/queue/{FILES.name}?state=failed"):
            await page.goto(f"{HOME}{path}")
            assert 0 < await page.locator("[data-live] :is(a, pre)").count()
            assert [] == await page.evaluate(nameless), path
        await page.get_by_role("link", name="process-image").first.click()
        await expect(page.get_by_role("region", name="Stack trace")).to_be_visible()
        assert [] == await page.evaluate(nameless)


async def test_a_deleted_job_can_be_read_to_its_end(mess: Mess, chromium: Browser) -> None:
    """It stays on the open page, which says that it is gone."""
    async with operating(chromium, mess, expected=["404"]) as page:
        ids = await broken(mess, page, 1)
        await job(page, ids[0]).click()
        await expect(page.get_by_role("region", name="Stack trace")).to_be_visible()
        await forget(mess, ids[0])
        await refreshed(page)
        await expect(page.get_by_role("status")).to_have_text(re.compile(r"^It is gone\. What is shown is from \d"))
        await expect(page.get_by_role("region", name="Stack trace")).to_be_visible()
