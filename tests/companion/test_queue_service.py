"""`pushmill/bullmq` with both major versions of bullmq, a real Redis and the real worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.queue_scripts import IMAGE, script

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.node_app import NodeApp


async def test_jobs_are_added_waited_for_and_counted(app: App, node_app: NodeApp) -> None:
    """An image is processed by the worker; its result comes to the one who waits, before or after the end."""
    app.upload("file-1")
    async with app.worker():
        [result, again, progress, status, counts] = await node_app.run(
            script(
                """
                const job = await queues.addImageProcessing(IMAGE, { attempts: 2, removeOnComplete: { age: 60 } });
                const followed = (async () => {
                  let last;
                  for await (const event of queues.events(job)) last = event;
                  return last;
                })();
                print(await queues.wait(job, { timeout: 60_000 }));
                print(await queues.wait({ id: job.id, queue: job.queueName }));
                print(await followed);
                print(await queues.status(job));
                print(await queues.counts());
                await queues.close();
                """,
                IMAGE=IMAGE,
            ),
            **app.env,
        )
    assert (640, 480) == (result["width"], result["height"])
    assert result == again == status["result"] == progress["job"]["result"]
    assert "completed" == progress["type"] == status["state"]
    assert IMAGE == status["data"]
    assert 1 == counts["file-processing"]["completed"]
    assert 0 == counts["push-notifications"]["waiting"]


async def test_a_wait_rejects_with_the_reason_and_a_retry_drops_the_dead_letter(app: App, node_app: NodeApp) -> None:
    """The file is missing: the job fails for good, is listed, and runs again once the file is there."""
    app.sql('INSERT INTO "File" ("id", "name") VALUES (?, ?)', "file-1", "missing")
    async with app.worker():
        [[name, reason, _], [failed], dead] = await node_app.run(
            script(
                """
                const job = await queues.add("process-image", IMAGE);
                await queues.wait(job).catch((error) => print(fault(error)));
                print(await queues.failed("file-processing"));
                print(await queues.status({ id: `bullmq-file-processing-${job.id}`, queue: "dead" }));
                await queues.close();
                """,
                IMAGE=IMAGE,
            ),
            **app.env,
        )
        assert ("JobFailedError", "failed", reason) == (name, failed["state"], failed["reason"])
        assert "process-image_failed" == dead["name"]
        app.sql('DELETE FROM "File"')
        app.upload("file-1")
        [result, letter, [_, message, _]] = await node_app.run(
            script(
                """
                await queues.retry(JOB);
                print((await queues.wait(JOB)).width);
                print(await queues.status({ id: `bullmq-file-processing-${JOB.id}`, queue: "dead" }));
                await queues.retry(JOB).catch((error) => print(fault(error)));
                await queues.close();
                """,
                JOB={"id": failed["id"], "queue": failed["queue"]},
            ),
            **app.env,
        )
    assert 640 == result
    assert letter is None
    assert "not in the failed state" in message


async def test_a_parent_fails_with_its_child_unless_told_otherwise(app: App, node_app: NodeApp) -> None:
    """A flow over two queues: by default the parent is failed, with ignoreDependencyOnFailure it runs."""
    async with app.worker():
        [states] = await node_app.run(
            script(
                """
                const push = { userId: "user-1", payload: { title: "Done" } };
                const flow = async (options) => {
                  const children = [{ name: "process-image", data: IMAGE, options: { attempts: 1, ...options } }];
                  const { job } = await queues.flow({ name: "push-notification", data: push, children });
                  try {
                    return await queues.wait(job);
                  } catch (error) {
                    return error.name;
                  }
                };
                print([await flow(), (await flow({ ignoreDependencyOnFailure: true })).total]);
                await queues.close();
                """,
                IMAGE=IMAGE,
            ),
            **app.env,
        )
    assert ["JobFailedError", 0] == states


async def test_a_job_that_is_removed_ends_those_who_follow_it(redis_url: str, node_app: NodeApp) -> None:
    """Removed before or while it is followed; and a job that bullmq removes at its end keeps its result for them."""
    [events, gone, unknown, result, timeout, aborted] = await node_app.run(
        script(
            """
            import { Worker } from "bullmq";
            const connection = { url: process.env.REDIS_URL };
            const all = async (events, each = () => {}) => {
              const got = [];
              for await (const event of events) got.push(event.type), await each(event);
              return got;
            };
            const job = await queues.addPushNotification({ userId: 1, payload: "{}" }, { delay: 100_000 });
            print(await all(queues.events(job), () => job.remove()));
            print(await queues.wait(job).catch(fault));
            print(await all(queues.events({ id: "1", queue: "nobodys" })));

            const short = await queues.addPushNotification({ userId: 1, payload: "{}" }, { removeOnComplete: true });
            const waiting = queues.wait(short);
            await new Promise((resolve) => setTimeout(resolve, 500));
            const worker = new Worker("push-notifications", async () => ({ sent: 3 }), { connection });
            print(await waiting);
            await worker.close();

            const late = await queues.addPushNotification({ userId: 1, payload: "{}" }, { delay: 100_000 });
            print(await queues.wait(late, { timeout: 50 }).catch((error) => error.name));
            const signal = AbortSignal.abort(new Error("left"));
            print(await queues.wait(late, { signal }).catch((error) => error.message));
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert ["progress", "gone"] == events
    assert "JobFailedError" == gone[0]
    assert ["gone"] == unknown
    assert {"sent": 3} == result
    assert ["TimeoutError", "left"] == [timeout, aborted]


