"""What `QueueService` adds with a priority, and what it takes back, with both major versions of bullmq."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis.asyncio

from queue_lib.broker.board import RedisBoard
from tests.support.queue_scripts import script

if TYPE_CHECKING:
    from tests.support.node_app import NodeApp

LONE = "chat \ud83d"  # half an emoji, as JavaScript cuts texts


async def test_a_password_reset_comes_before_other_mails(redis_url: str, node_app: NodeApp) -> None:
    """By bullmq's own order; an option of the caller's is stronger. A notification has no priority."""
    [added, waiting] = await node_app.run(
        script(
            """
            import { Queue } from "bullmq";
            const mail = { to: "ann@example.com", subject: "a", text: "b" };
            const notice = { userId: 1, title: "a" };
            const jobs = [
              await queues.sendEmail(mail),
              await queues.generic(mail, { priority: 9, attempts: 2 }),
              await queues.passwordReset(mail),
              await queues.notify(notice, { jobId: "export-7" }),
            ];
            print(jobs.map(({ name, queueName, opts }) => [name, queueName, opts.priority ?? 0, opts.attempts ?? 0]));
            const emails = new Queue("email", { connection: { url: process.env.REDIS_URL } });
            print((await emails.getPrioritized()).map(({ name }) => name));
            await emails.close();
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert [
        ["send-email", "email", 5, 0],
        ["generic", "email", 9, 2],
        ["password_reset", "email", 1, 0],
        ["user-notification", "notifications", 0, 0],
    ] == added
    assert ["password_reset", "send-email", "generic"] == waiting


async def test_a_cancelled_key_is_what_the_worker_looks_for(redis_url: str, node_app: NodeApp) -> None:
    """Jobs before the call are taken back, and the one after it is not."""
    keys = ["room:1", LONE, "42"]
    [before, after] = await node_app.run(
        script(
            """
            const push = { userId: 1, payload: "a", options: { cancelKey: "room:1" } };
            print((await queues.addPushNotification(push)).timestamp);
            for (const key of ["room:1", "chat \\ud83d", 42]) await queues.cancel(key, { seconds: 60 });
            print((await queues.addPushNotification(push)).timestamp);
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
        told = await RedisBoard(client, "bull").cancelled(keys)
        left = await client.pttl("bull:pushmill:cancelled:room:1")
    assert set(keys) == set(told)
    assert all(before <= moment * 1000 < after for moment in told.values())
    assert 0 < left <= 60_000


async def test_one_job_of_a_row_waits(redis_url: str, node_app: NodeApp) -> None:
    """What changes while it waits needs no second job: the row is read as it runs."""
    [ids, options] = await node_app.run(
        script(
            """
            const changes = [{ entity: "Post", id: 1 }, { entity: "Post", id: "1" }, { entity: "Post", id: 2 }];
            const jobs = [];
            for (const change of changes) jobs.push(await queues.indexDoc(change));
            jobs.push(await queues.backfill({ entity: "Post", rebuild: true }));
            print(jobs.map(({ id }) => jobs.findIndex((job) => job.id === id)));
            print([jobs[0].opts.deduplication, jobs[3].queueName]);
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert [0, 0, 2, 3] == ids
    assert [{"id": "Post:1", "keepLastIfActive": True}, "search"] == options


async def test_an_export_goes_to_its_queue(redis_url: str, node_app: NodeApp) -> None:
    """With its data as it was given."""
    [found] = await node_app.run(
        script(
            """
            const filters = { n: [1, null] };
            const job = await queues.addExport({ exportType: "csv", name: "orders", userId: 1, filters });
            print([job.queueName, job.name, job.data]);
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    data = {"exportType": "csv", "name": "orders", "userId": 1, "filters": {"n": [1, None]}}
    assert ["exports", "data-export", data] == found


async def test_one_job_of_a_key_waits(redis_url: str, node_app: NodeApp) -> None:
    """What changes while a value is made gets in: the last job follows."""
    [ids, options] = await node_app.run(
        script(
            """
            const warm = { cacheKey: "cache:a", dataSource: "view:a" };
            const jobs = [];
            for (const each of [warm, warm, { ...warm, cacheKey: "cache:b" }]) jobs.push(await queues.warmCache(each));
            jobs.push(await queues.cleanup({ targetType: "temp_files", olderThan: 3600000 }));
            print(jobs.map(({ id }) => jobs.findIndex((job) => job.id === id)));
            print([jobs[0].name, jobs[0].opts.deduplication, jobs[3].name, jobs[3].queueName]);
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert [0, 0, 2, 3] == ids
    assert ["cache-warm", {"id": "warm:cache:a", "keepLastIfActive": True}, "cleanup", "maintenance"] == options
