"""Several jobs at once: those whose boxes the reader has ticked, on both wires."""

from __future__ import annotations

import html
import re
import time
from typing import TYPE_CHECKING

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from tests.integration.dashboard.test_bulk import fail
from tests.support.dashboard_client import READ_SECRET, Browser, dead_letters_of
from tests.support.showcase import FILES, IMAGE

if TYPE_CHECKING:
    import httpx

    from tests.support.wires import Mess

QUEUE = f"/queue/{FILES.name}"


async def boxes(browser: Browser, state: str) -> list[str]:
    """The names of the boxes in a list, from its first to its last row."""
    page = (await browser.get(f"{QUEUE}?state={state}")).text
    return [html.unescape(each) for each in re.findall(r'<input type="checkbox"[^>]* name="([^"]+)"', page)]


async def press(browser: Browser, action: str, ticked: list[str], state: str) -> httpx.Response:
    """Answer the question about the ticked jobs of a list."""
    page = (await browser.get(f"{QUEUE}?state={state}")).text
    [form] = re.findall(rf'form="ticks" formaction="{PREFIX}([^"]+/ticked/{action}[^"]+)"', page)
    return await browser.act(html.unescape(form), **dict.fromkeys(ticked, "on"))


async def test_ticked_jobs_are_retried(ada: Browser, mess: Mess, capsys: pytest.CaptureFixture[str]) -> None:
    """On both wires; the others stay, and each is a line in the log."""
    await fail(mess, 3)
    await fail(mess, 2, "rq")
    listed = await boxes(ada, "failed")
    assert 5 == len(listed)
    ticked = [next(each for each in listed if f"wire={wire}" in each) for wire in ("bullmq", "rq")]

    assert "said=ticked-retried&n=2" in (await press(ada, "retry", ticked, "failed")).headers["location"]
    assert set(listed) - set(ticked) == set(await boxes(ada, "failed"))
    assert 3 == len(await dead_letters_of(ada))
    assert 2 == len(re.findall(r"job_retried.*by=.*ada", capsys.readouterr().out))
    assert "said=ticked-retried-few&n=0" in (await press(ada, "retry", ticked, "failed")).headers["location"]


async def test_ticked_jobs_are_removed(ada: Browser, mess: Mess) -> None:
    """Waiting ones, too, whatever their ids are."""
    odd = "../a/b c?d#e%2F&amp;ü"
    await mess.bullmq("process-image", IMAGE, queue=FILES.name, jobId=odd)
    await mess.bullmq("process-image", *[IMAGE] * 2, queue=FILES.name)
    mess.rq("process-image", IMAGE, queue=FILES.name)
    listed = await boxes(ada, "waiting")
    answer = await press(ada, "remove", [listed[0], listed[-1]], "waiting")
    assert "said=ticked-removed&n=2" in answer.headers["location"]
    assert listed[1:-1] == await boxes(ada, "waiting")
    assert not mess.redis.exists(f"bull:{FILES.name}:{odd}")


async def test_a_job_that_has_changed_since_is_left_alone(ada: Browser, mess: Mess) -> None:
    """One that runs again, and one that has failed again after the page was shown."""
    await fail(mess, 2)
    listed = await boxes(ada, "failed")
    assert "said=ticked-retried&n=1" in (await press(ada, "retry", listed[:1], "failed")).headers["location"]
    form = {"csrf": "", **dict.fromkeys(listed, "on")}
    before = f"{QUEUE}/ticked/remove?state=failed&seen={time.time() - 3600}"
    assert (
        "said=ticked-removed-few&n=0"
        in (await ada.act(before, **dict(form, csrf=await csrf_of(ada)))).headers["location"]
    )
    assert "said=ticked-removed-few&n=1" in (await press(ada, "remove", listed, "failed")).headers["location"]
    assert [] == await boxes(ada, "failed")
    assert 1 == int(mess.redis.llen(f"bull:{FILES.name}:wait"))


async def csrf_of(browser: Browser) -> str:
    """The token of the browser's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', (await browser.get("/")).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "name", ["", "job:", "job:?wire=odd&id=1", "job:?wire=rq", "job:?wire=bullmq&id=", "job:http://[", "x"]
)
async def test_odd_boxes_do_nothing(ada: Browser, mess: Mess, name: str) -> None:
    """Also none at all."""
    await fail(mess, 1)
    answer = await press(ada, "remove", [name] if name else [], "failed")
    assert "said=ticked-none" in answer.headers["location"]
    assert 1 == len(await boxes(ada, "failed"))


async def test_who_may_only_read_has_no_boxes(stranger: Browser, mess: Mess) -> None:
    """And running jobs have none."""
    await fail(mess, 1)
    await stranger.sign_in(READ_SECRET)
    assert [] == await boxes(stranger, "failed")
    answer = await stranger.act(f"{QUEUE}/ticked/remove?state=failed&seen=1")
    assert 403 == answer.status_code
