"""A system with a queue for each kind of work (mails, search, pushes) and one for what failed.

The API adds jobs with attempts, backoff and priority; workers of their own take them; operators drain the dead queue.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.polling import until

if TYPE_CHECKING:
    import httpx

    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"QUEUES": "email,search,push-notifications,notification", "OUTBOX_TABLE": "Outbox"}
APP = {
    "src/queues/queues.module.ts": """
import { Queue } from "bullmq";
import { connection } from "@/lib/connection";

export const EMAIL_QUEUE = new Queue("email", { connection });
export const SEARCH_QUEUE = new Queue("search", { connection });
export const NOTIFICATION_QUEUE = new Queue("notification", { connection });
export const DEAD_QUEUE = new Queue("dead", { connection });
"""
}


async def test_a_password_reset_comes_before_other_mails(team: Team) -> None:
    """Priority 1 runs before 5, though it was added later; both have the attempts of their producer."""
    reset, generic = await team.node("""
import { EMAIL_QUEUE } from "@/src/queues/queues.module";
import { finished } from "@/lib/finished";

await EMAIL_QUEUE.pause();
const generic = await EMAIL_QUEUE.add(
  "generic",
  { to: "grace@example.com", subject: "News", html: "<p>Hello</p>" },
  { priority: 5, attempts: 3, backoff: { type: "exponential", delay: 5000 } },
);
const reset = await EMAIL_QUEUE.add(
  "password_reset",
  { to: "ada@example.com", subject: "Reset your password", html: "<a href='https://app.example/r/1'>Reset</a>" },
  { priority: 1, attempts: 5, backoff: { type: "exponential", delay: 5000 } },
);
const order = (await EMAIL_QUEUE.getPrioritized()).map((job) => job.name);
await EMAIL_QUEUE.resume();
await Promise.all([finished(reset), finished(generic)]);
const ran = await Promise.all([reset, generic].map((job) => EMAIL_QUEUE.getJob(job.id!)));
export default ran.map((job) => ({ order, opts: job!.opts, at: job!.processedOn }));
""")
    assert ["password_reset", "generic"] == reset["order"]
    assert reset["at"] <= generic["at"]
    assert (5, 3) == (reset["opts"]["attempts"], generic["opts"]["attempts"])
    assert "Reset your password" == (await team.mail_to("ada@example.com"))["Subject"]
    assert "News" == (await team.mail_to("grace@example.com"))["Subject"]


async def test_a_row_of_the_outbox_is_heard_and_indexed(team: Team) -> None:
    """From the outbox to Redis's channels `epop.*`, which a gateway hears, and by a bridge to the index."""
    await team.node("""
import { once } from "node:events";
import { Redis } from "ioredis";

globalThis.gateway = new Redis(process.env.REDIS_URL!);
await gateway.psubscribe("epop.*");
globalThis.heard = once(gateway, "pmessage");
""")
    team.app.sql("INSERT INTO \"Post\" VALUES ('p0', 'Zeroth')")
    row = ("post.created", "post", "p0", "{}")
    team.app.sql('INSERT INTO "Outbox" ("topic", "aggregateType", "aggregateId", "payload") VALUES (?, ?, ?, ?)', *row)
    _, channel, message = await team.node("""
export default await heard;
await gateway.quit();
""")

    assert "epop.post.created" == channel
    assert ("epop.post.created", "p0") == tuple(json.loads(message)[key] for key in ("topic", "aggregateId"))
    await until(lambda: {"title": "Zeroth"} == team.search.indexes.documents("post").get("p0"))


@pytest.mark.matrix
async def test_an_event_that_is_only_published_becomes_a_document(team: Team) -> None:
    """A worker with `BRIDGE_SUBSCRIBE`, for an app without an outbox, hears the events on `epop.*`."""
    team.app.sql("INSERT INTO \"Post\" VALUES ('p1', 'First')")
    async with team.app.worker(OUTBOX_TABLE="", BRIDGE_SUBSCRIBE="epop.*"):
        heard = await team.node(PUBLISH)
        assert heard == 1
        await until(lambda: {"title": "First"} == team.search.indexes.documents("post").get("p1"))


PUBLISH = """
import { Redis } from "ioredis";

const redis = new Redis(process.env.REDIS_URL!);
const event = JSON.stringify({ topic: "epop.post.created", aggregateType: "post", aggregateId: "p1", payload: {} });
let heard = 0;
while (!(heard = await redis.publish("epop.post.created", event))) await new Promise((next) => setTimeout(next, 50));
export default heard;
"""


async def test_a_document_is_indexed(team: Team) -> None:
    """The subscriber adds `index_doc` with its own attempts and backoff."""
    team.app.sql("INSERT INTO \"Post\" VALUES ('p2', 'Second')")
    result = await team.node("""
import { SEARCH_QUEUE } from "@/src/queues/queues.module";
import { finished } from "@/lib/finished";

const opts = { attempts: 5, backoff: { type: "exponential", delay: 2000 } };
export default await finished(await SEARCH_QUEUE.add("index_doc", { entity: "Post", id: "p2" }, opts));
""")
    assert {"index": "post", "id": "p2", "result": "indexed"}.items() <= result.items()
    assert {"title": "Second"} == team.search.indexes.documents("post")["p2"]


