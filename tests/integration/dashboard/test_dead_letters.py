"""Dead letters on the dashboard: found, replayed, dropped, and paged through."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import Browser, dead_letters_of, seen
from tests.support.showcase import FILES, fill

if TYPE_CHECKING:
    from tests.support.wires import Mess


async def test_dead_letters_are_found_replayed_and_dropped(ada: Browser, mess: Mess) -> None:
    """One by one, and all that match. For one that is gone the page says so."""
    await fill(mess)
    assert 4 == len(await dead_letters_of(ada))
    assert 2 == len(await dead_letters_of(ada, wire="rq"))
    assert 4 == len(await dead_letters_of(ada, queue=FILES.name, name="process-image", text="NOTHING is"))
    assert [] == await dead_letters_of(ada, text="S3")

    [dropped, replayed, *_] = await dead_letters_of(ada, wire="bullmq")
    assert "uploads/holiday.jpg" in (await ada.get(f"/letter?id={replayed}")).text
    assert "said=letter-dropped" in (await ada.act(f"/letter/drop?id={dropped}")).headers["location"]
    assert "said=letter-retried" in (await ada.act(f"/letter/replay?id={replayed}")).headers["location"]
    assert 404 == (await ada.act(f"/letter/replay?id={replayed}")).status_code
    assert 404 == (await ada.get(f"/letter?id={dropped}")).status_code
    all_rq = await ada.act(f"/letters/replay?wire=rq&{seen()}")
    assert "said=replayed&n=2" in all_rq.headers["location"]
    told = await ada.http.get(all_rq.headers["location"])
    assert "Dead letters replayed: 2." in told.text
    assert "There are no dead letters." in (await ada.get("/letters")).text


async def test_pages_of_dead_letters_follow_each_other(ada: Browser, mess: Mess) -> None:
    """The newest first, none left out; entries that are no dead letters are skipped."""
    await fill(mess, dead=40)
    await mess.bullmq("somebody else's", {}, queue="dead")
    seen, path = [], "/letters"
    while path:
        page = (await ada.get(path)).text
        seen += re.findall(r'href="[^"]+/letter\?[^"]*\bid=([^"&]+)"', page)
        following = re.findall(rf'href="{PREFIX}([^"]+)" rel="next"', page)
        path = html.unescape(following[0]) if following else ""

    assert [80, 80] == [len(seen), len(set(seen))]
    assert 40 == sum(letter.startswith("rq-") for letter in seen[:41])
    assert 40 == len(await dead_letters_of(ada, wire="bullmq"))
