"""A system of producers in an API and processors in a worker, a pair for each queue; the processors become Python.

A processor is a class in a module that JOBS names. Here they are in `tests/reference/jobs.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.polling import until

if TYPE_CHECKING:
    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"QUEUES": "example,my-feature,heavy-processing,course-orchestrator,process-video,generate-pdf"}
APP = {
    "packages/server/src/modules/queues/my-feature/my-feature.constants.ts": """
import type { WorkerOptions } from 'bullmq';

export const MY_FEATURE_QUEUE = {
  name: 'my-feature',
  workerOptions: {
    concurrency: 5,
    lockDuration: 60_000,
  } satisfies Partial<WorkerOptions>,
} as const;
""",
    "packages/server/src/modules/queues/my-feature/my-feature.producer.ts": """
import type { Queue } from 'bullmq';

export interface MyFeatureJobPayload {
  userId: string;
}

export class MyFeatureProducer {
  constructor(private queue: Queue) {}

  async enqueue(payload: MyFeatureJobPayload) {
    return this.queue.add('process', payload);
  }
}
""",
    "packages/server/src/modules/queues/heavy.constants.ts": """
export const HEAVY_QUEUE = {
  name: 'heavy-processing',
  workerOptions: {
    concurrency: 1,
    lockDuration: 60 * 60 * 1000,      // 1 hour
    stalledInterval: 5 * 60 * 1000,    // Check every 5 min
    maxStalledCount: 1,
  },
  defaultJobOptions: {
    attempts: 2,
    backoff: { type: 'fixed', delay: 60_000 },
    removeOnComplete: { count: 100 },
    removeOnFail: false,
  },
} as const;
""",
}
IMPORTS = """
import { FlowProducer, Queue } from "bullmq";
import { connection } from "@/lib/connection";
import { finished } from "@/lib/finished";
"""


async def test_a_producer_of_the_api_and_a_processor_of_the_worker(team: Team) -> None:
    """The payload of the producer, and the processor's result with a time in ISO's form."""
    result = await team.node(
        IMPORTS
        + """
const queue = new Queue("example", { connection });
const dto = { userId: "u1", email: "ada@example.com" };
export default await finished(await queue.add("example", {
  userId: dto.userId,
  action: 'send-email',
  data: { email: dto.email },
}));
"""
    )
    assert result["success"] is True
    assert datetime.fromisoformat(result["processedAt"]).tzinfo is not None


async def test_a_new_queue(team: Team) -> None:
    """A queue, a payload, a producer and a processor of the team's own, called `process`.

    A job's name is there once in all queues, since the API, the types and the dashboard know a job by it: a second
    `process` needs another name, and the worker does not start until it has one. `lockDuration` has no counterpart.
    """
    result = await team.node(
        IMPORTS
        + """
import { MY_FEATURE_QUEUE } from "@/packages/server/src/modules/queues/my-feature/my-feature.constants";
import { MyFeatureProducer } from "@/packages/server/src/modules/queues/my-feature/my-feature.producer";

const producer = new MyFeatureProducer(new Queue(MY_FEATURE_QUEUE.name, { connection }));
export default await finished(await producer.enqueue({ userId: "u1" }));
"""
    )
    assert {"success": True} == result


async def test_a_heavy_queue(team: Team) -> None:
    """Its jobs are tried again after a minute; completed ones are kept up to 100, and failed ones stay.

    A lock of an hour is not needed: the worker renews its lease while a job runs, and after a crash another worker has
    the job in 45 seconds.
    """
    state, attempts, delay = await team.node(
        IMPORTS
        + """
import { setTimeout as sleep } from "node:timers/promises";
import { HEAVY_QUEUE } from "@/packages/server/src/modules/queues/heavy.constants";

const { name, defaultJobOptions } = HEAVY_QUEUE;
const queue = new Queue(name, { connection, defaultJobOptions });
await finished(await queue.add("heavy", { userId: "u1" }));
const job = await queue.add("heavy", { userId: "nobody" });
let state = await job.getState();
while (state !== "delayed") {
  await sleep(20);
  state = await job.getState();
}
const seen = (await queue.getJob(job.id!))!;
export default [state, seen.attemptsMade, seen.delay];
"""
    )
    assert ("delayed", 1, 60_000) == (state, attempts, delay)


async def test_the_policy_of_a_queue_may_be_the_worker_s(team: Team) -> None:
    """What `defaultJobOptions` say can stand in QUEUES: then a producer that says nothing gets the same."""
    delay = await team.node(
        IMPORTS
        + """