async def test_a_backfill(team: Team) -> None:
    """A job of the service, with a fixed backoff."""
    team.app.sql("INSERT INTO \"Post\" VALUES ('p3', 'Third')")
    result = await team.node("""
import { SEARCH_QUEUE } from "@/src/queues/queues.module";
import { finished } from "@/lib/finished";

const opts = { attempts: 3, backoff: { type: "fixed", delay: 30_000 } };
export default await finished(await SEARCH_QUEUE.add("backfill", { entity: "Post" }, opts));
""")
    assert (result["failed"], result["indexed"]) == (0, len(team.app.sql('SELECT * FROM "Post"')))
    assert "p3" in team.search.indexes.documents("post")


async def test_an_admin_asks_for_a_backfill(team: Team, http: httpx.AsyncClient) -> None:
    """`PUT /search/index/:entity` enqueues it and answers at once; the answer has the job's id besides."""
    answer = await http.put("/search/index/Post")

    assert {"enqueued": True}.items() <= answer.json().items()
    await team.worker.logged("job_done", id=answer.json()["id"])


async def test_a_push_of_an_urgent_message(team: Team) -> None:
    """Its queue is `push-notifications`, and the job `push-notification`.

    The names differ from `notification` and `push`: here `notifications` are what users are told in the app, of which
    a push is one of the ways.
    """
    team.subscribe("grace")
    result = await team.node("""
import { Queue } from "bullmq";
import { connection } from "@/lib/connection";
import { finished } from "@/lib/finished";

const pushes = new Queue("push-notifications", { connection });
const job = await pushes.add(
  "push-notification",
  { userId: "grace", payload: { title: "Ada", body: "Are you there?" } },
  { attempts: 3, backoff: { type: "exponential", delay: 2000 } },
);
export default await finished(job);
""")
    assert (1, 1) == (result["sent"], result["total"])
    assert {"title": "Ada", "body": "Are you there?"} in [push.json for push in team.pushes.received]


async def test_a_push_of_a_producer_that_can_not_be_changed(team: Team) -> None:
    """An own job of ten lines takes `push` from `notification`, and passes it on."""
    device = team.subscribe("lin")
    await team.node("""
import { NOTIFICATION_QUEUE } from "@/src/queues/queues.module";
import { finished } from "@/lib/finished";

const data = { userId: "lin", payload: { title: "Urgent", body: "Read me" } };
const opts = { attempts: 3, backoff: { type: "exponential", delay: 2000 } };
export default await finished(await NOTIFICATION_QUEUE.add("push", data, opts));
""")
    await until(lambda: team.pushes.texts(device))


@pytest.mark.parametrize(
    ("queue", "name", "data"),
    [
        ("email", "generic", {"to": "nobody"}),
        ("search", "index_doc", {"entity": "Post"}),
        ("notification", "push", {"payload": {}}),
    ],
)
async def test_each_failed_job_has_an_entry_in_the_dead_queue(
    team: Team, queue: str, name: str, data: dict[str, Any]
) -> None:
    """With id, name, data, attempts made and reason; it is called after the job, `generic_failed`, not after its queue.

    So an operator sees which kind of job failed, and the job's own name is in the entry to send it back by.
    """
    job_id = await team.node(
        """
import * as queues from "@/src/queues/queues.module";

const queue = Object.values(queues).find((each) => each.name === given.queue)!;
export default (await queue.add(given.name, given.data, { attempts: 3 })).id;
""",
        queue=queue,
        name=name,
        data=data,
    )
    letter = await team.letter(queue, job_id)

    assert f"{name}_failed" == letter["called"]
    assert (job_id, name, data, 1) == (letter["id"], letter["name"], letter["data"], letter["attemptsMade"])
    assert letter["reason"].startswith(f"bad payload for {name}: ")


TRIAGE = """
import { Queue } from 'bullmq'
const q = new Queue('dead', { connection: { url: process.env.REDIS_URL || 'redis://localhost:6379' } })
;(async () => {
  const jobs = await q.getJobs(['waiting','delayed','failed','completed'], 0, 100)
  console.log('dead jobs:', jobs.length)
  // Example: requeue a failed email job payload back to its original queue
  for (const j of jobs) {
    if (j.name === 'generic_failed') {
      const payload = j.data?.data
      const emailQ = new Queue('email', { connection: q.opts.connection })
      await emailQ.add('generic', payload, { attempts: 3, backoff: { type: 'exponential', delay: 5000 } })
      await j.remove()
    }
  }
  process.exit(0)
})()
"""


async def test_the_triage_script_sends_a_mail_back(team: Team) -> None:
    """As operators have it, but for the entry's name, which has the job's: `generic_failed`, not `email_failed`."""
    team.mails.answer_once("RCPT late@example.com", "550 5.1.1 no such user")
    job_id = await team.node("""
import { EMAIL_QUEUE } from "@/src/queues/queues.module";

const mail = { to: "late@example.com", subject: "Late", html: "<p>Hello</p>" };
export default (await EMAIL_QUEUE.add("generic", mail)).id;
""")
    letter = await team.letter("email", job_id)
    printed = await team.node.program(TRIAGE)

    assert printed.startswith("dead jobs: ")
    assert "Late" == (await team.mail_to("late@example.com"))["Subject"]
    assert not team.redis.exists(f"bull:dead:{letter['entry']}")
