"""Submitting a job: the answer says where it is, or what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_client import IMAGE, JOB, READ_SECRET, Client


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


async def test_the_name_may_be_called_type(ask: Client) -> None:
    """As in the app's own API. The name chooses the queue, and BullMQ's priority number is not changed."""
    body = {"type": "process-image", "data": IMAGE, "options": {"priority": 10}}
    answer = await ask("POST", "/queue/jobs", json=body)

    job = (await ask("GET", answer.headers["location"])).json()
    assert (202, "file-processing") == (answer.status_code, answer.json()["queue"])
    assert ("process-image", 10, "waiting") == (job["name"], job["priority"], job["state"])


async def test_rq_has_lanes_for_priorities(ask: Client) -> None:
    """A job is added to the lane that its priority names, and found there."""
    lanes = []
    for priority in ("high", "low", None):
        answer = await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": "rq", "priority": priority}})
        lanes.append((await ask("GET", answer.headers["location"])).json()["priority"])

    assert ["file-processing-high", "file-processing-low", "file-processing"] == lanes


async def test_submitting_again_adds_no_second_job(ask: Client) -> None:
    """A client that got no answer may send the same again."""
    key = {"Idempotency-Key": "upload 17"}
    ids = {(await ask("POST", "/queue/jobs", json=JOB, headers=key)).json()["id"] for _ in range(3)}
    other = (await ask("POST", "/queue/jobs", json=JOB, headers={"Idempotency-Key": "18"})).json()["id"]

    assert 1 == len(ids)
    assert other not in ids
    stats = (await ask("GET", "/queue/stats")).json()
    assert 2 == next(each for each in stats["queues"] if each["queue"] == "file-processing")["counts"]["waiting"]
    assert 2 == stats["waiting"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({**JOB, "name": "mail"}, "no such job: 'mail'; there are "),
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
        ({**JOB, "options": {"jobId": "wait"}}, "a job's id has letters"),
        ({**JOB, "options": {"priority": -1}}, "body.options.priority.number: "),
        ({**JOB, "options": {"priority": "urgent"}}, "body.options.priority.text: Input should be 'high' or 'low'"),
        ({**JOB, "options": {"removeOnComplete": {"limit": 3}}}, "body.options.removeOnComplete.object.limit: Extra"),
        ({**JOB, "options": {"removeOnFail": {}}}, "body.options.removeOnFail.object: Value error, age or count is"),
        ({**JOB, "options": {"backoff": {"type": "custom"}}}, "body.options.backoff.object.type: Input should be 'fix"),
        ({**JOB, "options": {"backoff": "1s"}}, "body.options.backoff: Input should be a number or an object"),
        ({**JOB, "options": {"deduplication": {"ttl": 1}}}, "body.options.deduplication.id: Field required"),
        ({**JOB, "options": {"repeat": {"every": 5}}}, "body.options.repeat: Extra inputs are not permitted"),
        ({**JOB, "options": {"job_id": "a"}}, "body.options.job_id: "),
        ({**JOB, "options": {"priority": "high"}}, "priority: BullMQ takes a number; high is a lane of RQ"),
        ({**JOB, "options": {"lifo": True, "priority": 3}}, "lifo: BullMQ ignores it for a job with a delay or a"),
        ({**JOB, "options": {"wire": "rq", "priority": 3}}, "priority: RQ has no numbers; say high or low"),
        ({**JOB, "options": {"wire": "rq", "removeOnFail": 3}}, "removeOnFail: RQ keeps a job for a time"),
        ({**JOB, "options": {"wire": "rq", "deduplication": {"id": "a"}}}, "deduplication: RQ has none"),
        ({**JOB, "type": "process-image"}, "body.type: Extra inputs are not permitted"),
        ({**JOB, "queue": "file-processing"}, "body.queue: "),
        ([], "body: "),
    ],
)
async def test_a_bad_submission_names_the_field(ask: Client, body: Any, detail: str) -> None:
    """And shows no value."""
    answer = await ask("POST", "/queue/jobs", json=body)

    assert 422 == answer.status_code
    assert answer.json()["detail"].startswith(detail)
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("POST", "/queue/pause?queu=file-processing", "query.queu: not known; known are: queue"),
        (
            "POST",
            "/queue/clean/failed?older=0&Queue=file-processing",
            "query.Queue: not known; known are: limit, older, queue",
        ),
        ("POST", "/queue/jobs?wire=rq", "query.wire: not known; known are: none"),
        ("GET", "/queue/stats?queue=file-processing", "query.queue: not known"),
        ("GET", "/queue/jobs/1?wait=0&wait=25", "query.wait: given more than once"),
        ("DELETE", "/queue/dead-letters/1?wire=rq", "query.wire: not known"),
    ],
)
async def test_a_query_that_is_not_understood_is_refused(ask: Client, method: str, path: str, detail: str) -> None:
    """A misspelt parameter does nothing; earlier versions did the action to all queues."""
    answer = await ask(method, path)

    assert (422, True) == (answer.status_code, answer.json()["detail"].startswith(detail)), answer.text
    assert not any(queue["paused"] for queue in (await ask("GET", "/queue/stats")).json()["queues"])


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"name": "\\ud800", "data": 1}', b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused(ask: Client, content: bytes) -> None:
    """As the client's fault."""
    answer = await ask("POST", "/queue/jobs", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}


@pytest.mark.parametrize("odd", ['"\\ud800"', "NaN", "1e999", "[" * 900 + "]" * 900])
@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_json_that_others_can_not_read_is_refused(ask: Client, wire: str, odd: str) -> None:
    """JSON that only Python accepts is the client's fault, not the server's."""
    data = '{"fileId": "a", "filePath": "b", "userId": 1, "x": %s}' % odd  # noqa: UP031 -- braces
    text = '{"name": "process-image", "options": {"wire": "%s"}, "data": %s}'
    answer = await ask("POST", "/queue/jobs", content=text % (wire, data), headers={"Content-Type": "application/json"})

    assert answer.status_code in ({202, 400, 422} if odd[0] == "[" else {422})