import { setTimeout as sleep } from "node:timers/promises";

const queue = new Queue("heavy-processing", { connection });
const job = await queue.add("heavy", { userId: "nobody" });
while ((await job.getState()) !== "delayed") await sleep(20);
export default (await queue.getJob(job.id!))!.delay;
"""
    )
    assert 60_000 == delay


async def test_a_large_job_in_parts(team: Team) -> None:
    """A flow of three children in two queues, and the parent that gathers what they made.

    The children have names: of those without one stock bullmq adds none, so that their parent waits for ever (5) or
    runs without them (6). `process-video` is a job of the worker's own, so a part of a course is `course-video`.
    """
    result = await team.node(
        IMPORTS
        + """
const flow = new FlowProducer({ connection });
const course = await flow.add({
  name: 'course-complete',
  queueName: 'course-orchestrator',
  data: { courseId: '123' },
  children: [
    { name: 'course-video', queueName: 'process-video', data: { videoId: 'v1' } },
    { name: 'course-video', queueName: 'process-video', data: { videoId: 'v2' } },
    { name: 'generate-pdf', queueName: 'generate-pdf', data: { pdfId: 'p1' } },
  ],
});
export default await finished(course.job);
"""
    )
    assert {"course": "123", "made": ["p1", "v1", "v2"], "lost": []} == result


async def test_the_options_of_a_job(team: Team) -> None:
    """A lower priority number runs first; `removeOnComplete: true` and `removeOnFail: false` do what they say."""
    ids, kept = await team.node(
        IMPORTS
        + """
const queue = new Queue("example", { connection });
await queue.pause();
const data = { userId: "u1", action: "send-email", data: {} };
const options = { attempts: 3, backoff: { type: "exponential", delay: 1000 }, removeOnFail: false };
const last = await queue.add("example", data, { ...options, priority: 10 });
const first = await queue.add("example", data, { ...options, priority: 1, delay: 0 });
const gone = await queue.add("example", data, { ...options, priority: 5, removeOnComplete: true });
await queue.resume();
await Promise.all([first, last].map(finished));
await finished(gone).catch(() => {}); // bullmq finds no job to wait for if it is gone already; a failed one would stay
const found = await Promise.all([first, gone, last].map((job) => queue.getJob(job.id!)));
export default [[first, gone, last].map((job) => job.id), found.map(Boolean)];
"""
    )
    assert [True, False, True] == kept
    assert ids == [job_id for job_id in team.started("example") if job_id in ids]


async def test_a_job_that_nobody_processes(team: Team) -> None:
    """It fails at once, with a reason that names the queue and what it takes."""
    job_id = await team.node(
        IMPORTS
        + """
export default (await new Queue("my-feature", { connection }).add("proces", { userId: "u1" })).id;
"""
    )
    letter = await team.letter("my-feature", job_id)

    assert "unknown job name 'proces' in queue my-feature; it takes process" == letter["reason"]


@pytest.mark.matrix
async def test_workers_for_light_and_heavy_jobs(team: Team) -> None:
    """`WORKER_TYPE` chooses the queues of a deployment: no job runs in the wrong one."""
    key = team.app.upload("f1")
    async with (
        team.app.worker(WORKER_TYPE="light", QUEUES="") as light,
        team.app.worker(WORKER_TYPE="heavy", QUEUES="") as heavy,
    ):
        await team.node(
            IMPORTS
            + """
const pushes = new Queue("push-notifications", { connection });
const files = new Queue("file-processing", { connection });
await Promise.all([
  finished(await pushes.add("push-notification", { userId: "nobody", payload: { title: "t" } })),
  finished(await files.add("process-image", { fileId: "f1", filePath: given.key, userId: "u1" })),
]);
""",
            key=key,
        )
        await until(lambda: light.lines("job_done") and heavy.lines("job_done"))
        done = [{line["queue"] for line in worker.lines("job_done")} for worker in (light, heavy)]

    assert [{"push-notifications"}, {"file-processing"}] == done
