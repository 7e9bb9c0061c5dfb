"""The dashboard over both wires on a real Redis: who may see and do what, and what hostile content becomes."""

from __future__ import annotations

import asyncio
import html
import json
import re
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.routing import APIRoute
from structlog.testing import capture_logs

from embedded.redis_server import RedisServer
from processors.forms import FORMS
from queue_lib import wiring
from queue_lib.admin import Admin, Wanted
from queue_lib.api import tokens
from queue_lib.api.app import build
from queue_lib.dashboard.app import install
from queue_lib.dashboard.guard import MOST_ATTEMPTS, PREFIX
from queue_lib.dashboard.headers import HEADERS
from queue_lib.job import Wire
from queue_lib.settings import WorkerSettings, load
from tests.support.showcase import FILES, IMAGE, fill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from tests.support.wires import Mess

SECRET, FULL = tokens.make("ada", may_write=True)
READ_SECRET, READ = tokens.make("viewer", may_write=False)
SITE = "http://ops.example"
SESSIONLESS = {"/login", "/static/{version}/{name}"}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


class Browser:
    """Keeps cookies and sends forms as a browser does; each answer must have the headers of the dashboard."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Look at a page."""
        return self._checked(await self.http.get(f"{PREFIX}{path}", **options))

    async def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form from a page of the same site; `headers` win."""
        sent = {"Origin": SITE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self._checked(await self.http.post(f"{PREFIX}{path}", data=form, headers=sent))

    async def sign_in(self, secret: str = SECRET, **form: str) -> httpx.Response:
        """By the form."""
        page = await self.get("/login")
        return await self.post("/login", {"token": secret, "csrf": csrf(page), **form})

    async def act(self, path: str, **form: str) -> httpx.Response:
        """Send the form that the overview's token is good for."""
        return await self.post(path, {"csrf": csrf(await self.get("/")), **form})

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        assert HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
        assert "no-store" == answer.headers["cache-control"] or "/static/" in answer.url.path
        assert "Traceback" not in answer.text or answer.is_success
        return answer


def csrf(page: httpx.Response) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


@asynccontextmanager
async def browser_of(app: FastAPI) -> AsyncIterator[Browser]:
    """A browser of its own."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as http:
        yield Browser(http)


def built(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[FastAPI, FastAPI]:
    """The web process's application, and the dashboard in it."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    [settings] = load(WorkerSettings)
    web = build(partial(wiring.admin, settings, FORMS, by="web"), [FULL, READ], rate=5)
    return web, install(web, [FULL, READ], settings.redis)


