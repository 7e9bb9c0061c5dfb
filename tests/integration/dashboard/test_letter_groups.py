"""Dead letters by reason on the dashboard and the API: their groups, replayed and dropped."""

from __future__ import annotations

import asyncio
import html
import re
import time
from typing import TYPE_CHECKING

import pytest

from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.connection import client, options
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.job import Wire
from queue_lib.outcome import Failure
from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import READ_SECRET, SECRET, Browser, dead_letters_of
from tests.support.fakes import make_job
from tests.support.showcase import FILES, IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.wires import Mess

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\ud800"


async def add(mess: Mess, reasons: Sequence[str], *, wire: Wire = Wire.BULLMQ, first: int = 0) -> None:
    """Dead letters with these reasons, of jobs that are gone. Each has a time of its own, in milliseconds."""
    store = BullMQDeadLetters(client(options(mess.url), decode=True, name="test"), "bull")
    for number, reason in enumerate(reasons, first):
        job = make_job(id=f"gone-{number}", name="process-image", queue=FILES.name, wire=wire, data=IMAGE)
        await store.add(DeadLetter(job=job, failure=Failure(reason, ""), failed_at=time.time()))
        await asyncio.sleep(0.002)
    await store.close()


async def shown(browser: Browser, path: str = "/letters/groups") -> list[tuple[str, int]]:
    """The reasons of the groups and how many letters each has, as the page shows them."""
    page = (await browser.get(path)).text
    found = re.findall(r'<tr data-key="[0-9a-f]{18}">.*?<a [^>]*>(.*?)</a>.*?</span> ([\d,]+)</td>', page, re.DOTALL)
    return [(html.unescape(reason), int(count.replace(",", ""))) for reason, count in found]


async def offered(browser: Browser, action: str, path: str = "/letters/groups") -> list[tuple[str, str]]:
    """The questions before an action, and the addresses of their forms: group by group."""
    page = (await browser.get(path)).text
    found = re.findall(rf'action="{PREFIX}([^"]*/{action}\?[^"]*)">\s*<p[^>]*>([^<]*)<', page)
    return [(html.unescape(asked), html.unescape(address)) for address, asked in found]


async def test_reasons_that_differ_in_numbers_are_one_group(ada: Browser, mess: Mess) -> None:
    """The largest first; its link lists its letters alone."""
    await add(mess, [f"row {number} of uploads/{number}.jpg is gone" for number in range(5)])
    await add(mess, ["S3 answered 503", "S3 answered 404"], wire=Wire.RQ, first=5)
    assert [("row # of … is gone", 5), ("S3 answered 404", 1), ("S3 answered 503", 1)] == await shown(ada)
    assert [("S3 answered 404", 1), ("S3 answered 503", 1)] == await shown(ada, "/letters/groups?wire=rq&text=s3")

    page = (await ada.get("/letters/groups")).text
    [link, *_] = re.findall(rf'href="{PREFIX}(/letters\?group=[^"]+)"', page)
    listed = (await ada.get(html.unescape(link))).text
    assert 5 == len(re.findall(r'href="[^"]+/letter\?[^"]*\bid=', listed))
    assert "With one reason: <b>row # of … is gone</b>" in listed


async def test_a_group_is_replayed_or_dropped(ada: Browser, mess: Mess, capsys: pytest.CaptureFixture[str]) -> None:
    """All that the page has named, and none of another group or that came since."""
    await add(mess, ["row 1 is gone", "row 2 is gone", "S3 answered 503", "S3 answered 503", "other"])
    replays, drops = await offered(ada, "replay"), await offered(ada, "drop")
    assert [3, 3] == [len(replays), len(drops)]
    [(asked, replay)] = [each for each in replays if "row # is gone" in each[0]]
    [(_, drop)] = [each for each in drops if "S3 answered 503" in each[0]]
    assert asked.startswith("Run the jobs of 2 dead letters with the reason “row # is gone” again")
    await add(mess, ["row 3 is gone", "S3 answered 503"], first=5)

    assert "said=replayed&n=2" in (await ada.act(replay)).headers["location"]
    assert "said=dropped&n=2" in (await ada.act(drop)).headers["location"]
    assert {("row # is gone", 1), ("S3 answered 503", 1), ("other", 1)} == set(await shown(ada))
    assert 2 == int(mess.redis.llen(f"bull:{FILES.name}:wait"))
    assert "said=replayed-few&n=0" in (await ada.act(replay)).headers["location"]
    assert "said=dropped-few&n=0" in (await ada.act(drop)).headers["location"]
    told = capsys.readouterr().out
    assert (2, 2) == (len(re.findall(r"letter_replayed.*ada", told)), len(re.findall(r"letter_dropped.*ada", told)))


