"""The API over both wires on a real Redis. Each answer must be one that the OpenAPI document tells of."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
from fastapi.routing import APIRoute
from rq import Queue as Lane

from processors.forms import FORMS
from queue_lib import wiring
from queue_lib.admin import Admin
from queue_lib.api import tokens
from queue_lib.api.app import build
from queue_lib.api.guard import MAX_BODY, WINDOW, Limiter
from queue_lib.api.settings import ApiSettings
from queue_lib.settings import WorkerSettings, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

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
            assert {"title", "status", "detail"} == set(answer.json())
            assert "Traceback" not in answer.text
        return answer


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[Client]:
    """A client of a running application."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield Client(app, http)


@pytest.fixture
def app(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The application on the shared Redis, which is empty."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    [settings] = load(WorkerSettings)
    return build(partial(wiring.admin, settings, FORMS, by="api"), [FULL, READ], rate=5)


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


async def test_submissions_are_limited(ask: Client) -> None:
    """For each token; the answer says when to come back."""
    answers = [await ask("POST", "/queue/jobs", json=JOB) for _ in range(6)]

    assert [202] * 5 + [429] == [answer.status_code for answer in answers]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= WINDOW
    assert 200 == (await ask("GET", "/queue/stats")).status_code


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


async def test_a_fault_of_ours_shows_nothing(ask: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the stack trace, and the client a sentence."""

    async def broken(_: Admin) -> int:
        msg = "secret"
        raise LookupError(msg)

    monkeypatch.setattr(Admin, "letter_count", broken)
    answer = await ask.http.get("/queue/stats", headers={"Authorization": f"Bearer {SECRET}"})

    assert (500, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


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
