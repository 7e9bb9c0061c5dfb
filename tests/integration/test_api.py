"""The API over both wires on a real Redis. Each answer must be one that the OpenAPI document tells of."""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
from fastapi.routing import APIRoute
from rq import Queue as Lane

from processors.forms import FORMS
from queue_lib import wiring
from queue_lib.admin import Admin
from queue_lib.api import problems, tokens
from queue_lib.api.app import build
from queue_lib.api.guard import MAX_BODY, WINDOW, Limiter
from queue_lib.api.settings import ApiSettings
from queue_lib.job import Wire
from queue_lib.observe.events import Breakdown, Event, JobSettled, JobStarted
from queue_lib.observe.pulse import Pulse, WorkerView
from queue_lib.outcome import Done
from queue_lib.runner.reporter import Reporter
from queue_lib.settings import WorkerSettings, load
from tests.support.exposition import Exposition
from tests.support.fakes import make_job
from tests.support.mills import redis_mill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from queue_lib.observe.events import Observer

SECRET, FULL = tokens.make("app", may_write=True)
READ_SECRET, READ = tokens.make("viewer", may_write=False)
OPEN = {"/healthz", "/readyz"}
IMAGE = {"fileId": "cm1", "filePath": "uploads/a.jpg", "userId": "u1"}
JOB = {"name": "process-image", "data": IMAGE}


class Client:
    """Asks as one who has a token, and checks each answer against the OpenAPI document."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http
        self._paths = app.openapi()["paths"]

    async def __call__(self, method: str, path: str, *, secret: str = SECRET, **options: Any) -> httpx.Response:
        """Ask."""
        headers = {"Authorization": f"Bearer {secret}", **options.pop("headers", {})}
        answer = await self.http.request(method, path, headers=headers, **options)
        route = next(path for path in self._paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), answer.url.path))
        assert str(answer.status_code) in self._paths[route][method.lower()]["responses"], (route, answer.text)
        if answer.status_code >= 400:
            assert "application/problem+json" == answer.headers["content-type"]
            assert {"title", "status", "detail"} == set(answer.json()) - {"errors"}
            assert "Traceback" not in answer.text
        return answer


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[Client]:
    """A client of a running application."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield Client(app, http)


def api(redis_url: str, monkeypatch: pytest.MonkeyPatch, rate: int = 2000, observe: Observer | None = None) -> FastAPI:
    """The application on this Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    [settings] = load(WorkerSettings)
    return build(partial(wiring.admin, settings, FORMS, by="api"), [FULL, READ], rate, observe)


@pytest.fixture
def faults() -> list[Event]:
    """What the application has told its observer."""
    return []


@pytest.fixture
def app(redis_url: str, faults: list[Event], monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The application on the shared Redis, which is empty."""
    return api(redis_url, monkeypatch, observe=faults.append)


