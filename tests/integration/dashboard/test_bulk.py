"""Actions on many jobs or dead letters: at most those that the page has named, and none that came later."""

from __future__ import annotations

import html
import re
import time
from typing import TYPE_CHECKING

import pytest

from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import Browser, dead_letters_of
from tests.support.showcase import FILES, IMAGE, bury, working

if TYPE_CHECKING:
    from tests.support.wires import Mess

QUEUE = f"/queue/{FILES.name}"


async def fail(mess: Mess, count: int, wire: str = "bullmq") -> None:
    """Let new jobs fail for good."""
    if wire == "bullmq":
        await mess.bullmq("process-image", *[IMAGE] * count, queue=FILES.name)
    else:
        mess.rq("process-image", *[IMAGE] * count, queue=FILES.name)
    async with working(mess, BullMQBroker if wire == "bullmq" else RQBroker) as broker:
        await bury(mess, broker, count)


async def offered(browser: Browser, path: str, action: str) -> tuple[str, str]:
    """The question before an action, and the address of its form."""
    page = (await browser.get(path)).text
    [found] = re.findall(rf'action="{PREFIX}([^"]*{action}[^"]*)">\s*<p[^>]*>([^<]*)<', page)
    return found[1], html.unescape(found[0])


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_jobs_that_failed_since_are_not_retried(ada: Browser, mess: Mess, wire: str) -> None:
    """The page showed three; of five now, the two newest stay. A second click does no more."""
    path = f"{QUEUE}?state=failed&wire={wire}"
    await fail(mess, 3, wire)
    asked, action = await offered(ada, path, "/retry")
    await fail(mess, 2, wire)

    assert "Run 3 failed " in asked
    assert "said=retried&n=3" in (await ada.act(action)).headers["location"]
    assert 2 == len(re.findall(r'<tr data-key="/', (await ada.get(path)).text))
    assert "said=retried&n=0" in (await ada.act(action)).headers["location"]


async def test_dead_letters_that_came_since_are_not_replayed(ada: Browser, mess: Mess) -> None:
    """Of both wires, with and without a filter."""
    await fail(mess, 2)
    await fail(mess, 2, "rq")
    asked, action = await offered(ada, "/letters", "/replay")
    filtered, filtered_action = await offered(ada, "/letters?wire=rq&text=nothing", "/replay")
    await fail(mess, 1)
    await fail(mess, 1, "rq")

    assert ["4 dead letters", "2 matching dead letters"] == [
        each[len("Run the jobs of ") :].split(" again")[0] for each in (asked, filtered)
    ]
    assert "said=replayed&n=2" in (await ada.act(filtered_action)).headers["location"]
    assert "said=replayed&n=2" in (await ada.act(action)).headers["location"]
    assert 2 == len(await dead_letters_of(ada))


async def test_no_more_jobs_than_the_page_said(ada: Browser, mess: Mess) -> None:
    """Whatever the clocks say: the newest of them, and a note that there are more."""
    await fail(mess, 5)
    later = f"seen={time.time() + 60}&most=2"
    assert "said=retried-some&n=2" in (await ada.act(f"{QUEUE}/retry?wire=bullmq&{later}")).headers["location"]
    assert 5 == len(await dead_letters_of(ada)) + 2
    assert "said=replayed" in (await ada.act(f"/letters/replay?{later}")).headers["location"]
    assert 1 == len(await dead_letters_of(ada))


async def test_jobs_that_ended_since_are_not_cleaned(ada: Browser, mess: Mess) -> None:
    """`Whatever their age` means those that were there."""
    await fail(mess, 3)
    asked, action = await offered(ada, f"{QUEUE}?state=failed", "/clean")
    await fail(mess, 2)
    assert "Of the 3 failed jobs" in asked
    assert "said=cleaned&n=3" in (await ada.act(action, older="0")).headers["location"]


@pytest.mark.parametrize(
    "seen", ["", "seen=1", "most=5", "seen=x&most=5", "seen=-1&most=5", "seen=1&most=0", "seen=1&most=1001"]
)
async def test_a_form_must_say_what_was_seen(ada: Browser, mess: Mess, seen: str) -> None:
    """Without it nothing is done."""
    await fail(mess, 1)
    for path in (f"{QUEUE}/retry?wire=bullmq", "/letters/replay?name=process-image"):
        assert 422 == (await ada.act(f"{path}&{seen}")).status_code
    if "seen=1" not in seen:
        assert 422 == (await ada.act(f"{QUEUE}/clean?state=failed&{seen}", older="0")).status_code
    assert 1 == len(await dead_letters_of(ada))