async def test_no_more_than_the_page_said(ada: Browser, mess: Mess) -> None:
    """Whatever the clocks say."""
    await add(mess, ["row 1 is gone"] * 3)
    [(_, drop)] = await offered(ada, "drop")
    later = re.sub(r"seen=[\d.]+", f"seen={time.time() + 60}", drop)
    await add(mess, ["row 2 is gone"] * 2, first=3)
    assert "said=dropped&n=3" in (await ada.act(later)).headers["location"]
    assert 2 == len(await dead_letters_of(ada))


@pytest.mark.parametrize("query", ["", "group=", "group=x", "group=" + "0" * 18, "group=" + "0" * 18 + "&seen=1"])
async def test_a_form_must_name_its_group(ada: Browser, mess: Mess, query: str) -> None:
    """And what was seen; otherwise nothing is done. A token that only reads has no form at all."""
    await add(mess, ["a", "b"])
    for action in ("replay", "drop"):
        assert 422 == (await ada.act(f"/letters/groups/{action}?{query}")).status_code
    assert 2 == len(await dead_letters_of(ada))


async def test_who_may_only_read_sees_groups_without_forms(stranger: Browser, mess: Mess) -> None:
    """And can't send one."""
    await add(mess, ["a"])
    await stranger.sign_in(READ_SECRET)
    assert [("a", 1)] == await shown(stranger)
    assert [] == await offered(stranger, "drop")


async def test_hostile_reasons_are_shown_and_not_obeyed(ada: Browser, mess: Mess) -> None:
    """Markup, escapes, surrogates, endless texts, none at all."""
    await add(mess, [HOSTILE, "x" * 100_000, '"' * 5000, "", "/" * 5000, "1" * 5000])
    page = await ada.get("/letters/groups")
    assert 200 == page.status_code
    assert 6 == len(await shown(ada))
    assert "<script>alert" not in page.text
    assert not set("\x1b\u202e\ud800\x00") & set(page.text)
    assert len(page.text) < 100_000