@pytest.fixture
async def ask(app: FastAPI) -> AsyncIterator[Client]:
    """A client with a full token."""
    async with client_of(app) as client:
        yield client


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of each route, `x` for each parameter."""
    found = [
        (method, re.sub(r"\{\w+\}", "x", route.path))
        for part in app.routes
        for route in (
            [part] if isinstance(part, APIRoute) else getattr(getattr(part, "original_router", None), "routes", [])
        )
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(found) > 12
    yield from found


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {SECRET}"}])
async def test_nothing_answers_without_a_token(ask: Client, app: FastAPI, headers: dict[str, str]) -> None:
    """But for the two questions that platforms ask."""
    for method, path in routes(app):
        answer = await ask.http.request(method, path, headers=headers)
        if path in OPEN:
            assert 200 == answer.status_code
        else:
            assert (401, "Bearer") == (answer.status_code, answer.headers.get("www-authenticate")), path


async def test_a_token_that_may_only_read_changes_nothing(ask: Client, app: FastAPI) -> None:
    """Whatever it asks for."""
    for method, path in routes(app):
        answer = await ask.http.request(
            method, path, headers={"Authorization": f"Bearer {READ_SECRET}"}, json=JOB if method == "POST" else None
        )
        assert (403 == answer.status_code) == (method != "GET"), (method, path, answer.text)


async def test_the_metrics_of_the_queues(ask: Client, redis_url: str) -> None:
    """Depths by state and wire, ages, letters, for a token that may only read; scraping again asks Redis nothing."""
    for options in ({}, {"delay": 60_000}, {"wire": "rq"}):
        await ask("POST", "/queue/jobs", json={**JOB, "options": options})
    await ask("POST", "/queue/pause?queue=file-processing")
    first = await ask("GET", "/metrics", secret=READ_SECRET)
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("stats")["total_commands_processed"]
        again = await ask("GET", "/metrics", secret=READ_SECRET)
        asked = client.info("stats")["total_commands_processed"] - before - 1
    read = Exposition(first.text)

    waiting = {"queue": "file-processing", "state": "waiting"}
    assert (1, 1) == tuple(read("pushmill_queue_jobs", wire=wire, **waiting) for wire in ("bullmq", "rq"))
    assert 1 == read("pushmill_queue_jobs", queue="file-processing", state="delayed", wire="bullmq")
    assert (1, 0) == tuple(
        read("pushmill_queue_paused", queue=name) for name in ("file-processing", "push-notifications")
    )
    assert 0 <= read("pushmill_queue_oldest_waiting_seconds", queue="file-processing") < 10
    assert (0, 1) == (read("pushmill_dead_letters"), read("pushmill_redis_up"))
    assert 0 == read("pushmill_workers", queue="push-notifications")
    assert read("process_resident_memory_bytes") > 0
    assert 0 == asked
    assert 3 == Exposition(again.text)("pushmill_queue_jobs")


async def test_the_metrics_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so, and has the rest: an alarm needs it most of all then."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")  # no server has the port of "discard"
    [settings] = load(WorkerSettings)
    async with client_of(build(partial(wiring.admin, settings, FORMS, by="api"), [FULL], rate=5)) as ask:
        answer = await ask("GET", "/metrics")
    read = Exposition(answer.text)

    assert 0 == read("pushmill_redis_up")
    assert "pushmill_dead_letters" not in read.names
    assert read("process_resident_memory_bytes") > 0


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_is_submitted_and_looked_at(ask: Client, wire: str) -> None:
    """It is where the answer says, with the payload that was sent."""
    answer = await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire, "delay": 60_000, "attempts": 7}})

    accepted = answer.json()
    assert (202, "file-processing", wire) == (answer.status_code, accepted["queue"], accepted["wire"])
    job = (await ask("GET", answer.headers["location"], secret=READ_SECRET)).json()
    assert (accepted["id"], "process-image", "delayed", IMAGE) == (job["id"], job["name"], job["state"], job["data"])
    assert {"attemptsMade": 0, "finishedAt": None, "result": None, "log": []}.items() <= job.items()
    assert job["enqueuedAt"] is None or job["enqueuedAt"] > 1_700_000_000_000


async def test_submitting_again_adds_no_second_job(ask: Client) -> None:
    """A client that has heard no answer may send the same again."""
    key = {"Idempotency-Key": "upload 17"}
    ids = {(await ask("POST", "/queue/jobs", json=JOB, headers=key)).json()["id"] for _ in range(3)}
    other = (await ask("POST", "/queue/jobs", json=JOB, headers={"Idempotency-Key": "18"})).json()["id"]

    assert 1 == len(ids)
    assert other not in ids
    stats = (await ask("GET", "/queue/stats")).json()
    assert 2 == next(each for each in stats["queues"] if each["queue"] == "file-processing")["counts"]["waiting"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({**JOB, "name": "mail"}, "no such job: 'mail'; there are optimize-avatar"),
        ({**JOB, "name": "push-follow-up"}, "no such job"),
        (
            {**JOB, "data": {**IMAGE, "filePath": "/etc/passwd", "userId": {"a": "secret"}}},
            "bad payload for process-image: filePath: ",
        ),
        ({**JOB, "data": None}, "bad payload for process-image: payload: "),
        ({"name": "process-image"}, "body.data: Field required"),
        ({**JOB, "options": {"delay": -1}}, "body.options.delay: "),
        ({**JOB, "options": {"wire": "sqs"}}, "body.options.wire: "),
        ({**JOB, "options": {"jobId": "12"}}, "a job's id has letters"),
        ([], "body: "),
    ],
)
async def test_a_bad_submission_names_the_field(ask: Client, body: Any, detail: str) -> None:
    """And none of its values."""
    answer = await ask("POST", "/queue/jobs", json=body)

    assert 422 == answer.status_code
    assert answer.json()["detail"].startswith(detail)
    assert "secret" not in answer.text


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"name": "\\ud800", "data": 1}', b"[" * 100_000])
async def test_what_is_no_json_is_refused(ask: Client, content: bytes) -> None:
    """As the client's fault."""
    answer = await ask("POST", "/queue/jobs", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}


