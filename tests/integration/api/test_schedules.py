"""Schedules over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from tests.support.api_client import IMAGE, READ_SECRET, Client

if TYPE_CHECKING:
    import httpx

NIGHTLY = {"name": "process-image", "data": IMAGE, "cron": "0 3 * * *", "tz": "Europe/Berlin"}


async def test_a_schedule_s_life(ask: Client) -> None:
    """Put, listed, looked at, run now, paused, resumed and removed; each change is a line in the log."""
    with structlog.testing.capture_logs() as lines:
        put = await ask("PUT", "/queue/schedules/nightly", json=NIGHTLY)
        page = (await ask("GET", "/queue/schedules", secret=READ_SECRET)).json()
        added = (await ask("POST", "/queue/schedules/nightly/run")).json()
        paused = await ask("POST", "/queue/schedules/nightly/pause?queue=file-processing")
        while_paused = (await ask("GET", "/queue/schedules/nightly")).json()
        resumed = [await ask("POST", "/queue/schedules/nightly/resume") for _ in range(2)]
        removed = [await ask("DELETE", "/queue/schedules/nightly") for _ in range(2)]

    assert {"id": "nightly", "queue": "file-processing"} == put.json()
    [found] = page["schedules"]
    assert {**NIGHTLY, "every": None, "paused": False, "owner": None, "last": None}.items() <= found.items()
    assert (1, None, 5) == (page["total"], page["resume"], len(found["next"]))
    job = (await ask("GET", f"/queue/jobs/{added['id']}?queue={added['queue']}&wire=bullmq")).json()
    assert ("waiting", IMAGE) == (job["state"], job["data"])
    assert ({"outcome": "paused"}, True, []) == (paused.json(), while_paused["paused"], while_paused["next"])
    assert [200, 409] == [answer.status_code for answer in resumed]
    assert [200, 404] == [answer.status_code for answer in removed]
    events = ["schedule_set", "schedule_run", "schedule_paused", "schedule_resumed", "schedule_deleted"]
    assert [(event, "app") for event in events] == [(line["event"], line["by"]) for line in lines]


async def test_what_is_refused(ask: Client) -> None:
    """With the reason. A token that may only read changes nothing."""

    async def put(schedule: str = "a", secret: str = "", **changes: Any) -> httpx.Response:
        options = {"secret": secret} if secret else {}
        return await ask("PUT", f"/queue/schedules/{schedule}", json={**NIGHTLY, **changes}, **options)

    reasons = {
        "bad payload for process-image: fileId": await put(data={}),
        "no such job": await put(name="none"),
        "needs either cron or every": await put(every=60_000),
        "25 is no hour": await put(cron="0 25 * * *"),
        "body.every": await put(cron=None, every=999),
        "body.repeat": await put(repeat=1),
        "ids that begin with pushmill:": await put("pushmill:a"),
    }
    assert {422} == {answer.status_code for answer in reasons.values()}
    assert [] == [(reason, answer.text) for reason, answer in reasons.items() if reason not in answer.json()["detail"]]
    assert 403 == (await put(secret=READ_SECRET)).status_code
    assert 404 == (await ask("GET", "/queue/schedules/a")).status_code
    assert 404 == (await ask("GET", "/queue/schedules?queue=mail")).status_code