async def test_a_client_of_the_app_is_shared_and_stays_open(redis_url: str, node_app: NodeApp) -> None:
    """With ioredis' default options, which bullmq refuses for those who listen. They get a connection of their own."""
    [result, shared, left] = await node_app.run(
        script(
            """
            import { Worker } from "bullmq";
            import { Redis } from "ioredis";
            const client = new Redis(process.env.REDIS_URL);
            const sharing = new QueueService({ connection: client, timeout });
            const job = await sharing.addPushNotification({ userId: 1, payload: "{}" });
            const waiting = sharing.wait(job);
            const connection = { url: process.env.REDIS_URL };
            const worker = new Worker("push-notifications", async () => ({ sent: 3 }), { connection });
            print(await waiting);
            await worker.close();
            await sharing.close();
            print(await client.ping());
            const listening = async () => (await client.client("LIST")).match(/ name=bull:\\S+:qe /g)?.length ?? 0;
            while (await listening());
            print(await listening());
            client.disconnect();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert ({"sent": 3}, "PONG", 0) == (result, shared, left)


async def test_many_jobs_are_added_in_their_order(redis_url: str, node_app: NodeApp) -> None:
    """Of several queues; ids are random, and the same id adds no second job."""
    [names, ids, counts] = await node_app.run(
        script(
            """
            const jobs = await queues.addBulk([
              { name: "push-notification", data: { userId: 1, payload: "a" } },
              { name: "process-image", data: IMAGE, options: { jobId: "file-1" } },
              { name: "push-batch", data: { all: true, payload: "b" }, options: { priority: 1 } },
            ]);
            await queues.add("process-image", IMAGE, { jobId: "file-1" });
            print(jobs.map(({ name }) => name));
            print(jobs.map(({ id }) => id));
            print(await queues.counts());
            await queues.close();
            """,
            IMAGE=IMAGE,
        ),
        REDIS_URL=redis_url,
    )
    assert ["push-notification", "process-image", "push-batch"] == names
    assert "file-1" == ids[1]
    assert 36 == len(ids[0])
    assert (1, 1) == (counts["push-notifications"]["waiting"], counts["push-notifications"]["prioritized"])
    assert 1 == counts["file-processing"]["waiting"]


async def test_hostile_ids_are_no_jobs(redis_url: str, node_app: NodeApp) -> None:
    """Keys of the queue beside its jobs are not read as jobs, and no queue is made by asking for it."""
    [seen, keys] = await node_app.run(
        script(
            """
            import { Redis } from "ioredis";
            const job = await queues.addPushNotification({ userId: 1, payload: "a" });
            await job.log("a line");
            const keys = ["meta", "events", "wait", "id", `${job.id}:logs`, "repeat:a:1:logs"];
            const ids = [...keys, "", "x".repeat(10_000), "..", "0"];
            print(await Promise.all(ids.map((id) => queues.status({ id, queue: "push-notifications" }))));
            await queues.status({ id: "1", queue: "__proto__" });
            const redis = new Redis(process.env.REDIS_URL);
            print((await redis.keys("bull:*:meta")).sort());
            redis.disconnect();
            await queues.close();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert [None] * 10 == seen
    assert ["bull:push-notifications:meta"] == keys


async def test_a_module_may_be_imported_without_redis(node_app: NodeApp) -> None:
    """Nothing connects before the first job, and hot reloads get the same service."""
    [same, other] = await node_app.run(
        script(
            """
            const options = () => ({ connection: { url: "redis://127.0.0.1:1" } });
            print(queueService(options()) === queueService(options()));
            print(queueService(options()) === queueService({ ...options(), prefix: "other" }));
            """
        )
    )
    assert (True, False) == (same, other)