@pytest.mark.parametrize("odd", ['"\\ud800"', "NaN", "1e999", "[" * 900 + "]" * 900])
@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_what_could_not_be_written_is_refused(ask: Client, wire: str, odd: str) -> None:
    """What Python's JSON takes and others don't is the client's fault, and no fault of ours."""
    data = '{"fileId": "a", "filePath": "b", "userId": 1, "x": %s}' % odd  # noqa: UP031 -- braces
    text = '{"name": "process-image", "options": {"wire": "%s"}, "data": %s}'
    answer = await ask("POST", "/queue/jobs", content=text % (wire, data), headers={"Content-Type": "application/json"})

    assert answer.status_code in ({202, 400, 422} if odd[0] == "[" else {422})


async def test_large_bodies_are_refused(ask: Client) -> None:
    """Also where their length is not said before."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 65_536 + 1):
            yield b" " * 65_536

    assert 413 == (await ask("POST", "/queue/jobs", content=b" " * (MAX_BODY + 1))).status_code
    assert 413 == (await ask("POST", "/queue/jobs", content=chunks())).status_code


async def test_submissions_are_limited(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each token; the answer says when to come back. A batch counts as many as it has, or not at all."""
    async with client_of(api(redis_url, monkeypatch, rate=5)) as ask:
        answers = [await ask("POST", "/queue/jobs", json=JOB) for _ in range(4)]
        answers += [await ask("POST", "/queue/jobs/batch", json={"jobs": [JOB] * count}) for count in (6, 2, 1)]
        answers += [await ask("POST", "/queue/jobs", json=JOB)]
        looked = await ask("GET", "/queue/stats")

    assert [*[202] * 4, 413, 429, 202, 429] == [answer.status_code for answer in answers]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= WINDOW
    assert 5 == looked.json()["queues"][1]["counts"]["waiting"]


def test_the_limit_is_by_token_and_window() -> None:
    """One token's haste is nobody else's, and a minute later it may go on."""
    now = 0.0
    limiter = Limiter(1, clock=lambda: now)
    limiter.count("a")
    limiter.count("b")
    with pytest.raises(Exception, match="more than 1 jobs in a minute"):
        limiter.count("a")
    now = WINDOW
    limiter.count("a")


async def test_the_same_id_in_two_places(ask: Client) -> None:
    """BullMQ numbers its jobs in each queue: which one is meant must be said."""
    await ask("POST", "/queue/jobs", json=JOB)
    push = {"name": "push-notification", "data": {"userId": "u", "payload": {"title": "t", "body": "b"}}}
    await ask("POST", "/queue/jobs", json=push)

    several = await ask("GET", "/queue/jobs/1")
    one = await ask("GET", "/queue/jobs/1?queue=push-notifications")
    none = await ask("GET", "/queue/jobs/1?wire=rq")

    assert (409, True) == (several.status_code, "queue=file-processing&wire=bullmq" in several.text)
    assert (200, "push-notification") == (one.status_code, one.json()["name"])
    assert 404 == none.status_code


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_is_removed(ask: Client, wire: str) -> None:
    """Once; then there is none."""
    where = (await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})).headers["location"]
    waits = await ask("POST", where.replace("?", "/retry?"))

    assert (409, "the job is waiting, not failed") == (waits.status_code, waits.json()["detail"])
    assert {"outcome": "removed"} == (await ask("DELETE", where)).json()
    assert 404 == (await ask("DELETE", where)).status_code


