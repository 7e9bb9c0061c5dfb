"""`pushmill/bullmq` while Redis is away, silent, full or refuses the app: one error in time, and no job too many."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
import redis

from embedded.redis_server import RedisServer
from tests.support.polling import PATIENCE
from tests.support.ports import free_port
from tests.support.queue_scripts import script
from tests.support.queues import QUEUES
from tests.support.tls import make_certificate, tls_in_front_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.node_app import NodeApp


pytestmark = pytest.mark.matrix  # too slow for `make test`; tests of the package with Node alone show the most of it


async def test_redis_that_is_not_there_is_an_error_in_time(node_app: NodeApp) -> None:
    """The job is not added later: nothing was kept to be sent. Closing does not hang."""
    [add, bulk, flow, status] = await node_app.run(
        script(
            """
            const push = { name: "push-notification", data: { userId: 1, payload: "a" } };
            print(await queues.add(push.name, push.data).catch(fault));
            print(await queues.addBulk([push]).catch(fault));
            print(await queues.flow({ ...push, children: [push] }).catch(fault));
            print(await queues.status({ id: "1", queue: "push-notifications" }).catch(fault));
            await queues.close();
            """
        ),
        REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}",
        TIMEOUT="500",
    )
    for name, message, may_be_done in (add, bulk, flow, status):
        assert ("RedisError", False) == (name, may_be_done)
        assert "Redis can't be reached" in message
        assert "ECONNREFUSED" in message
        assert "secret" not in message


async def test_jobs_are_added_again_after_an_outage(node_app: NodeApp) -> None:
    """While Redis is away a job is refused and never added; one that waits while it comes back is added once."""
    with RedisServer(appendonly=True) as server:
        process = await node_app.start(
            script(
                """
                import { createInterface } from "node:readline";
                const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
                const data = { userId: 1, payload: "a" };
                const add = (service) => service.add("push-notification", data).then(() => "added", fault);
                const hasty = new QueueService({ connection: { url: process.env.REDIS_URL }, timeout: 300 });
                print([await add(queues), await add(hasty)]);
                await told.next();
                print(await add(hasty));
                print(await hasty.addBulk([{ name: "push-notification", data }]).catch(fault));
                const waiting = add(queues);
                await told.next();
                print(await waiting);
                print((await queues.counts())["push-notifications"].waiting);
                await queues.close();
                await hasty.close();
                """
            ),
            REDIS_URL=server.url,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                added = json.loads(await process.stdout.readline())
                server.kill()
                process.stdin.write(b"\n")
                refused = [json.loads(await process.stdout.readline()) for _ in range(2)]
                server.start()
                process.stdin.write(b"\n")
                out, err = await process.communicate(b"")
        finally:
            if process.returncode is None:
                process.kill()
    assert ["added", "added"] == added
    for name, message, may_be_done in refused:
        assert ("RedisError", False) == (name, may_be_done)
        assert "ECONNREFUSED" in message
    assert ["added", 3] == [json.loads(line) for line in out.splitlines()], err


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        ("undefined", "connection names no Redis; is REDIS_URL set?"),
        ("{ url: undefined }", "connection names no Redis; is REDIS_URL set?"),
        ("{}", "connection names no Redis; is REDIS_URL set?"),
        ('""', "connection names no Redis; is REDIS_URL set?"),
        ('{ url: "https://user:secret@example.com" }', "does not begin with redis:// or rediss://"),
        ('"localhost:6379"', "does not begin with redis:// or rediss://"),
    ],
)
async def test_a_wrong_connection_is_named(newest_app: NodeApp, connection: str, reason: str) -> None:
    """In one line, at the first call: ioredis would silently take the Redis of this machine."""
    body = f"""print(await new QueueService({{ connection: {connection} }}).counts().catch(fault));"""

    [[name, message, _]] = await newest_app.run(script(body))

    assert "TypeError" == name
    assert reason in message
    assert "secret" not in message


async def test_what_redis_refuses_has_no_payload(node_app: NodeApp) -> None:
    """A wrong password, and a full Redis: the reason comes through, the payload does not."""
    body = """
        const again = () => queues.addPushNotification({ userId: 1, payload: "confidential" });
        for (let tries = 0; tries < 2; tries++) {
          const error = await again().catch((error) => error);
          print([error.name, error.message, JSON.stringify(error)]);
        }
        await queues.close();
    """
    with RedisServer(password="right") as server:
        wrong = await node_app.run(script(body), REDIS_URL=server.url.replace("right", "wrong"), TIMEOUT="2000")
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "1")
        full = await node_app.run(script(body), REDIS_URL=server.url)
    for name, message, properties in wrong + full:
        assert "RedisError" == name
        assert "confidential" not in message + properties
        assert "wrong" not in message.replace("wrong number", "")
    assert all("WRONGPASS" in message for _, message, _ in wrong)
    assert all("OOM" in message for _, message, _ in full)


async def test_a_redis_that_is_silent_is_an_error_in_time(node_app: NodeApp) -> None:
    """The command was sent, so the job may be added: the error says so. With the same id there is one job."""
    body = """
        import { createInterface } from "node:readline";
        const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
        const hasty = new QueueService({ connection: { url: process.env.REDIS_URL }, timeout: 1000 });
        const add = (service) => service.add("push-notification", { userId: 1, payload: "a" }, { jobId: "one" });
        print(await queues.counts());
        while (!(await hasty.counts().catch(() => null)));
        print("ready");
        await told.next();
        print(await add(hasty).catch(fault));
        await told.next();
        await add(queues);
        print((await queues.counts())["push-notifications"].waiting);
        await queues.close();
        await hasty.close();
    """
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        pid = int(client.info("server")["process_id"])
        process = await node_app.start(script(body), REDIS_URL=server.url)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                for _ in range(2):
                    await process.stdout.readline()
                os.kill(pid, signal.SIGSTOP)
                process.stdin.write(b"\n")
                fault = json.loads(await process.stdout.readline())
                os.kill(pid, signal.SIGCONT)
                process.stdin.write(b"\n")
                out, err = await process.communicate(b"")
        finally:
            os.kill(pid, signal.SIGCONT)
            if process.returncode is None:
                process.kill()
    assert ["RedisError", "Redis did not answer in 1000 ms", True] == fault
    assert b"1" == out.strip(), err


async def test_a_self_signed_certificate_is_taken_if_told(
    redis_server: RedisServer, node_app: NodeApp, tmp_path: Path
) -> None:
    """As that of Heroku's Redis. Without the option the error has the reason."""
    body = """
        const at = (more) => new QueueService({ connection: { url: process.env.TLS_URL, ...more }, timeout: 3000 });
        const trusting = at({ tls: { rejectUnauthorized: false } });
        let counts;
        while (!counts) counts = await trusting.counts().catch(() => null);
        print(Object.keys(counts));
        const strict = at({});
        print(await strict.counts().catch(fault));
        await Promise.all([trusting.close(), strict.close()]);
    """
    certificate, key = make_certificate(tmp_path)
    async with tls_in_front_of(redis_server.port, certificate, key) as port:
        [names, [name, message, _]] = await node_app.run(script(body), TLS_URL=f"rediss://127.0.0.1:{port}")
    assert {queue.name for queue in QUEUES} == set(names)
    assert "RedisError" == name
    assert "SELF_SIGNED_CERT" in message
