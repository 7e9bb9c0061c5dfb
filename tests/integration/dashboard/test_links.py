"""What the reader has chosen stays chosen: each link of each page keeps the period, and the filters of its list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from fastapi.routing import APIRoute

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import Browser, csrf, dead_letters_of, seen
from tests.support.showcase import FILES, fill, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

    from tests.support.wires import Mess

QUEUE = f"/queue/{FILES.name}"
PERIOD = {"period": "day"}
LISTED = {"state": "failed", "wire": "bullmq", "text": "holiday"} | PERIOD
OF_JOB = {"state": "failed", "listed": "bullmq", "text": "holiday"} | PERIOD
LETTERS = {"queue": FILES.name, "wire": "bullmq", "name": "process-image", "text": "nothing"} | PERIOD
TEXT = "\0"  # the value of an option is its text
FILTERS = {"queue": ("state", "wire", "text"), "letters": ("queue", "wire", "name", "text", "group")}
# What a link may change, by the navigation that it is in, and by its own text.
CHANGED = {
    "States": {"state"},
    "Wires": {"wire"},
    "Period of the graphs": {"period"},
    "Pages": {*FILTERS["queue"], *FILTERS["letters"]},
    "Queues": {*FILTERS["queue"]},
    "All": {*FILTERS["letters"]},
}


@dataclass(frozen=True)
class Link:
    """A link, a form or a button of one; `within` is the label of the navigation that it is in."""

    to: str
    within: str
    text: str = ""


class Links(HTMLParser):
    """All that leads from a page to another."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Link] = []
        self._within, self._form, self._select = "", "", ""
        self._fields: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Forms with GET are taken with the fields that they send."""
        given = {name: value or "" for name, value in attrs}
        if tag == "nav":
            self._within = given["aria-label"]
        elif self._form:
            self._take_field(tag, given)
        elif tag == "form" and given.get("method") == "get":
            self._form, self._fields = given["action"], []
        else:
            to = given.get({"a": "href", "form": "action", "button": "formaction"}.get(tag, ""), "")
            if to.startswith(PREFIX):
                self.found.append(Link(to, self._within))

    def _take_field(self, tag: str, given: dict[str, str]) -> None:
        if tag == "select":
            self._select = given["name"]
        elif tag == "input":
            self._fields.append((given["name"], given["value"]))
        elif tag == "option" and "selected" in given:
            self._fields.append((self._select, given.get("value", TEXT)))
        elif tag == "a":
            self.found.append(Link(given["href"], self._within))

    def handle_endtag(self, tag: str) -> None:
        """The end of a form that is taken with its fields."""
        if tag == "nav":
            self._within = ""
        elif tag == "form" and self._form:
            self.found.append(Link(f"{self._form}?{urlencode(self._fields)}", self._within))
            self._form = ""

    def handle_data(self, data: str) -> None:
        """The text of the last link, or of an option without a value."""
        if self._form and self._fields and self._fields[-1][1] == TEXT:
            self._fields[-1] = (self._fields[-1][0], data)
        elif self.found and not self.found[-1].text:
            self.found[-1] = Link(self.found[-1].to, self.found[-1].within, data.strip())


def chosen(address: str) -> tuple[str, dict[str, str]]:
    """The list that an address is of, and what is chosen in it."""
    parts = urlsplit(address.removeprefix(PREFIX))
    query = dict(parse_qsl(parts.query))
    kind, _, rest = parts.path.lstrip("/").partition("/")
    if kind == "job":
        of, query["wire"] = f"queue {query['queue']}", query.get("listed", "")
    elif kind == "queue":
        of = f"queue {rest.partition('/')[0]}"
    else:
        of = "letters" if kind.startswith("letter") else kind
    known = ("period", *FILTERS.get(of.partition(" ")[0], ()))
    return of, {name: query[name] for name in known if query.get(name)}


def lost(page: str, link: Link) -> set[str]:
    """What was chosen on the page, and is not what the link has."""
    (here, had), (there, has) = chosen(page), chosen(link.to)
    names = had if here == there else PERIOD
    changed = CHANGED.get(link.within, set()) | CHANGED.get(link.text, set())
    return {name for name in names if had.get(name) != has.get(name)} - changed


@pytest.fixture
async def pages(ada: Browser, mess: Mess) -> list[str]:
    """Each page, with all that can be chosen for it."""
    await fill(mess, jobs=60)
    await schedule(mess)
    listed = await ada.get(f"{QUEUE}?{urlencode(LISTED)}")
    [job, *_] = re.findall(r'/job\?[^"]*\bid=([^"&]+)"', listed.text)
    [letter, *_] = await dead_letters_of(ada, wire="bullmq")
    [group, *_] = re.findall(r'/letters\?[^"]*group=([0-9a-f]+)', (await ada.get("/letters/groups")).text)
    waiting = f"{QUEUE}?{urlencode(LISTED | {'state': 'waiting', 'text': ''})}"
    [following] = re.findall(r'after=([^"&]+)"', (await ada.get(waiting)).text)
    of_job = {"queue": FILES.name, "wire": "bullmq", "id": job} | OF_JOB
    grouped = urlencode(LETTERS | {"group": group})
    return [
        f"/?{urlencode(PERIOD)}",
        f"{QUEUE}?{urlencode(LISTED)}",
        waiting,
        f"{waiting}&after={following}",
        f"{QUEUE}/add?{urlencode(LISTED | {'name': 'process-image'})}",
        f"/job?{urlencode(of_job)}",
        f"/job?{urlencode(of_job | {'state': 'delayed', 'listed': ''})}",
        f"/letters?{grouped}",
        f"/letters?{grouped}&start=1",
        f"/letters/groups?{grouped}",
        f"/letters/groups?{grouped}&start=1",
        f"/letter?{grouped}&id={letter}",
        "/schedules?period=day&start=1",
        "/workers?period=day",
        "/outbox?period=day",
        "/queue/nowhere?period=day",
    ]


async def test_each_link_keeps_what_was_chosen(ada: Browser, pages: list[str]) -> None:
    """Links, forms and actions; each page has some beside those that all pages have."""
    found = {page: Links((await ada.get(page)).text).found for page in pages}
    ours = {page: [link for link in links if "/logout" not in link.to] for page, links in found.items()}
    assert [] == [(page, link, names) for page, links in ours.items() for link in links if (names := lost(page, link))]
    assert {"Last hour", "Next", "From the start", "One by one", "All"} <= {
        link.text for links in ours.values() for link in links
    }
    assert 250 < sum(len(links) for links in ours.values())


def places(links: list[Link]) -> Iterator[str]:
    """The place in the list that each link leads to."""
    for link in links:
        yield dict(parse_qsl(urlsplit(link.to).query)).get("after", "")


async def test_the_other_period_leaves_the_list_where_it_is(ada: Browser, pages: list[str]) -> None:
    """Other lists begin at their beginning."""
    [page] = [page for page in pages if "after=" in page]
    links = Links((await ada.get(page)).text).found
    periods = [link for link in links if link.within == "Period of the graphs"]
    assert set(places([Link(page, "")])) == set(places(periods))
    assert {""} == set(places([link for link in links if link.within in {"States", "Wires"}]))


async def test_actions_lead_back_to_what_was_chosen(ada: Browser, pages: list[str]) -> None:
    """The reader is where they were, and sees what became of it."""
    token = csrf(await ada.get("/"))
    [_, job] = [page for page in pages if page.startswith("/job")]
    [letter] = [page for page in pages if page.startswith("/letter?")]
    actions = (
        f"{QUEUE}/pause?{urlencode(LISTED)}",
        f"{QUEUE}/ticked/retry?{urlencode(LISTED)}&{seen()}",
        letter.replace("/letter?", "/letter/drop?"),
        job.replace("/job?", "/job/promote?"),
        job.replace("/job?", "/job/remove?"),
        f"/letters/replay?{urlencode(LETTERS)}&{seen()}",
        f"/schedule/pause?queue={FILES.name}&id=weekly&start=1&period=day",
    )
    for action in actions:
        answer = await ada.post(action, {"csrf": token})
        assert (303, True) == (answer.status_code, "said=" in answer.headers["location"]), action
        assert set() == lost(action, Link(answer.headers["location"], "")), action
    assert "start=1" in answer.headers["location"]


async def test_a_job_that_no_list_has_led_to_leads_to_its_own(ada: Browser, mess: Mess) -> None:
    """Of its state and wire; what is no period is not kept, so that no link leads to an error."""
    await fill(mess)
    [job, *_] = re.findall(r'/job\?[^"]*\bid=([^"&]+)"', (await ada.get(f"{QUEUE}?state=failed&wire=rq")).text)
    page = await ada.get(f"/job?queue={FILES.name}&wire=rq&id={job}&period=year")
    assert f'href="{PREFIX}{QUEUE}?state=failed&amp;wire=rq"' in page.text
    assert "year" not in page.text


def asked(of: Dependant) -> Iterator[str]:
    """The parameters of a page's address."""
    yield from (field.alias for field in of.query_params)
    for part in of.dependencies:
        yield from asked(part)


def test_all_that_can_be_chosen_is_known_here(parts: tuple[FastAPI, FastAPI]) -> None:
    """A parameter that is added to a page needs its place in the links."""
    routes = [
        route
        for part in parts[1].routes
        for route in getattr(getattr(part, "original_router", part), "routes", [part])
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and not route.path.startswith("/login")
    ]
    names = {name for route in routes for name in asked(route.dependant)}
    places_and_ids = {"after", "start", "id"}
    assert {"period", *FILTERS["queue"], *FILTERS["letters"]} | places_and_ids == names