async def test_pause_and_resume(ask: Client) -> None:
    """One queue, or all of them."""

    async def paused() -> list[bool]:
        return [queue["paused"] for queue in (await ask("GET", "/queue/stats")).json()["queues"]]

    assert {"outcome": "paused"} == (await ask("POST", "/queue/pause?queue=file-processing")).json()
    assert [False, True] == await paused()
    await ask("POST", "/queue/pause")
    assert [True, True] == await paused()
    await ask("POST", "/queue/resume")
    assert [False, False] == await paused()
    assert 404 == (await ask("POST", "/queue/pause?queue=mail")).status_code


async def test_cleaning(ask: Client, redis_url: str) -> None:
    """It takes what is old, and says how much that was."""
    with redis.Redis.from_url(redis_url) as server:
        server.hset("bull:file-processing:old", mapping={"name": "x", "data": "{}", "finishedOn": 1, "timestamp": 1})
        server.zadd("bull:file-processing:failed", {"old": 1})

    async def clean(state: str, query: str) -> httpx.Response:
        return await ask("POST", f"/queue/clean/{state}?{query}")

    assert {"removed": 0} == (await clean("completed", "older=0")).json()
    assert {"removed": 0} == (await clean("failed", "older=0&queue=push-notifications")).json()
    assert {"removed": 1} == (await clean("failed", "older=1000")).json()
    assert [422, 404] == [(await clean("failed", query)).status_code for query in ("", "older=0&queue=mail")]


async def test_redis_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, with when to come back; the process goes on."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    [settings] = load(WorkerSettings)
    away = build(partial(wiring.admin, settings, FORMS, by="api"), [FULL], rate=5)
    async with client_of(away) as ask:
        answers = [
            await ask("GET", "/queue/stats"),
            await ask("POST", "/queue/jobs", json=JOB),
            await ask("GET", "/readyz"),
        ]
        alive = await ask("GET", "/healthz")

    assert [(503, "5")] * 3 == [(answer.status_code, answer.headers["retry-after"]) for answer in answers]
    assert 200 == alive.status_code


