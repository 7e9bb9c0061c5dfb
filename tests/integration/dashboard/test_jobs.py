"""Jobs on the dashboard: found page by page, and an operator's actions on them."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from queue_lib.shown import Part, Words
from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import seen
from tests.support.polling import PATIENCE
from tests.support.showcase import FILES, IMAGE, fill

if TYPE_CHECKING:
    from queue_lib.admin.ports import JobView
    from tests.support.dashboard_client import Browser
    from tests.support.wires import Mess


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_actions_on_jobs(ada: Browser, mess: Mess, wire: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Retry one and all, promote, remove, clean: on each wire, and the log names the user."""
    await fill(mess)
    failed = await _ids(ada, "failed", wire)
    one, query = failed[0], {"queue": FILES.name, "wire": wire}

    assert "said=job-retried" in (await ada.act(f"/job/retry?{_query(query | {'id': one})}")).headers["location"]
    assert "said=job-not-failed" in (await ada.act(f"/job/retry?{_query(query | {'id': one})}")).headers["location"]
    again = await ada.act(f"/queue/{FILES.name}/retry?wire={wire}&text=HOLIDAY&{seen()}")
    assert "said=retried&n=1" in again.headers["location"]
    assert [] == await _ids(ada, "failed", wire)
    assert set(failed) <= set(await _ids(ada, "waiting", wire))

    [first, *_] = await _ids(ada, "delayed", wire)
    assert "said=job-promoted" in (await ada.act(f"/job/promote?{_query(query | {'id': first})}")).headers["location"]
    assert "job-not-delayed" in (await ada.act(f"/job/promote?{_query(query | {'id': first})}")).headers["location"]
    assert "said=job-removed" in (await ada.act(f"/job/remove?{_query(query | {'id': first})}")).headers["location"]
    assert 404 == (await ada.get(f"/job?{_query(query | {'id': first})}")).status_code

    told = capsys.readouterr().out
    assert re.search(r"job_promoted.*by=.*ada", told)
    assert 2 == len(re.findall(r"job_retried.*by=.*ada", told))
    assert [] != await _ids(ada, "completed", wire)
    assert (
        "n=0"
        in (await ada.act(f"/queue/{FILES.name}/clean?state=completed&{seen()}", older="3600")).headers["location"]
    )
    assert (
        "n=12" in (await ada.act(f"/queue/{FILES.name}/clean?state=completed&{seen()}", older="0")).headers["location"]
    )
    assert [] == await _ids(ada, "completed", wire)
    assert 422 == (await ada.act(f"/queue/{FILES.name}/clean?state=waiting&{seen()}", older="0")).status_code
    assert 422 == (await ada.act(f"/queue/{FILES.name}/clean?state=failed&{seen()}", older="-1")).status_code


async def test_what_a_job_shows_holds_up_no_other_page(
    ada: Browser, mess: Mess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A team's `shows` may be slow: the loop is free meanwhile."""
    await fill(mess)
    [job_id, *_] = await _ids(ada, "completed", "bullmq")
    loop = asyncio.get_running_loop()

    def slow(_: JobView, __: object) -> list[Part]:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(PATIENCE)
        return [Words("It took its time.")]

    monkeypatch.setattr("queue_lib.web.dashboard.job.parts_of", slow)
    page = await ada.get(f"/job?{_query({'queue': FILES.name, 'wire': 'bullmq', 'id': job_id})}")
    assert "It took its time." in page.text


def _query(values: dict[str, str]) -> str:
    return str(httpx.QueryParams(values))


async def _ids(browser: Browser, state: str, wire: str) -> list[str]:
    """The ids on the first page of a state."""
    page = await browser.get(f"/queue/{FILES.name}?state={state}&wire={wire}")
    assert 200 == page.status_code
    return re.findall(r'href="[^"]+/job\?[^"]*id=([^"&]+)"', page.text)


async def test_pages_of_jobs_follow_each_other(ada: Browser, mess: Mess) -> None:
    """Fifty a page; a search goes on where it ended, and says when it has found nothing."""
    await mess.bullmq("process-image", *[IMAGE | {"fileId": f"cm{n:03}"} for n in range(120)], queue=FILES.name)

    assert [str(n) for n in range(1, 121)] == await _all(ada)
    assert ["78"] == await _all(ada, text="cm077")
    assert [] == await _all(ada, text="<no>")
    assert 404 == (await ada.get("/queue/none")).status_code
    assert 422 == (await ada.get(f"/queue/{FILES.name}?state=odd&start=-1")).status_code


async def _all(browser: Browser, **words: str) -> list[str]:
    """The ids on all pages: a search that takes long on a busy machine goes on on the next one."""
    seen, path = list[str](), f"/queue/{FILES.name}?{_query({'wire': 'bullmq'} | words)}"
    while path:
        page = (await browser.get(path)).text
        seen += re.findall(r'href="[^"]+/job\?[^"]*id=([^"&]+)"', page)
        following = re.findall(rf'href="{PREFIX}([^"]+)" rel="next"', page)
        path = html.unescape(following[0]) if following else ""
    return seen
