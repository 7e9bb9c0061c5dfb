"""A system of job classes with a static `dispatch()`, a queue's name in each class, and one dashboard over all queues.

The class becomes Python; whoever adds the job may stay in TypeScript.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.reference import jobs
from tests.reference.jobs import SendWelcomeEmail
from tests.support.api_client import SECRET
from tests.support.polling import until

if TYPE_CHECKING:
    import httpx

    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"QUEUES": "default,emails"}
APP = {
    "src/queue/queues.ts": """
import { Queue } from "bullmq";
import { connection } from "@/lib/connection";

export const queues = {
  default: new Queue('default', { connection }),
  emails: new Queue('emails', { connection }),
}

export type QueueName = keyof typeof queues
""",
    "src/queue/job.ts": """
import { queues, type QueueName } from "./queues";

// What such a base class does in `dispatch`: the class's name is the job's.
export abstract class Job<Payload extends object> {
  static queueName: QueueName = "default";

  static dispatch<Payload extends object>(this: typeof Job<Payload>, payload: Payload) {
    return queues[this.queueName].add(this.name, payload);
  }
}
""",
    "src/jobs/send-welcome-email.ts": """
import { Job } from "../queue/job";

export class SendWelcomeEmail extends Job<{ userId: string }> {
  static queueName = 'emails' as const
}
""",
}
PAGES = ("waiting", "active", "completed", "failed")


async def test_a_class_is_dispatched_from_python(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SendWelcomeEmail.dispatch({ userId: user.id })` is the same call in Python, and `static queueName` is `queue`.

    `name` is said in the class, and is not the class's own: renaming a class must not lose the jobs that wait.
    """
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{team.app.env['REDIS_PORT']}")
    job_id = await SendWelcomeEmail.dispatch({"userId": "user-1"})
    await team.worker.logged("job_done", id=job_id, queue="emails")

    logs = team.redis.lrange(f"bull:emails:{job_id}:logs", 0, -1)
    assert ["Sending welcome email to user user-1"] == logs


async def test_a_class_is_dispatched_from_typescript(team: Team) -> None:
    """The app's own classes go on adding jobs; their `handle` is in the worker."""
    lines = await team.node("""
import { SendWelcomeEmail } from "@/src/jobs/send-welcome-email";
import { queues } from "@/src/queue/queues";
import { finished } from "@/lib/finished";

const user = { id: "user-2" };
const job = await SendWelcomeEmail.dispatch({ userId: user.id });
await finished(job);
export default (await queues.emails.getJobLogs(job.id!)).logs;
""")
    assert ["Sending welcome email to user user-2"] == lines


async def test_the_queues_and_their_concurrency(team: Team) -> None:
    """Two queues with two jobs at once each, in one tuple; the worker serves them all."""
    [serving] = team.worker.lines("serving")

    assert {"default", "emails"} == set(serving["queues"])
    assert [("default", 2), ("emails", 2)] == [
        (row.name, row.concurrency) for row in jobs.QUEUES if row.name in serving["queues"]
    ]


async def test_jobs_are_registered_in_one_place(team: Team) -> None:
    """`JOBS` is the map of handlers: a job that is not in it fails at once, and says what there is."""
    job_id = await team.node("""
import { queues } from "@/src/queue/queues";

export default (await queues.emails.add("SendGoodbyeEmail", { userId: "user-1" })).id;
""")
    assert SendWelcomeEmail in jobs.JOBS
    assert (
        "unknown job name 'SendGoodbyeEmail' in queue emails; it takes SendWelcomeEmail"
        == ((await team.letter("emails", job_id))["reason"])
    )


async def test_a_job_is_retried_by_itself(team: Team) -> None:
    """A job that raises is tried again, with a backoff of its class."""
    result = await team.node("""
import { queues } from "@/src/queue/queues";
import { finished } from "@/lib/finished";

export default await finished(await queues.default.add("Tidy", { userId: "user-1" }));
""")
    assert {"attempt": 2} == result


async def test_the_dashboard(team: Team, http: httpx.AsyncClient) -> None:
    """At /admin/queues: the jobs by state with their payloads, retry and clean; only for those who sign in."""
    failed = await team.node("""
import { queues } from "@/src/queue/queues";

export default (await queues.emails.add("SendWelcomeEmail", { user: "user-1" })).id;
""")
    letter = await team.letter("emails", failed)
    http.headers.pop("Authorization")
    stranger = await http.get("/admin/queues/")
    login = await http.get("/admin/queues/login")
    await sent(http, "/login", token=SECRET, csrf=csrf(login.text))
    overview = await http.get("/admin/queues/")
    forms = csrf(overview.text)
    lists = {state: await http.get("/admin/queues/queue/emails", params={"state": state}) for state in PAGES}
    of_job = f"?queue=emails&wire=bullmq&id={failed}"
    job = await http.get(f"/admin/queues/job{of_job}")
    await sent(http, f"/job/retry{of_job}", csrf=forms)
    again = await until(lambda: [each for each in team.letters() if each["id"] == failed and each != letter])
    await sent(http, f"/queue/emails/clean?state=failed&seen={time.time()}", csrf=forms, older="0")
    await until(lambda: not team.redis.exists(f"bull:emails:{failed}"))

    assert (303, 200) == (stranger.status_code, overview.status_code)
    assert ">emails<" in overview.text
    assert {200} == {answer.status_code for answer in lists.values()}
    assert failed in lists["failed"].text
    assert "user-1" in job.text
    assert letter["reason"] == again[0]["reason"]


async def sent(http: httpx.AsyncClient, path: str, **form: str) -> None:
    """Send a form of the dashboard, as a browser does."""
    answer = await http.post(f"/admin/queues{path}", data=form, headers={"Origin": str(http.base_url).rstrip("/")})
    assert answer.status_code == 303, answer.text


def csrf(page: str) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]
