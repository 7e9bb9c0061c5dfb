"""The operators' scripts, run beside a real worker on failed jobs of both wires."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import redis
from bullmq import Queue
from redis import Redis
from rq import Queue as Lane

from processors.push.endpoints import log_fields
from scripts import terminal
from tests.support.polling import until
from tests.support.queues import QUEUES
from tests.support.scripts import run_script

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.push_service import PushService
    from tests.support.scripts import Answer
    from tests.support.worker_process import WorkerProcess

QUEUE = "push-notifications"
HOSTILE = "\x1b[31mred\x1b[0m [bold]"  # what a terminal, or rich, would obey


async def run(app: App, script: str, *arguments: str, **env: str) -> Answer:
    """Run a script as an operator does."""
    return await run_script(script, *arguments, env={"PATH": os.defpath, "REDIS_URL": app.env["REDIS_URL"], **env})


async def fail_on_both_wires(app: App, worker: WorkerProcess, dead: int = 2) -> None:
    """Two jobs, one on each wire, that can never succeed: so many are dead then."""
    queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
    await queue.add("push-notification", {"userId": "u"})
    await queue.close()
    with Redis.from_url(app.env["REDIS_URL"]) as redis:
        Lane(QUEUE, connection=redis, serializer="json").enqueue(HOSTILE, {"userId": "u"})
    await worker.logged("job_dead", dead)


async def test_failed_jobs_are_retried(app: App) -> None:
    """An operator looks, retries what failed, and sees it fail again; without a yes nothing is done."""
    async with app.worker() as worker:
        await fail_on_both_wires(app, worker)
        looked = await run(app, "retry_failed", "--dry-run", "--json")
        table = await run(app, "retry_failed", "--dry-run")
        unasked = await run(app, "retry_failed")
        none = await run(app, "retry_failed", "--yes", "--json", "--older", "1h")
        some = await run(app, "retry_failed", "--yes", "--json", "--text", "BAD payload")
        await worker.logged("job_dead", 3)
        rest = await run(app, "retry_failed", "--yes", "--wire", "rq")
        await worker.logged("job_dead", 4)

    assert 0 == looked.status
    assert 2 == looked.json["matched"]
    assert {"bullmq", "rq"} == {job["wire"] for job in looked.json["jobs"]}
    assert {QUEUE} == {job["queue"] for job in looked.json["jobs"]}
    assert "\x1b" not in table.out
    assert "[bold]" in table.out
    assert (2, "can't ask for confirmation") == (unasked.status, unasked.err[:26])
    assert {"matched": 0, "retried": 0, "notFailed": 0} == none.json
    assert (0, {"matched": 1, "retried": 1, "notFailed": 0}) == (some.status, some.json)
    assert '"by": ' in some.err
    assert '"event": "job_retried"' in some.err
    assert (0, "1 of 1 retried") == (rest.status, rest.out.strip())


async def test_failed_jobs_and_dead_letters_by_reason(app: App) -> None:
    """A reason is listed once, with what names it; only its jobs are retried, and only its dead letters dropped."""
    async with app.worker() as worker:
        await fail_on_both_wires(app, worker)
        await fail_on_both_wires(app, worker, 4)
        failed = await run(app, "retry_failed", "--by-reason", "--json")
        table = await run(app, "retry_failed", "--by-reason")
        one = await run(app, "retry_failed", "--by-reason", "--limit", "1", "--json")
        bad, unknown = sorted(failed.json["groups"], key=lambda group: str(group["reason"]))
        retried = await run(app, "retry_failed", "--reason", bad["id"], "--yes", "--json")
        await worker.logged("job_dead", 6)
    letters = await run(app, "dead_letters", "list", "--by-reason", "--json")
    dropped = await run(app, "dead_letters", "drop", "--all", "--reason", unknown["id"], "--yes", "--json")
    left = await run(app, "dead_letters", "list", "--by-reason", "--json")
    refused = await run(app, "dead_letters", "drop", "--all", "--reason", "bad payload", "--yes")

    assert {2} == {bad["count"], unknown["count"]}
    assert ({"push-notification": 2}, {"bullmq": 2}, {"rq": 2}) == (bad["names"], bad["wires"], unknown["wires"])
    assert (True, "\x1b" not in table.out, "reasons: 2" in table.out) == (bad["id"] in table.out, True, True)
    assert [1] == [group["count"] for group in one.json["groups"]]
    assert {"matched": 2, "retried": 2, "notFailed": 0} == retried.json
    assert {bad["id"], unknown["id"]} == {group["id"] for group in letters.json["groups"]}
    assert (2, [bad["id"]]) == (len(dropped.json), [group["id"] for group in left.json["groups"]])
    assert (2, True) == (refused.status, "words of a reason are for --text" in refused.err)


async def test_schedules_are_steered(app: App) -> None:
    """Listed, run now, paused, resumed and removed by their id; what is not there is status 4."""
    queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
    await queue.upsertJobScheduler("own", {"pattern": "0 3 * * *", "tz": "Europe/Berlin"}, HOSTILE, {"userId": "u"})
    await queue.close()
    listed = await run(app, "schedules", "list", "--json")
    table = await run(app, "schedules", "list", "--queue", QUEUE)
    done = [await run(app, "schedules", verb, "own", "--json") for verb in ("run", "pause", "resume", "remove")]
    nothing = await run(app, "schedules", "pause", "own")
    with redis.Redis.from_url(app.env["REDIS_URL"]) as client:
        client.set(f"bull:{QUEUE}:repeat", "a text")
    unread = await run(app, "schedules", "list")

    assert ("own", QUEUE, "0 3 * * *") == tuple(listed.json[key] for key in ("id", "queue", "cron"))
    assert 5 == len(listed.json["next"])
    assert ("\x1b" not in table.out, "schedules: 1" in table.out) == (True, True)
    assert ["added", "paused", "resumed", "removed"] == [next(iter(each.json)) for each in done]
    assert (4, "nothing was done") == (nothing.status, nothing.err[:16])
    assert (4, True) == (unread.status, f"wrong type: {QUEUE}" in unread.err)


async def test_dead_letters_are_read(app: App) -> None:
    """They are listed, shown and exported, whichever wire their jobs came by."""
    async with app.worker() as worker:
        await fail_on_both_wires(app, worker)
    by_wire = await listed(app)
    shown = await run(app, "dead_letters", "show", by_wire["bullmq"], "--json")
    read = await run(app, "dead_letters", "show", by_wire["rq"])
    table = await run(app, "dead_letters", "list", "--name", "push-notification")
    exported = await run(app, "dead_letters", "export")
    missing = await run(app, "dead_letters", "show", "x")

    assert {"bullmq", "rq"} == set(by_wire)
    assert {"userId": "u"} == shown.json["data"]
    assert "payload" in shown.json["reason"]
    assert '"userId": "u"' in read.out
    assert "\x1b" not in read.out
    assert "dead letters: 1" in table.out
    assert set(by_wire.values()) == {json.loads(line)["letterId"] for line in exported.out.splitlines()}
    assert (4, "there is no dead letter x\n") == (missing.status, missing.err)


async def listed(app: App) -> dict[str, str]:
    """The ids of the two dead letters, by wire."""
    answer = await run(app, "dead_letters", "list", "--json")
    return {letter["wire"]: letter["letterId"] for letter in map(json.loads, answer.out.splitlines())}


async def test_dead_letters_are_replayed_and_dropped(app: App) -> None:
    """One is sent back and fails again; then all are dropped, after a yes."""
    async with app.worker() as worker:
        await fail_on_both_wires(app, worker)
        by_wire = await listed(app)
        replayed = await run(app, "dead_letters", "replay", by_wire["bullmq"], "--json")
        await worker.logged("job_dead", 3)
    unasked = await run(app, "dead_letters", "drop", "--all")
    looked = [
        await run(app, "dead_letters", verb, *which, "--dry-run", "--json")
        for verb in ("drop", "replay")
        for which in (["--all"], [by_wire["rq"]])
    ]
    both = await run(app, "dead_letters", "drop", by_wire["rq"], "--all")
    dropped = await run(app, "dead_letters", "drop", "--all", "--yes", "--json")
    gone = await run(app, "dead_letters", "replay", by_wire["rq"], "--json")

    assert {by_wire["bullmq"]: "retried"} == replayed.json
    assert [2, 2] == [unasked.status, both.status]
    shown = [{json.loads(line)["letterId"] for line in each.out.splitlines()} for each in looked]
    assert 2 * [set(by_wire.values()), {by_wire["rq"]}] == shown
    assert (0, dict.fromkeys(by_wire.values(), "dropped")) == (dropped.status, dropped.json)
    assert (4, {by_wire["rq"]: "gone"}) == (gone.status, gone.json)


async def test_old_jobs_are_cleaned_out(app: App) -> None:
    """Of both wires, after a yes; dead letters stay."""
    async with app.worker() as worker:
        await fail_on_both_wires(app, worker)
    unasked = await run(app, "clean", "failed", "--older", "0s")
    young = await run(app, "clean", "failed", "--older", "1h", "--yes", "--json")
    await asyncio.sleep(1.0)  # RQ counts in whole seconds
    looked = await run(app, "clean", "failed", "--older", "0s", "--dry-run", "--json")
    old = await run(app, "clean", "failed", "--older", "0s", "--queue", QUEUE, "--yes", "--json")
    stats = (await run(app, "queue_stats", "--json")).json

    assert (2, "can't ask for confirmation") == (unasked.status, unasked.err[:26])
    none = {queue.name: 0 for queue in QUEUES}
    assert {"removed": none} == young.json
    assert (0, {"matched": none | {QUEUE: 2}}) == (looked.status, looked.json)
    assert {"removed": {QUEUE: 2}} == old.json
    assert 2 == stats["deadLetters"]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_from_the_command_line(app: App, wire: str) -> None:
    """It is checked, enqueued and done."""
    key = app.upload("cm1")
    data = json.dumps({"fileId": "cm1", "filePath": key, "userId": 1})
    async with app.worker() as worker:
        added = await run(app, "enqueue", "process-image", data, "--wire", wire, "--job-id", "mine-1")
        [done] = await worker.logged("job_done")
    refused = await run(app, "enqueue", "process-image", '{"fileId": "cm1", "filePath": "/etc/passwd", "userId": 1}')

    assert (0, "mine-1\n") == (added.status, added.out)
    assert ("mine-1", wire) == (done["id"], done["wire"])
    assert 2 == refused.status
    assert refused.err.startswith("bad payload for process-image: filePath: ")


async def test_statistics(app: App) -> None:
    """Each queue on each wire, and the dead letters."""
    async with app.worker() as worker:
        await fail_on_both_wires(app, worker)
    queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
    await queue.pause()
    await queue.add("push-notification", {})
    await queue.close()

    plain = (await run(app, "queue_stats", "--json")).json
    table = await run(app, "queue_stats")

    assert 2 == plain["deadLetters"]
    pushes, files = plain["queues"][:2]
    assert (QUEUE, True) == (pushes["queue"], pushes["paused"])
    assert ("file-processing", False, None) == (files["queue"], files["paused"], files["oldest"])
    assert {"bullmq": 1, "rq": 1} == {wire: counts["failed"] for wire, counts in pushes["wires"].items()}
    assert {"bullmq": 1, "rq": 0} == {wire: counts["waiting"] for wire, counts in pushes["wires"].items()}
    assert 0 <= pushes["oldest"] < 30
    assert "paused" in table.out
    assert "dead letters" in table.out


async def test_whether_the_queues_are_served(app: App) -> None:
    """They are while workers run for all of them, on both wires; not before, and not after."""
    async with app.worker(QUEUES=QUEUE) as worker:
        some = await run(app, "worker_health", "--json", "--here", **app.env)
        configured = await run(app, "worker_health", VAPID_SUBJECT="mailto:ops@pushmill.dev")
        async with app.worker(QUEUES="file-processing,exports", WIRES="rq") as second:
            most = await run(app, "worker_health", "--here", **app.env, WIRES="rq")
            await second.terminate(10.0)
        await worker.terminate(10.0)
    after = await run(app, "worker_health")

    unserved = [f"{queue} on {wire}" for queue in ("file-processing", "exports") for wire in ("bullmq", "rq")]
    assert (5, unserved) == (some.status, some.json["unserved"])
    [seen] = some.json["workers"]
    assert (worker.pid, [QUEUE], ["bullmq", "rq"]) == (seen["pid"], seen["queues"], seen["wires"])
    assert seen["memory"] > 30_000_000
    assert 0 == configured.status  # media has no variable set, so no worker with this environment serves its queue
    assert (0, True) == (most.status, seen["name"] in most.out)
    assert 5 == after.status
    assert "no worker serves push-notifications on bullmq; no worker serves push-notifications on rq; no" in after.err


async def test_a_frozen_worker_serves_no_queue(app: App) -> None:
    """Its process exists and does not run, so it sends no heartbeat: after 30 seconds that is found."""
    async with app.worker() as worker:
        with Redis.from_url(app.env["REDIS_URL"]) as redis:
            [name] = await until(lambda: redis.zrange("bull:pulse:workers", 0, -1))
            worker.signal(signal.SIGSTOP)
            ages = []
            for age in (0, 40):
                redis.zadd("bull:pulse:workers", {name: time.time() - age})
                ages.append(await run(app, "worker_health", **app.env))
        worker.signal(signal.SIGCONT)

    assert [0, 5] == [answer.status for answer in ages]


async def test_subscriptions_that_can_not_be_sent_to_are_listed(app: App, push_service: PushService) -> None:
    """By cause and host. Those that are named are deleted, after a yes; no endpoint is ever shown."""
    app.sql('ALTER TABLE "PushSubscription" ADD COLUMN "expirationTime" INTEGER')
    alive, expired, keyless, secretless = (push_service.subscribe() for _ in range(4))
    stranger = replace(alive, id="z-stranger", endpoint="https://evil.example/s3cret-capability")
    odd = replace(alive, id="z-odd", endpoint="http://[s3cret-capability\x1b[31m")
    ended = replace(alive, id="z-ended", endpoint="https://permanently-removed.invalid/s3cret")
    for row in (alive, expired, replace(keyless, p256dh="AAAA"), replace(secretless, auth=""), stranger, odd, ended):
        app.subscribe(row)
    app.sql('UPDATE "PushSubscription" SET "expirationTime" = 1600000000000 WHERE "id" = ?', expired.id)

    listed = await run(app, "prune_subscriptions", "--yes", "--json", **app.env)
    shown = await run(app, "prune_subscriptions", **app.env)
    dry = await run(app, "prune_subscriptions", "expired", "unreadableKeys", "--dry-run", "--json", **app.env)
    unasked = await run(app, "prune_subscriptions", "expired", **app.env)

    found = {
        "expired": {"127.0.0.1": 1},
        "removed": {"permanently-removed.invalid": 1},
        "unreadableKeys": {"127.0.0.1": 2},
        "refusedEndpoint": {"evil.example": 1, "?": 1},
    }
    assert (0, {"looked": 7, "found": found, "meant": 0, "deleted": 0}) == (listed.status, listed.json)
    assert (0, True) == (shown.status, "name the causes" in shown.out and "evil.example" in shown.out)
    assert (0, {"looked": 7, "found": found, "meant": 3, "deleted": 0}) == (dry.status, dry.json)
    assert (2, [(7,)]) == (unasked.status, app.sql('SELECT count(*) FROM "PushSubscription"'))
    assert "can't ask for confirmation" in unasked.err

    assert "\x1b" not in shown.out

    answers = [
        await run(app, "prune_subscriptions", *named, "--yes", "--json", **app.env)
        for named in (
            ["refusedEndpoint", "--host", "evil.example"],
            ["expired", "removed", "unreadableKeys"],
            ["--endpoint-hash", log_fields(odd.endpoint)["endpoint_hash"]],
        )
    ]

    assert [(0, 1), (0, 4), (0, 1)] == [(answer.status, answer.json["deleted"]) for answer in answers]
    assert [(alive.id,)] == app.sql('SELECT "id" FROM "PushSubscription"')
    said = "".join(answer.out + answer.err for answer in (listed, shown, dry, unasked, *answers))
    assert "s3cret" not in said


async def test_subscriptions_that_are_switched_off(app: App, push_service: PushService) -> None:
    """Where the app has a column for it, no row is deleted, and rows that are off are skipped."""
    app.sql('ALTER TABLE "PushSubscription" ADD COLUMN "isActive" BOOLEAN NOT NULL DEFAULT true')
    for row in (push_service.subscribe(), replace(push_service.subscribe(), auth="")):
        app.subscribe(row)
    env = {**app.env, "PUSH_SUBSCRIPTION_COLUMNS": "active=isActive"}

    done = await run(app, "prune_subscriptions", "unreadableKeys", "--yes", "--json", **env)
    again = await run(app, "prune_subscriptions", "unreadableKeys", "--yes", "--json", **env)

    assert [(0, 2, 1), (0, 1, 0)] == [
        (each.status, each.json["looked"], each.json["deleted"]) for each in (done, again)
    ]
    assert [(0,), (1,)] == app.sql('SELECT "isActive" FROM "PushSubscription" ORDER BY 1')


async def test_faults_that_prevent_pruning_are_named(app: App) -> None:
    """A missing variable, database, table or column is named."""
    bare = await run(app, "prune_subscriptions", "--dry-run")
    wrong = await run(app, "prune_subscriptions", **{**app.env, "DATABASE_URL": "sqlite:////nowhere/app.db"})
    tableless = await run(app, "prune_subscriptions", **{**app.env, "PUSH_SUBSCRIPTION_TABLE": "nowhere"})
    switchless = await run(app, "prune_subscriptions", **{**app.env, "PUSH_SUBSCRIPTION_COLUMNS": "active=endpoint"})

    assert [1] * 4 == [each.status for each in (bare, wrong, tableless, switchless)]
    assert "VAPID_PRIVATE_KEY: not set" in bare.err
    assert "DATABASE_URL: not set" in bare.err
    assert "DATABASE_URL" in wrong.err
    assert 'DATABASE_URL: there is no table "nowhere"' in tableless.err
    assert 'PUSH_SUBSCRIPTION_COLUMNS: column "endpoint" of "PushSubscription" is no boolean' in switchless.err
    assert "Traceback" not in bare.err + wrong.err + tableless.err + switchless.err


@pytest.mark.parametrize(
    ("arguments", "env", "status", "reason"),
    [
        (["queue_stats"], {"REDIS_URL": ""}, 1, "REDIS_URL: not set"),
        (["queue_stats"], {"REDIS_URL": "redis://127.0.0.1:1"}, 3, "Redis can't be reached (ConnectionError"),
        (["worker_health"], {"REDIS_URL": "redis://127.0.0.1:1"}, 3, "Redis can't be reached (ConnectionError"),
        (["retry_failed", "--queue", "mail"], {}, 2, "no such queue: 'mail'; there are push"),
        (["retry_failed", "--newer", "soon"], {}, 2, "'soon' is not a time"),
        (["dead_letters", "replay"], {}, 2, "name ids of dead letters, or use --all"),
        (["prune_subscriptions", "--host", "evil.example"], {}, 2, "--host goes with a cause"),
        (["prune_subscriptions", "dead"], {}, 2, "'dead' is not one of"),
        (["enqueue", "process-image", "{"], {}, 2, "the payload is not JSON"),
        (
            ["enqueue", "process-image", "{}", "--options", '{"repeat": 1}'],
            {},
            2,
            "--options: repeat: Extra inputs are",
        ),
        (["enqueue", "process-image", "{}", "--options", "{"], {}, 2, "--options is not JSON: Expecting"),
        (
            ["enqueue", "process-image", "{}", "--options", '{"delay": 1, "lifo": true}', "--delay", "5s"],
            *({}, 2, "given twice, as a flag and in --options: delay"),
        ),
        (["enqueue", "push-follow-up", "{}"], {}, 2, "no such job: 'push-follow-up'; there are "),
    ],
)
async def test_faults_are_named(app: App, arguments: list[str], env: dict[str, str], status: int, reason: str) -> None:
    """In a line or two, with an exit status for the kind of fault."""
    answer = await run(app, *arguments, **env)

    assert status == answer.status
    assert reason in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), (" 7d", 604_800), ("15m", 900)])
def test_ages(text: str, seconds: float) -> None:
    """With the units that people write."""
    assert seconds == terminal.age(text)


def test_terminal_escapes_are_shown() -> None:
    """And not obeyed."""
    assert "\x1b" not in terminal.printable(HOSTILE)
    assert "\ufffd[31mred" in terminal.printable(HOSTILE)
    assert "żółw 🐢" == terminal.printable("żółw 🐢")
