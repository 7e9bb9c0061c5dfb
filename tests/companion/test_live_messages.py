"""`listen` of `QueueService`, with both major versions of bullmq and a real Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.queue_scripts import script

if TYPE_CHECKING:
    from tests.support.node_app import NodeApp


async def test_messages_are_heard_until_somebody_leaves_or_the_connection_ends(
    redis_url: str, node_app: NodeApp
) -> None:
    """All share one connection, which is closed with the last one. A cut one is told, and the next call opens anew."""
    [heard, shared, closed, cut, again] = await node_app.run(
        script(
            """
            import { Redis } from "ioredis";
            const redis = new Redis(process.env.REDIS_URL);
            const said = [];
            const hear = (name) => (message) => said.push(`${name}:${message}`);
            const quiet = () => new Promise((resolve) => setTimeout(resolve, 20));
            const clients = async (count) => {
              const list = () => redis.client("LIST", "TYPE", "PUBSUB");
              const seen = async () => (await list()).match(/^id=/gm)?.length ?? 0;
              while ((await seen()) !== count) await quiet();
              return count;
            };
            const [leaveA, leaveB] = await Promise.all([
              queues.listen("notifications:1", hear("a")),
              queues.listen("notifications:1", hear("b")),
              queues.listen("notifications:*", hear("c")),
            ]);
            await redis.publish("notifications:1", "one");
            while (said.length < 2) await quiet();
            leaveA();
            await redis.publish("notifications:1", "two");
            while (said.length < 3) await quiet();
            print(said.splice(0));
            print(await clients(1));
            leaveB();
            await queues.close();
            said.length = 0;
            print(await clients(0));
            await queues.listen("notifications:1", hear("a"));
            await redis.client("KILL", "TYPE", "PUBSUB");
            while (!said.length) await quiet();
            print(said.splice(0));
            const leave = await queues.listen("notifications:1", hear("a"));
            await redis.publish("notifications:1", "three");
            while (!said.length) await quiet();
            print(said);
            leave();
            await clients(0);
            await queues.close();
            redis.disconnect();
            """
        ),
        REDIS_URL=redis_url,
    )
    assert ["a:one", "b:one", "b:two"] == heard
    assert (1, 0) == (shared, closed)
    assert (["a:null"], ["a:three"]) == (cut, again)
