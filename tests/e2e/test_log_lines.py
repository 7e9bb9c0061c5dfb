"""The log of a worker at work: one JSON line a job, and no secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.push_service import Answer, PushService
from tests.support.redis_server import RedisServer
from tests.support.wires import Mess

if TYPE_CHECKING:
    from tests.support.app import App

PASSWORD = "hunter2-correct-horse"
TITLE, BODY = "It is a girl", "Do not tell anybody"
PUSH = {"userId": "user-1", "payload": {"title": TITLE, "body": BODY, "secretField": "s3cr3t-value"}}


async def test_a_line_a_job_and_no_secrets(app: App, push_service: PushService) -> None:
    """Every job is one line, however it ended. No line has a key, password, endpoint or payload."""
    with RedisServer(password=PASSWORD) as server:
        async with Mess.at(server.url, app.folder) as mess, app.worker(REDIS_URL=server.url) as worker:
            rows = [push_service.subscribe() for _ in range(3)]
            for row in rows:
                app.subscribe(row)
            # What push services say may hold the endpoint: here of a device that fails and of one that is gone.
            push_service.answer(rows[1], Answer(500, body=f"no route to {rows[1].endpoint}".encode()))
            push_service.answer(rows[2], Answer(410, body=rows[2].endpoint.encode()))

            done, dead = await _enqueue(app, mess)
            await worker.logged("job_done", len(done))
            await worker.logged("job_dead", len(dead))
            assert 0 == (await worker.terminate(5.0))[0]

    assert sorted(done) == sorted(line["id"] for line in worker.lines("job_done"))
    assert sorted(dead) == sorted(line["id"] for line in worker.lines("job_dead"))
    fields = {"queue", "wire", "id", "name", "attempt", "seconds", "outcome", "event", "level", "timestamp"}
    counted = {"push_deliveries", "push_pruned", "media_bytes"}
    assert all(fields == line.keys() - {"reason", *counted} for line in worker.log if line["event"].startswith("job_"))
    assert counted == {name for line in worker.lines("job_done") for name in line} & counted
    assert all(line["reason"] for line in worker.lines("job_dead"))

    secrets = [PASSWORD, app.env["VAPID_PRIVATE_KEY"], TITLE, BODY, "s3cr3t-value"]
    secrets += [part for row in rows for part in (row.endpoint.rsplit("/", 1)[1], row.p256dh, row.auth)]
    assert [] == [secret for secret in secrets if secret in worker.stdout]
    assert not worker.stderr


async def _enqueue(app: App, mess: Mess) -> tuple[list[str], list[str]]:
    """Jobs of both wires that end well, and jobs that fail for good; returns their ids."""
    image = {"fileId": "f1", "filePath": app.upload("f1"), "userId": 1}
    nothing = {"fileId": "f1", "filePath": "uploads/none.png", "userId": 1}
    bad = {"userId": [BODY], "payload": {"title": TITLE, "body": {"text": BODY}}}
    pushes, files = {"queue": "push-notifications"}, {"queue": "file-processing"}
    # RQ ends a job with `result_ttl=0` in a way of its own.
    done: list[str] = mess.rq("push-notification", PUSH, result_ttl=0)
    dead: list[str] = []
    for name, task, where, ids in (
        ("push-notification", PUSH, pushes, done),
        ("process-image", image, files, done),
        ("push-notification", bad, pushes, dead),
        ("process-image", nothing, files, dead),
        ("no-such-job", PUSH, pushes, dead),
    ):
        ids += [*await mess.bullmq(name, task, **where), *mess.rq(name, task, **where)]
    return done, dead