async def test_a_fault_of_ours_shows_nothing(ask: Client, faults: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the stack trace, the observer is told, and the client has a sentence."""
    logged: list[tuple[str, Any]] = []
    told = SimpleNamespace(error=lambda event, exc_info, **_: logged.append((event, exc_info)))
    monkeypatch.setattr(problems, "_log", told)

    async def broken(_: Admin) -> int:
        msg = "secret"
        raise LookupError(msg)

    monkeypatch.setattr(Admin, "letter_count", broken)
    answer = await ask.http.get("/queue/stats", headers={"Authorization": f"Bearer {SECRET}"})

    assert (500, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert [("api_fault", LookupError)] == [(event, type(error)) for event, error in logged]
    [fault] = faults
    assert isinstance(fault, Breakdown)
    assert ("api_fault", "LookupError") == (fault.word, fault.failure.kind)


async def test_a_hostile_letter_and_job_are_shown(ask: Client, redis_url: str) -> None:
    """What others have written into Redis breaks no answer."""
    with redis.Redis.from_url(redis_url) as server:
        server.lpush("bull:dead:wait", "odd", "odder")
        server.hset("bull:dead:odd", mapping={"name": "x", "data": "[1]", "opts": "{}", "timestamp": "1"})
        job = Lane("file-processing", connection=server, serializer="json").enqueue("x", job_id="strange")
        server.hset(f"rq:job:{job.id}", "data", b"\xff\xff")

    assert [] == (await ask("GET", "/queue/dead-letters")).json()
    assert 404 == (await ask("GET", "/queue/dead-letters/odd")).status_code
    assert "unreadable" == (await ask("GET", "/queue/jobs/strange")).json()["name"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "API_TOKENS: not set, and required"),
        (SECRET, "API_TOKENS: an entry is not of the form"),
        (f"{tokens.entry(FULL)},{tokens.entry(FULL)}", "API_TOKENS: two tokens have the same name"),
        (",", "API_TOKENS: "),
    ],
)
def test_the_settings_refuse_what_is_no_token(monkeypatch: pytest.MonkeyPatch, value: str | None, fault: str) -> None:
    """A process without tokens does not start; a token that was put there by mistake is not repeated."""
    monkeypatch.delenv("API_TOKENS", raising=False)
    if value is not None:
        monkeypatch.setenv("API_TOKENS", value)
    with pytest.raises(Exception, match=fault) as refused:
        load(ApiSettings)
    assert SECRET not in str(refused.value)


def test_tokens_are_read_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, each with what it may do."""
    monkeypatch.setenv("API_TOKENS", f"{tokens.entry(FULL)}, {tokens.entry(READ)}")
    [settings] = load(ApiSettings)

    assert (FULL, READ) == settings.api_tokens
    assert FULL == tokens.find(settings.api_tokens, SECRET)
    assert tokens.find(settings.api_tokens, SECRET[:-1]) is None
    assert SECRET not in str(settings)


PUSH = {"name": "push-notification", "data": {"userId": "u", "payload": {"title": "t", "body": "b"}}}


async def test_a_batch_is_submitted(ask: Client) -> None:
    """Each job as it would be by itself, in its own queue and on its own wire; the answer is in their order."""
    rq = {"options": {"wire": "rq"}}
    jobs = [JOB, PUSH, {**JOB, **rq}, {**PUSH, **rq}, {**JOB, "options": {"jobId": "mine", "delay": 60_000}}]

    answer = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs})

    assert 202 == answer.status_code
    accepted = answer.json()["jobs"]
    files, pushes = "file-processing", "push-notifications"
    assert [(files, "bullmq"), (pushes, "bullmq"), (files, "rq"), (pushes, "rq"), (files, "bullmq")] == [
        (job["queue"], job["wire"]) for job in accepted
    ]
    assert "mine" == accepted[-1]["id"]
    for job, sent in zip(accepted, jobs, strict=True):
        seen = (await ask("GET", f"/queue/jobs/{job['id']}?queue={job['queue']}&wire={job['wire']}")).json()
        assert (sent["name"], sent["data"]) == (seen["name"], seen["data"])


async def test_a_batch_is_enqueued_whole_or_not_at_all(ask: Client) -> None:
    """Each job that is not fit is named with its fault, and none is enqueued."""
    bad = {**JOB, "data": {**IMAGE, "filePath": "/etc/passwd", "userId": {"a": "secret"}}}
    jobs = [JOB, {**JOB, "name": "mail"}, JOB, bad]

    answer = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs})

    assert 422 == answer.status_code
    errors = answer.json()["errors"]
    assert ["body.jobs.1", "body.jobs.3"] == [error["field"] for error in errors]
    assert errors[0]["detail"].startswith("no such job: 'mail'")
    assert errors[1]["detail"].startswith("bad payload for process-image: filePath: ")
    assert answer.json()["detail"].startswith("body.jobs.1: no such job")
    assert "secret" not in answer.text
    assert {0} == {queue["counts"]["waiting"] for queue in (await ask("GET", "/queue/stats")).json()["queues"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"jobs": []}, "body.jobs"),
        ({"jobs": [JOB] * 1001}, "body.jobs"),
        ({"jobs": [JOB, {"name": "process-image"}]}, "body.jobs.1.data"),
        ({"jobs": [{**JOB, "options": {"delay": "1"}}]}, "body.jobs.0.options.delay"),
        ([JOB], "body"),
    ],
)
async def test_what_is_no_batch(ask: Client, body: Any, field: str) -> None:
    """It is said what is wrong, and where."""
    answer = await ask("POST", "/queue/jobs/batch", json=body)

    assert (422, field) == (answer.status_code, answer.json()["errors"][0]["field"])