@pytest.fixture
async def parts(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """Both, running on the shared Redis, which is empty."""
    web, pages = built(redis_url, monkeypatch)
    async with web.router.lifespan_context(web):
        yield web, pages


@pytest.fixture
async def stranger(parts: tuple[FastAPI, FastAPI]) -> AsyncIterator[Browser]:
    """Somebody without a session."""
    async with browser_of(parts[0]) as browser:
        yield browser


@pytest.fixture
async def ada(stranger: Browser) -> Browser:
    """Somebody who may do everything."""
    assert 303 == (await stranger.sign_in()).status_code
    return stranger


def routes(pages: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Method, path as declared, and path with a value for each parameter, of each route of the dashboard."""
    found = [
        (method, route.path, re.sub(r"\{\w+\}", FILES.name, route.path))
        for part in pages.routes
        for route in getattr(getattr(part, "original_router", part), "routes", [part])
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(found) > 15
    yield from found


async def test_no_page_answers_without_a_session(stranger: Browser, parts: tuple[FastAPI, FastAPI]) -> None:
    """All but the form to sign in, and the files that it needs, lead to that form."""
    for method, declared, path in routes(parts[1]):
        if declared in SESSIONLESS:
            continue
        answer = await (stranger.get(path) if method == "GET" else stranger.post(path, {"csrf": "x"}))
        assert (303, "") == (answer.status_code, answer.text), path
        assert answer.headers["location"].startswith(f"{PREFIX}/login"), path
    assert 404 == (await stranger.get("/nothing")).status_code
    assert f"{PREFIX}/" == (await stranger.get("")).headers["location"]


async def test_a_token_that_may_only_read_sees_all_and_does_nothing(
    stranger: Browser, parts: tuple[FastAPI, FastAPI], mess: Mess
) -> None:
    """Every action is refused, whatever it is asked for, and no page has a button for one."""
    await fill(mess)
    await stranger.sign_in(READ_SECRET)
    token = csrf(await stranger.get("/"))
    actions = [
        path
        for method, declared, path in routes(parts[1])
        if method == "POST" and declared not in {"/login", "/logout"}
    ]
    for path in actions:
        answer = await stranger.post(path, {"csrf": token})
        assert (403, True) == (answer.status_code, "may only read" in answer.text), path
    assert len(actions) >= 10
    for path in ("/", f"/queue/{FILES.name}?state=failed", "/letters", "/workers", *await _links(stranger)):
        page = await stranger.get(path)
        assert 200 == page.status_code
        assert {f"{PREFIX}/logout"} == set(re.findall(r'method="post" action="([^"]+)"', page.text)), path
        assert "popover" not in page.text


async def _links(browser: Browser) -> list[str]:
    """A failed job, and a letter."""
    jobs = (await browser.get(f"/queue/{FILES.name}?state=failed")).text + (await browser.get("/letters")).text
    found = [html.unescape(link) for link in re.findall(rf'href="{PREFIX}(/(?:job|letter)\?[^"]+)"', jobs)]
    assert len(found) > 1
    return [found[0], found[-1]]


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"other": ""}, {}),
        ({"csrf": "wrong"}, {}),
        ({"csrf": "ümlaut"}, {}),
        ({"csrf": "{theirs}"}, {}),
        ({"csrf": "{mine}"}, {"Origin": "https://evil.example"}),
        ({"csrf": "{mine}"}, {"Origin": "https://ops.example"}),
        ({"csrf": "{mine}"}, {"Origin": "http://ops.example:81"}),
        ({"csrf": "{mine}"}, {"Origin": "null"}),
        ({"csrf": "{mine}"}, {"Origin": ""}),
    ],
)
async def test_a_form_that_is_not_ours_does_nothing(
    ada: Browser, parts: tuple[FastAPI, FastAPI], form: dict[str, str], headers: dict[str, str]
) -> None:
    """Without the session's own token, or from another site; the same form with both pauses the queue."""
    async with browser_of(parts[0]) as other:
        await other.sign_in()
        theirs = csrf(await other.get("/"))
    mine = csrf(await ada.get("/"))
    sent = {name: value.format(mine=mine, theirs=theirs) for name, value in form.items()}
    path = f"/queue/{FILES.name}/pause"

    assert 403 == (await ada.post(path, sent, **headers)).status_code
    assert 403 == (await ada.post("/logout", sent, **headers)).status_code
    assert "paused" not in (await ada.get("/")).text
    assert 405 == (await ada.get(path)).status_code
    assert 303 == (await ada.post(path, {"csrf": mine})).status_code
    assert "paused" in (await ada.get("/")).text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("csrf={mine}", "text/plain", 415),
        ('{{"csrf": "{mine}"}}', "application/json", 415),
        ("csrf={mine}" + "&a=1" * 30, "application/x-www-form-urlencoded", 400),
        ("csrf=\xff", "application/x-www-form-urlencoded", 400),
        ("csrf={mine}&a=" + "x" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_what_is_no_form_is_refused(ada: Browser, content: str, kind: str, status: int) -> None:
    """Whatever token it has."""
    body = content.format(mine=csrf(await ada.get("/"))).encode("latin-1")
    path = f"{PREFIX}/queue/{FILES.name}/pause"
    answer = await ada.http.post(path, content=body, headers={"Origin": SITE, "Content-Type": kind})
    assert status == answer.status_code


async def test_signing_in_and_out(stranger: Browser) -> None:
    """The cookie is this host's alone; without it nobody is signed in."""
    refused = await stranger.sign_in("wrong")
    assert (401, True) == (refused.status_code, "No entry of API_TOKENS" in refused.text)
    assert 303 == (await stranger.get("/")).status_code

    answer = await stranger.sign_in(f" {SECRET}\n")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", f"Path={PREFIX}", "SameSite=strict"} <= set(cookie.split("; "))
    assert SECRET not in cookie
    assert FULL.digest not in cookie
    assert 200 == (await stranger.get("/")).status_code

    assert 303 == (await stranger.act("/logout")).status_code
    assert 303 == (await stranger.get("/")).status_code


async def test_by_https_the_cookie_is_for_https_alone(stranger: Browser) -> None:
    """As the platform's router tells, whatever name a network's attacker sets a cookie by."""
    https = {"X-Forwarded-Proto": "https"}
    page = await stranger.get("/login", headers=https)
    form = {"token": SECRET, "csrf": csrf(page)}
    own = {"X-Forwarded-Proto": "https", "Origin": "https://ops.example"}
    secure = page.headers["set-cookie"].split(";")[0]
    answer = await stranger.post("/login", form, **own, Cookie=secure)
    name, *flags = answer.headers["set-cookie"].split("; ")
    plain = name.removeprefix("__Host-")

    assert name.startswith("__Host-pushmill=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(flags)
    assert 200 == (await stranger.get("/", headers={**https, "Cookie": name})).status_code
    assert 303 == (await stranger.get("/", headers={**https, "Cookie": plain})).status_code
    refused = await stranger.post("/login", form, Origin="https://ops.example", Cookie=secure)
    assert "does the proxy in front send X-Forwarded-Proto?" in refused.text


async def test_guessing_tokens_is_slow(stranger: Browser) -> None:
    """Ten attempts a minute from one address; somebody else's are not counted with them."""
    form = {"token": "guess", "csrf": csrf(await stranger.get("/login"))}
    told = [
        (await stranger.post("/login", form, X_Forwarded_For=f"{n}, 192.0.2.1")).status_code
        for n in range(MOST_ATTEMPTS + 2)
    ]
    other = await stranger.post("/login", form, X_Forwarded_For="192.0.2.1, 192.0.2.2")
    last = await stranger.post("/login", {**form, "token": SECRET}, X_Forwarded_For="192.0.2.1")

    assert [401] * MOST_ATTEMPTS + [429] * 2 == told
    assert 401 == other.status_code
    assert (429, True) == (last.status_code, 0 < int(last.headers["retry-after"]) <= 60)


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        (f"{PREFIX}/letters?queue=a%2Fb", f"{PREFIX}/letters?queue=a%2Fb"),
        ("https://evil.example", f"{PREFIX}/"),
        ("//evil.example", f"{PREFIX}/"),
        (f"{PREFIX}/\\evil", f"{PREFIX}/"),
        (f"{PREFIX}/x\r\nSet-Cookie: a=b", f"{PREFIX}/"),
        (f"{PREFIX}.evil.example/", f"{PREFIX}/"),
        ("javascript:alert(1)", f"{PREFIX}/"),
    ],
)
async def test_who_has_signed_in_stays_here(stranger: Browser, wanted: str, location: str) -> None:
    """The page that was asked for is opened only if it is one of the dashboard's."""
    page = await stranger.get("/login", params={"next": wanted})
    assert ("Go on" in page.text) == (wanted == location)
    assert location == (await stranger.sign_in(next=wanted)).headers["location"]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_hostile_content_is_shown_and_not_obeyed(ada: Browser, mess: Mess, wire: str) -> None:
    """Markup, terminal escapes, lone surrogates, huge and deep payloads, in every place that a producer writes."""
    job_id = await (_hostile_bullmq(mess) if wire == "bullmq" else _hostile_rq(mess))
    listed = await ada.get(f"/queue/{FILES.name}?state=waiting&wire={wire}")
    [link] = re.findall(rf'href="{PREFIX}(/job\?[^"]+)"', listed.text)
    job = await ada.get(html.unescape(link))
    sought = await ada.get(f"/queue/{FILES.name}", params={"wire": wire, "text": "<script>"})

    for page in (listed, job, sought):
        assert 200 == page.status_code
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert not set("\x1b\u202e\ud800\x00") & set(page.text)
        assert len(page.text) < 400_000
    assert html.escape(job_id) in job.text
    assert "and more" in job.text


async def _hostile_bullmq(mess: Mess) -> str:
    """A job whose fields are written as anybody with the Redis URL may."""
    job_id = "../a/b c?d#e%2F&amp;"
    await mess.bullmq(HOSTILE, {}, queue=FILES.name, jobId=job_id)
    texts = json.dumps([HOSTILE + "\ud800", "x" * 5_000_000])
    failures = json.dumps([f"{HOSTILE}\n    at {HOSTILE}"] * 5)
    mess.redis.hset(
        f"bull:{FILES.name}:{job_id}",
        mapping={"data": texts, "stacktrace": failures, "failedReason": HOSTILE * 100, "progress": texts},
    )
    mess.redis.rpush(f"bull:{FILES.name}:{job_id}:logs", HOSTILE, b"\xff\xfe")
    return job_id


async def _hostile_rq(mess: Mess) -> str:
    """A job of RQ's, whose ids have few signs."""
    [job_id] = mess.rq(HOSTILE.replace("\x1b", ""), {"a": HOSTILE, "long": "x" * 2_000_000}, queue=FILES.name)
    return job_id


async def test_a_deeply_nested_payload_is_no_fault(ada: Browser, mess: Mess) -> None:
    """It is shown as far as it can be."""
    [job_id] = await mess.bullmq("process-image", IMAGE, queue=FILES.name)
    mess.redis.hset(f"bull:{FILES.name}:{job_id}", "data", "[" * 900 + "]" * 900)
    page = await ada.get(f"/job?queue={FILES.name}&wire=bullmq&id={job_id}")
    assert (200, True) == (page.status_code, "Payload" in page.text)


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_what_may_be_done_to_jobs(
    ada: Browser, mess: Mess, wire: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Retry one and all, promote, remove, clean: on each wire, and who did it is in the log."""
    await fill(mess)
    failed = await _ids(ada, "failed", wire)
    one, query = failed[0], {"queue": FILES.name, "wire": wire}

    assert "said=job-retried" in (await ada.act(f"/job/retry?{_query(query | {'id': one})}")).headers["location"]
    assert "said=job-not-failed" in (await ada.act(f"/job/retry?{_query(query | {'id': one})}")).headers["location"]
    again = await ada.act(f"/queue/{FILES.name}/retry?wire={wire}&text=HOLIDAY")
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
    assert "n=0" in (await ada.act(f"/queue/{FILES.name}/clean?state=completed", older="3600")).headers["location"]
    assert "n=12" in (await ada.act(f"/queue/{FILES.name}/clean?state=completed", older="0")).headers["location"]
    assert [] == await _ids(ada, "completed", wire)
    assert 422 == (await ada.act(f"/queue/{FILES.name}/clean?state=waiting", older="0")).status_code
    assert 422 == (await ada.act(f"/queue/{FILES.name}/clean?state=failed", older="-1")).status_code


def _query(values: dict[str, str]) -> str:
    return str(httpx.QueryParams(values))


async def _ids(browser: Browser, state: str, wire: str) -> list[str]:
    """The ids on the first page of a state."""
    page = await browser.get(f"/queue/{FILES.name}?state={state}&wire={wire}")
    assert 200 == page.status_code
    return re.findall(r'href="[^"]+/job\?[^"]*id=([^"&]+)"', page.text)


async def test_dead_letters_are_found_replayed_and_dropped(ada: Browser, mess: Mess) -> None:
    """One by one, and all that match; a letter that is gone is said to be."""
    await fill(mess)
    assert 4 == len(await _letters(ada))
    assert 2 == len(await _letters(ada, wire="rq"))
    assert 4 == len(await _letters(ada, queue=FILES.name, name="process-image", text="NOTHING is"))
    assert [] == await _letters(ada, text="S3")

    [dropped, replayed, *_] = await _letters(ada, wire="bullmq")
    assert "uploads/holiday.jpg" in (await ada.get(f"/letter?id={replayed}")).text
    assert "said=letter-dropped" in (await ada.act(f"/letter/drop?id={dropped}")).headers["location"]
    assert "said=letter-retried" in (await ada.act(f"/letter/replay?id={replayed}")).headers["location"]
    assert 404 == (await ada.act(f"/letter/replay?id={replayed}")).status_code
    assert 404 == (await ada.get(f"/letter?id={dropped}")).status_code
    all_rq = await ada.act("/letters/replay?wire=rq")
    assert "said=replayed&n=2" in all_rq.headers["location"]
    told = await ada.http.get(all_rq.headers["location"])
    assert "Letters replayed: 2." in told.text
    assert "There are no dead letters." in (await ada.get("/letters")).text


async def test_pages_of_letters_follow_each_other(ada: Browser, mess: Mess) -> None:
    """The newest first, none left out; what is no letter of ours is passed over."""
    await fill(mess, dead=40)
    await mess.bullmq("somebody else's", {}, queue="dead")
    seen, path = [], "/letters"
    while path:
        page = (await ada.get(path)).text
        seen += re.findall(r'href="[^"]+/letter\?id=([^"&]+)"', page)
        following = re.findall(rf'href="{PREFIX}([^"]+)" rel="next"', page)
        path = html.unescape(following[0]) if following else ""

    assert [80, 80] == [len(seen), len(set(seen))]
    assert 40 == sum(letter.startswith("rq-") for letter in seen[:41])
    assert 40 == len(await _letters(ada, wire="bullmq"))


async def _letters(browser: Browser, **query: str) -> list[str]:
    page = await browser.get("/letters", params=query)
    return re.findall(r'href="[^"]+/letter\?id=([^"&]+)"', page.text)


async def test_two_operators_at_once(ada: Browser, parts: tuple[FastAPI, FastAPI], mess: Mess) -> None:
    """Each job runs again once, and the two counts make the whole."""
    await fill(mess, dead=20)
    async with browser_of(parts[0]) as bob:
        await bob.sign_in()
        before = int(mess.redis.llen(f"bull:{FILES.name}:wait"))
        answers = await asyncio.gather(
            *(browser.act(f"/queue/{FILES.name}/retry?wire=bullmq") for browser in (ada, bob)),
            *(browser.act("/letters/replay?wire=rq") for browser in (ada, bob)),
        )
    counts = [int(re.findall(r"n=(\d+)", answer.headers["location"])[0]) for answer in answers]

    assert [20, 20] == [sum(counts[:2]), sum(counts[2:])]
    assert 20 == int(mess.redis.llen(f"bull:{FILES.name}:wait")) - before
    assert len(set(mess.redis.lrange(f"bull:{FILES.name}:wait", 0, -1))) == mess.redis.llen(f"bull:{FILES.name}:wait")
    assert [] == await _letters(ada)


async def test_twenty_operators_at_once(parts: tuple[FastAPI, FastAPI], mess: Mess) -> None:
    """They wait for each other's turn, and for nobody's connection."""
    await fill(mess, dead=20)
    admin: Admin = parts[0].state.admin
    failed = await admin.failed(Wanted(wire=Wire.RQ))
    async with asyncio.timeout(10):
        assert [True] * 20 == await asyncio.gather(*(admin.retry(job) for job in failed))


async def test_the_overview_shows_counts_graphs_and_alarms(ada: Browser, mess: Mess) -> None:
    """Both wires in one queue; without a worker there is an alarm."""
    assert 2 == (await ada.get("/")).text.count("No worker serves this queue.")
    await fill(mess)
    page = await ada.get("/")

    assert "No worker" not in page.text
    assert re.search(r'state=waiting&amp;wire=rq">12<', page.text)
    assert 4 <= page.text.count('<path class="done" d="M') + page.text.count('<path class="p95" d="M')
    assert re.search(r"<b[^>]*>4</b> dead letters", page.text)
    assert "worker-2.dyno-4f1c2a91" in (await ada.get("/workers")).text
    assert "nothing of this" not in (await ada.get("/?said=nothing%20of%20this")).text


async def test_pages_of_jobs_follow_each_other(ada: Browser, mess: Mess) -> None:
    """Fifty a page; a search goes on where it ended, and says so when nothing is found."""
    await mess.bullmq("process-image", *[IMAGE | {"fileId": f"cm{n:03}"} for n in range(120)], queue=FILES.name)
    seen, path = [], f"/queue/{FILES.name}?wire=bullmq"
    while path:
        page = (await ada.get(path)).text
        seen += re.findall(r'href="[^"]+/job\?[^"]*id=([^"&]+)"', page)
        following = re.findall(rf'href="{PREFIX}([^"]+)" rel="next"', page)
        path = html.unescape(following[0]) if following else ""

    assert [str(n) for n in range(1, 121)] == seen
    assert 1 == len(await _search(ada, "cm077"))
    assert 0 == len(await _search(ada, "<no>"))
    assert 404 == (await ada.get("/queue/none")).status_code
    assert 422 == (await ada.get(f"/queue/{FILES.name}?state=odd&start=-1")).status_code


async def _search(browser: Browser, text: str) -> list[str]:
    page = await browser.get(f"/queue/{FILES.name}", params={"wire": "bullmq", "text": text})
    return re.findall(r'href="[^"]+/job\?[^"]*id=([^"&]+)"', page.text)


async def test_redis_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """On every page, with 503; who is signed in stays so, and it is over when Redis is back."""
    with RedisServer(appendonly=True) as server:
        web, _ = built(server.url, monkeypatch)
        async with web.router.lifespan_context(web), browser_of(web) as browser:
            await browser.sign_in()
            await browser.get("/")
            server.stop()
            for path in ("/", f"/queue/{FILES.name}", "/letters", "/workers"):
                page = await browser.get(path)
                assert (503, "5") == (page.status_code, page.headers["retry-after"])
                assert "Redis can&#39;t be reached" in page.text or "Redis can't be reached" in page.text
            server.start()
            assert 200 == (await browser.get("/")).status_code


async def test_a_fault_is_a_page_without_details(
    ada: Browser, parts: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where to look, and has the headers of all others."""

    async def broken() -> None:
        msg = "secret detail"
        raise RuntimeError(msg)

    monkeypatch.setattr(parts[0].state.admin, "stats", broken)
    with capture_logs() as logged:
        page = await ada.get("/")
    assert ["api_fault"] == [line["event"] for line in logged]
    assert (500, True) == (page.status_code, "its log says which" in page.text)
    assert "secret detail" not in page.text


async def test_style_and_script_may_be_kept(stranger: Browser) -> None:
    """Under an address that changes with them; that of another version, as in a deploy under way, is refused."""
    page = await stranger.get("/login")
    for path in re.findall(rf'(?:href|src)="{PREFIX}(/static/[^"]+)"', page.text):
        file = await stranger.get(path)
        assert (200, True) == (file.status_code, "immutable" in file.headers["cache-control"])
        other = await stranger.get(re.sub("/static/[^/]+", "/static/0123456789ab", path))
        assert (404, "no-store") == (other.status_code, other.headers["cache-control"])
    assert "<script>" not in page.text
    assert " style=" not in page.text


async def test_the_dashboard_is_not_in_the_openapi_document(parts: tuple[FastAPI, FastAPI]) -> None:
    """It is for people."""
    assert not [path for path in parts[0].openapi()["paths"] if path.startswith(PREFIX)]