async def test_older_groups_are_on_later_pages(ada: Browser, mess: Mess, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action there is for what that page and those behind it have."""
    monkeypatch.setattr("queue_lib.web.dashboard.letter_groups.GROUPED", 25)
    await add(mess, ["old"] * 10 + ["new"] * 25)
    assert [("new", 25)] == await shown(ada)
    page = (await ada.get("/letters/groups")).text
    [following] = re.findall(rf'href="{PREFIX}([^"]+)" rel="next"', page)
    assert [("old", 10)] == await shown(ada, html.unescape(following))
    [(_, drop)] = await offered(ada, "drop", html.unescape(following))
    assert "said=dropped&n=10" in (await ada.act(drop)).headers["location"]
    assert [("new", 25)] == await shown(ada)


async def test_what_comes_meanwhile_moves_no_action_to_newer_letters(
    ada: Browser, mess: Mess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later page names what it has and all older ones: those of the page before it stay."""
    monkeypatch.setattr("queue_lib.web.dashboard.letter_groups.GROUPED", 3)
    await add(mess, ["old"] * 4 + ["old"] * 3)
    [(_, drop)] = await offered(ada, "drop", "/letters/groups?start=3")
    await add(mess, ["other"] * 2, first=7)
    assert "said=dropped&n=4" in (await ada.act(drop)).headers["location"]
    assert "said=dropped&n=0" in (await ada.act(drop)).headers["location"]
    assert [("other", 2), ("old", 1)] == await shown(ada)


@pytest.mark.parametrize(("action", "name"), [("replay", "replayed"), ("drop", "dropped")])
async def test_an_action_is_for_all_of_a_group(
    ada: Browser, mess: Mess, monkeypatch: pytest.MonkeyPatch, action: str, name: str
) -> None:
    """Also for those letters that the page has not looked at, and says so; not for what came since."""
    monkeypatch.setattr("queue_lib.web.dashboard.letter_groups.GROUPED", 3)
    await add(mess, ["row 1 is gone"] * 4 + ["other"] * 3 + ["row 2 is gone", "other"] * 2)
    assert [("other", 2), ("row # is gone", 1)] == await shown(ada)
    assert "3 of 11 dead letters were looked at." in (await ada.get("/letters/groups")).text
    asked, act = next(each for each in await offered(ada, action) if "row #" in each[0])
    assert "all dead letters with the reason “row # is gone”" in asked
    await add(mess, ["row 3 is gone"], first=11)
    monkeypatch.setattr("queue_lib.web.dashboard.letter_groups.ALL", 4)

    assert f"said={name}-some&n=4" in (await ada.act(act)).headers["location"]
    assert f"said={name}&n=2" in (await ada.act(act)).headers["location"]
    monkeypatch.undo()
    assert [("other", 5), ("row # is gone", 1)] == await shown(ada)


async def test_a_page_that_has_no_time_says_how_far_it_came(
    ada: Browser, mess: Mess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at some letters in any case, and offers to go on; no letter is on no page."""
    monkeypatch.setattr("queue_lib.web.dashboard.letter_groups.QUICK", 0.0)
    monkeypatch.setattr("queue_lib.admin.dead_letters.BRIEFS", 2)
    await add(mess, ["a", "b", "a", "b", "a"])
    path, found = "/letters/groups", list[tuple[str, int]]()
    while path:
        page = (await ada.get(path)).text
        assert "2 of 5 dead letters" in page or "1 of 5 dead letters" in page
        found += await shown(ada, path)
        path = next((html.unescape(each) for each in re.findall(rf'href="{PREFIX}([^"]+)" rel="next"', page)), "")
    assert {"a": 3, "b": 2} == {reason: sum(n for each, n in found if each == reason) for reason, _ in found}


async def test_the_api_has_the_groups(ada: Browser, mess: Mess) -> None:
    """Listed, replayed and dropped, within the bounds that the client has seen."""
    await add(mess, ["row 1 is gone", "row 2 is gone", "S3 answered 503"])
    full, path = {"Authorization": f"Bearer {SECRET}"}, "/queue/dead-letters/groups"
    found = (await ada.http.get(path, headers=full)).json()
    gone, away = found["groups"]
    assert (3, None) == (found["total"], found["resume"])
    assert ("row # is gone", 2, {"process-image": 2}, {"bullmq": 2}) == tuple(
        gone[name] for name in ("reason", "count", "names", "wires")
    )
    assert gone["oldest"] <= gone["newest"]
    await add(mess, ["row 3 is gone"], first=3)

    seen = {"before": gone["newest"], "limit": gone["count"]}
    answer = await ada.http.post(f"{path}/{gone['id']}/replay", params=seen, headers=full)
    assert {"replayed": 2, "more": False} == answer.json()
    answer = await ada.http.delete(f"{path}/{away['id']}", params={"text": "nothing"}, headers=full)
    assert {"dropped": 0, "more": False} == answer.json()
    answer = await ada.http.delete(f"{path}/{away['id']}", headers=full)
    assert {"dropped": 1, "more": False} == answer.json()
    assert ["row # is gone"] == [each["reason"] for each in (await ada.http.get(path, headers=full)).json()["groups"]]
    assert 422 == (await ada.http.post(f"{path}/odd/replay", headers=full)).status_code
    reading = {"Authorization": f"Bearer {READ_SECRET}"}
    assert 403 == (await ada.http.delete(f"{path}/{away['id']}", headers=reading)).status_code