async def test_a_thousand_faults_are_told_in_part(ask: Client) -> None:
    """The answer to a hostile batch is not longer than the batch."""
    answer = await ask("POST", "/queue/jobs/batch", json={"jobs": [{"name": "x" * 3000, "data": None}] * 1000})

    assert (422, 100) == (answer.status_code, len(answer.json()["errors"]))
    assert answer.json()["detail"].endswith("; and 997 more")
    assert len(answer.content) < 100_000


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_batch_may_be_sent_again(ask: Client, wire: str) -> None:
    """With the same key a thousand jobs are a thousand jobs; two alike in one batch are two."""
    jobs = [{**PUSH, "options": {"wire": wire}}] * 1000
    key = {"Idempotency-Key": "newsletter"}

    first = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs}, headers=key)
    again = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs}, headers=key)

    assert 1000 == len({job["id"] for job in first.json()["jobs"]})
    assert first.json() == again.json()
    assert 1000 == (await ask("GET", "/queue/stats")).json()["queues"][0]["counts"]["waiting"]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_delayed_job_is_promoted(ask: Client, wire: str) -> None:
    """Once; then it waits as the others do."""
    where = (await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire, "delay": 60_000}})).headers[
        "location"
    ]
    due = (await ask("GET", where)).json()["dueAt"]
    answers = [await ask("POST", where.replace("?", "/promote?")) for _ in range(2)]

    assert due > 1_700_000_000_000
    assert {"outcome": "promoted"} == answers[0].json()
    assert (409, "the job is waiting, not delayed") == (answers[1].status_code, answers[1].json()["detail"])
    job = (await ask("GET", where)).json()
    assert ("waiting", None) == (job["state"], job["dueAt"])


async def test_a_queue_is_drained(ask: Client) -> None:
    """Both wires of one queue, which must be named."""
    for wire in ("bullmq", "rq"):
        await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})
        await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire, "delay": 60_000}})

    assert [422, 404] == [(await ask("POST", f"/queue/drain{query}")).status_code for query in ("", "?queue=mail")]
    assert {"removed": 0} == (await ask("POST", "/queue/drain?queue=push-notifications&delayed=true")).json()
    assert {"removed": 2} == (await ask("POST", "/queue/drain?queue=file-processing")).json()
    assert {"removed": 2} == (await ask("POST", "/queue/drain?queue=file-processing&delayed=true")).json()


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_jobs_are_browsed_and_searched(ask: Client, wire: str) -> None:
    """Page after page, without payloads; a search says where to go on."""
    users = ["anna", "berta", "carla"]
    for user in users:
        body = {**JOB, "data": {**IMAGE, "userId": user}, "options": {"wire": wire}}
        await ask("POST", "/queue/jobs", json=body)
    where = f"/queue/jobs?queue=file-processing&state=waiting&wire={wire}"

    pages = [(await ask("GET", f"{where}&start={start}&count=2")).json() for start in (0, 2)]
    found = (await ask("GET", f"{where}&text=BERTA")).json()

    assert [(2, 3, 2), (1, 3, None)] == [(len(page["jobs"]), page["total"], page["resume"]) for page in pages]
    assert not {"data", "stack", "log", "result"} & set(pages[0]["jobs"][0])
    assert (1, None, None) == (len(found["jobs"]), found["total"], found["resume"])
    assert pages[0]["jobs"][1]["id"] == found["jobs"][0]["id"]
    assert 422 == (await ask("GET", where.replace("waiting", "lost"))).status_code
    assert 422 == (await ask("GET", where.replace("file-processing", "mail"))).status_code


