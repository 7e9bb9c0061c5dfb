"""A push and its follow-up jobs: an operator gets from each to the next one, and back."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.push_chain import chain
from tests.support.showcase import PUSHES

if TYPE_CHECKING:
    from tests.support.dashboard_client import Browser
    from tests.support.wires import Mess

CARD = re.compile(r'<section class="card" data-key="(follow-[a-z-]+)">(.*?)</section>', re.DOTALL)
LINK = re.compile(rf'href="{PREFIX}([^"]+)">([^<]+)<')


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_the_pages_of_jobs_lead_both_ways(ada: Browser, mess: Mess, wire: str) -> None:
    """From the push to its follow-up and on to the next; back to the one before and to the first."""
    first, second, third = await chain(mess, wire)

    relatives = {}
    for job_id in (first, second, third):
        page = await ada.get("/job", params={"queue": PUSHES.name, "wire": wire, "id": job_id})
        relatives[job_id] = {title: LINK.findall(card) for title, card in CARD.findall(page.text)}

    told = {
        job_id: {title: [name for _, name in links] for title, links in each.items()}
        for job_id, each in relatives.items()
    }
    assert told == {
        first: {"follow-ups": [second]},
        second: {"follow-up-of": [first], "follow-ups": [third]},
        third: {"follow-up-of": [second, first]},
    }
    for each in relatives.values():
        for address, name in (link for links in each.values() for link in links):
            page = await ada.get(html.unescape(address))
            assert (200, True) == (page.status_code, f"<code>{name}</code>" in page.text)
