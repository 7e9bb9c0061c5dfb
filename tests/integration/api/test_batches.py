"""Many jobs in one request: each as if sent alone, and all or none of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_client import IMAGE, JOB, PUSH, Client


async def test_a_batch_is_submitted(ask: Client) -> None:
    """Each job as if sent alone, in its own queue and on its own wire; the answer keeps their order."""
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
    """Each bad job is named with its fault, and no job is enqueued."""
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
        ({"jobs": [JOB, {**JOB, "options": {"parent": 1}}]}, "body.jobs.1.options.parent"),
        ({"jobs": [JOB, {**JOB, "options": {"wire": "rq", "priority": 1}}]}, "body.jobs.1"),
        ({"jobs": [JOB], "wire": "rq"}, "body.wire"),
        ([JOB], "body"),
    ],
)
async def test_a_malformed_batch_is_refused(ask: Client, body: Any, field: str) -> None:
    """The answer says what is wrong, and where."""
    answer = await ask("POST", "/queue/jobs/batch", json=body)

    assert (422, field) == (answer.status_code, answer.json()["errors"][0]["field"])


async def test_a_thousand_faults_are_listed_in_part(ask: Client) -> None:
    """The answer to a hostile batch is not longer than the batch."""
    answer = await ask("POST", "/queue/jobs/batch", json={"jobs": [{"name": "x" * 3000, "data": None}] * 1000})

    assert (422, 100) == (answer.status_code, len(answer.json()["errors"]))
    assert answer.json()["detail"].endswith("; and 997 more")
    assert len(answer.content) < 100_000


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_batch_may_be_sent_again(ask: Client, wire: str) -> None:
    """With the same key a thousand jobs stay a thousand jobs; two equal jobs in one batch are two."""
    jobs = [{**PUSH, "options": {"wire": wire}}] * 1000
    key = {"Idempotency-Key": "newsletter"}

    first = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs}, headers=key)
    again = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs}, headers=key)

    assert 1000 == len({job["id"] for job in first.json()["jobs"]})
    assert first.json() == again.json()
    assert 1000 == (await ask("GET", "/queue/stats")).json()["queues"][0]["counts"]["waiting"]
