"""Submitted jobs: found, browsed, promoted and removed."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from redis import Redis

from tests.support.api_client import IMAGE, JOB, SECRET, Client

AUTHORIZATION = {"Authorization": f"Bearer {SECRET}"}


async def test_an_id_in_two_queues_needs_the_queue(ask: Client) -> None:
    """BullMQ numbers its jobs in each queue, so the client must name the queue."""
    await ask("POST", "/queue/jobs", json=JOB)
    push = {"name": "push-notification", "data": {"userId": "u", "payload": {"title": "t", "body": "b"}}}
    await ask("POST", "/queue/jobs", json=push)

    several = await ask("GET", "/queue/jobs/1")
    one = await ask("GET", "/queue/jobs/1?queue=push-notifications")
    none = await ask("GET", "/queue/jobs/1?wire=rq")

    assert (409, True) == (several.status_code, "queue=file-processing&wire=bullmq" in several.text)
    assert (200, "push-notification") == (one.status_code, one.json()["name"])
    assert 404 == none.status_code


@pytest.mark.parametrize("job_id", ["a/b", "a%2Fb", "a/b/retry", "/", "a b/ü?"])
async def test_an_id_may_have_a_slash(ask: Client, redis_url: str, job_id: str) -> None:
    """Apps with bullmq give any ids to their jobs: in the path they are encoded whole."""
    with Redis.from_url(redis_url) as server:
        server.hset(f"bull:file-processing:{job_id}", mapping={"name": "process-image", "data": "{}", "timestamp": "1"})
        server.zadd("bull:file-processing:delayed", {job_id: 2**52})
    path = f"http://api/queue/jobs/{quote(job_id, safe='')}"

    seen = await ask.http.get(path, headers=AUTHORIZATION)
    wrong = await ask.http.put(path, headers=AUTHORIZATION)
    promoted = await ask.http.post(f"{path}/promote", headers=AUTHORIZATION)
    removed = await ask.http.delete(path, headers=AUTHORIZATION)

    assert (200, job_id) == (seen.status_code, seen.json().get("id"))
    assert (405, "GET, DELETE") == (wrong.status_code, wrong.headers["allow"])
    assert [{"outcome": "promoted"}, {"outcome": "removed"}] == [promoted.json(), removed.json()]


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
    assert 404 == (await ask("GET", where.replace("file-processing", "mail"))).status_code


async def test_a_page_of_ids_without_a_job_is_not_the_last(ask: Client, redis_url: str) -> None:
    """RQ keeps ids longer than jobs: `resume` leads past them."""
    with Redis.from_url(redis_url) as server:
        server.rpush("rq:queue:file-processing", "gone-1", "gone-2")
    body = {**JOB, "data": {**IMAGE, "userId": "anna"}, "options": {"wire": "rq"}}
    job_id = (await ask("POST", "/queue/jobs", json=body)).json()["id"]
    where = "/queue/jobs?queue=file-processing&state=waiting&wire=rq&count=2"
    pages = [(await ask("GET", f"{where}&start={start}")).json() for start in (0, 2)]
    assert [([], 2), ([job_id], None)] == [([job["id"] for job in page["jobs"]], page["resume"]) for page in pages]


async def test_both_wires_are_one_list(ask: Client) -> None:
    """Without a wire: by time, each page behind a place in both. What is no place is a 422."""
    ids = []
    for wire in ("bullmq", "rq", "bullmq", "rq", "rq"):
        body = {**JOB, "data": {**IMAGE, "userId": f"of-{wire}"}, "options": {"wire": wire}}
        ids.append((await ask("POST", "/queue/jobs", json=body)).json()["id"])
    where = {"queue": "file-processing", "state": "waiting"}
    pages = [(await ask("GET", "/queue/jobs", params={**where, "count": 2})).json()]
    while (after := pages[-1]["next"]) and len(pages) < 9:
        pages.append((await ask("GET", "/queue/jobs", params={**where, "count": 2, "after": after})).json())
    found = (await ask("GET", "/queue/jobs", params={**where, "text": "OF-RQ"})).json()

    assert [2, 2, 1] == [len(page["jobs"]) for page in pages]
    assert sorted(ids) == sorted(job["id"] for page in pages for job in page["jobs"])
    assert {(5, None)} == {(page["total"], page["resume"]) for page in pages}
    assert (3, {"rq"}, None) == (len(found["jobs"]), {job["wire"] for job in found["jobs"]}, found["next"])
    for odd in ({"after": "x"}, {"start": 1}, {"wire": "rq", "after": pages[0]["next"]}, {"after": "[1]" * 4000}):
        assert 422 == (await ask("GET", "/queue/jobs", params={**where, **odd})).status_code


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_delayed_job_is_promoted(ask: Client, wire: str) -> None:
    """Once; then it waits like the others."""
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


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_is_removed(ask: Client, wire: str) -> None:
    """Once; a second time it is unknown."""
    where = (await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})).headers["location"]
    waits = await ask("POST", where.replace("?", "/retry?"))

    assert (409, "the job is waiting, not failed") == (waits.status_code, waits.json()["detail"])
    assert {"outcome": "removed"} == (await ask("DELETE", where)).json()
    assert 404 == (await ask("DELETE", where)).status_code