async def test_failed_jobs_are_retried_by_a_filter(ask: Client, redis_url: str) -> None:
    """Those to which all that was asked for applies."""
    failed_at = round(time.time() * 1000) - 10_000
    with redis.Redis.from_url(redis_url) as server:
        for number in range(5):
            fields = {"name": "x", "data": "{}", "opts": "{}", "timestamp": 1, "finishedOn": failed_at, "atm": 2}
            fields["failedReason"] = f"fault {number}"
            server.hset(f"bull:file-processing:{number}", mapping=fields)
            server.zadd("bull:file-processing:failed", {str(number): failed_at})

    async def retried(query: str) -> tuple[int, int]:
        answer = (await ask("POST", f"/queue/retry/failed?{query}")).json()
        return answer["matched"], answer["retried"]

    assert (0, 0) == await retried("queue=push-notifications")
    assert (0, 0) == await retried("wire=rq")
    assert (0, 0) == await retried("older=60000")
    assert (1, 1) == await retried("text=FAULT%203&name=x&newer=60000&queue=file-processing")
    assert (2, 2) == await retried("limit=2")
    assert (2, 2) == await retried("")
    assert 404 == (await ask("POST", "/queue/retry/failed?queue=mail")).status_code


async def test_workers_and_history(ask: Client, redis_url: str) -> None:
    """Who works, on what, and what all of them have done of late; times in milliseconds."""
    pulse = Pulse()
    pulse(JobStarted(make_job(queue="file-processing", waited=0.5)))
    pulse(JobSettled(make_job(queue="file-processing", id="2"), Done(None), 2.0))
    async with redis_mill(redis_url, "bullmq") as mill:
        me = WorkerView(name="a", host="dyno", pid=4, started_at=1.5, queues=("file-processing",), wires=(Wire.RQ,))
        await Reporter(me, pulse, mill.pulses, lambda: 5).send()

    [worker] = (await ask("GET", "/queue/workers", secret=READ_SECRET)).json()
    history = (await ask("GET", "/queue/history?queue=file-processing&minutes=3", secret=READ_SECRET)).json()

    assert ("a", "dyno", 4, 1500, 5, ["rq"]) == (
        *(worker["name"], worker["host"], worker["pid"]),
        *(worker["startedAt"], worker["memory"], worker["wires"]),
    )
    assert [("file-processing", "1", 1)] == [(job["queue"], job["id"], job["attempt"]) for job in worker["running"]]
    assert worker["seenAt"] > 1_700_000_000_000 < worker["running"][0]["since"]
    assert ("file-processing", 3) == (history["queue"], len(history["minutes"]))
    [minute] = [minute for minute in history["minutes"] if minute["done"]]
    assert 1400 < minute["runP50"] <= minute["runP95"] < 2900
    assert 350 < minute["waitP50"] < 750
    assert [404, 422] == [
        (await ask("GET", f"/queue/history?{query}")).status_code for query in ("queue=mail", "queue=x&minutes=0")
    ]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_numbers_that_are_none(ask: Client, redis_url: str, wire: str) -> None:
    """Whatever others have written as a time, a priority, a result or a payload, the job is shown."""
    odd = {
        *("processedOn", "finishedOn", "timestamp", "delay", "priority", "atm", "ats", "parentKey", "pb"),
        *("started_at", "ended_at", "worker_name", "retries_left", "dependency_ids", "due_at", "promoted_at"),
    }
    where = (await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})).headers["location"]
    job_id = where.split("?")[0].rsplit("/", 1)[-1]
    key = f"rq:job:{job_id}" if wire == "rq" else f"bull:file-processing:{job_id}"
    listed = f"/queue/jobs?queue=file-processing&wire={wire}&state=waiting"
    with redis.Redis.from_url(redis_url) as server:
        server.xadd(f"rq:results:{job_id}", {"type": "2", "exc_string": "AAAA"})
        for name in sorted(odd):
            for value in ("9" * 400, "NaN", "x:y"):
                before = server.hget(key, name)
                server.hset(key, name, value)
                assert 200 == (await ask("GET", where)).status_code, (name, value)
                server.hdel(key, name) if before is None else server.hset(key, name, before)
        for name in ("data", "progress", "returnvalue", "meta", "stacktrace", "opts"):
            for value in ("[1e999]", '{"progress": NaN, "log": 7}', '["\\ud800"]', '{"attempts": 1e999, "delay": NaN}'):
                server.hset(key, name, value)
                assert 200 == (await ask("GET", where)).status_code, (name, value)
    assert 200 == (await ask("GET", listed)).status_code
