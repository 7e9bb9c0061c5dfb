"""Each alert fires and resolves in a real Prometheus that scrapes a real worker.py and web.py: `make alerts`.

The causes are real; a minute of the rules lasts two seconds.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import yaml

from tests.support.alert_stage import EXPORTS, FILES, PUSHES, staged
from tests.support.prometheus import ALERTS, MINUTE
from tests.support.push_service import Answer, PushService
from tests.support.small_disk import fill
from tests.support.worker_process import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.smtp_server import SmtpServer
    from tests.support.app import App

FAULTY_WEB = PROJECT / "tests" / "support" / "faulty_web.py"
PUSH = {"userId": "user-1", "payload": {"title": "Ada", "body": "Are you there?"}}
MANY = 12  # a dozen
MINUTE_OF_A_CLOCK = 60.0  # seconds


async def test_a_worker_that_is_gone(app: App) -> None:
    """No worker serves a queue: the API reports it, and its scrapes get no answer."""
    async with staged(app) as stage:
        await stage.prometheus.fires("NoReadyWorker", f"NoWorker {PUSHES}", f"NoWorker {FILES}")
        async with stage.worker() as worker:
            await stage.is_calm()
            await worker.terminate(30.0)
        await stage.prometheus.fires("NoReadyWorker", f"NoWorker {PUSHES}", f"NoWorker {FILES}")
        async with stage.worker():
            await stage.is_calm()


async def test_a_store_that_is_away(app: App) -> None:
    """File jobs and exports can't run, and pushes can."""
    store = app.folder / "store"
    names = "ServerAway storage", *(f"NoReadyWorker {queue}" for queue in (FILES, EXPORTS))
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        shutil.rmtree(store)
        store.touch()
        await stage.prometheus.fires(*names)
        assert set(names) == await stage.prometheus.firing()
        store.unlink()
        store.mkdir()
        await stage.prometheus.resolved(*names)


async def test_a_temporary_directory_that_is_full(app: App, small_disk: Path) -> None:
    """Its worker takes no file jobs and no exports until there is room."""
    not_served = [f"QueueNotServed {queue} {wire}" for queue in (FILES, EXPORTS) for wire in ("bullmq", "rq")]
    names = "Disk", *(f"NoReadyWorker {queue}" for queue in (FILES, EXPORTS)), *not_served
    async with staged(app) as stage, stage.worker(TMPDIR=str(small_disk)):
        await stage.is_calm()
        filler = fill(small_disk)
        await stage.prometheus.fires(*names)
        assert set(names) == await stage.prometheus.firing()
        filler.unlink()
        await stage.prometheus.resolved(*names)


async def test_a_redis_that_goes_away_again_and_again(app: App) -> None:
    """Away for long, and then for a moment three times within the hour."""
    not_served = [f"QueueNotServed {queue} {wire}" for queue in (PUSHES, FILES) for wire in ("bullmq", "rq")]
    flaps = [f"RedisFlaps {queue} {wire}" for queue in (PUSHES, FILES) for wire in ("bullmq", "rq")]
    async with staged(app) as stage, stage.worker() as worker:
        await stage.is_calm()
        stage.redis.stop()
        await stage.prometheus.fires("RedisAway", *not_served)
        stage.redis.start()
        await worker.logged("broker_back", 4, within=30.0)
        for times in (2, 3, 4, 5):
            stage.redis.stop()
            await worker.logged("broker_lost", 4 * times, within=30.0)
            stage.redis.start()
            await worker.logged("broker_back", 4 * times, within=30.0)
        await stage.prometheus.resolved("RedisAway", *not_served)
        await stage.prometheus.fires(*flaps)
        await stage.prometheus.resolved(*flaps)


async def test_jobs_that_fail(app: App) -> None:
    """A producer sends unreadable payloads."""
    names = "DeadLetters", f"JobsFail {FILES} process-image"
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        for _ in range(MANY):
            await stage.mess.bullmq("process-image", {"fileId": None}, queue=FILES)
            await asyncio.sleep(MINUTE)
        await stage.prometheus.fires(*names)
        await stage.prometheus.resolved(*names)


async def test_pushes_that_are_refused(app: App, push_service: PushService) -> None:
    """Most devices are gone: the first batch counts 120, from 0. Then all services refuse this server for a while."""
    rows = [push_service.subscribe(f"user-{number}") for number in range(160)]
    for number, row in enumerate(rows):
        app.subscribe(row)
        push_service.answer(row, Answer(410) if number >= 40 else Answer())
    batch = {"all": True, "payload": PUSH["payload"]}
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        await stage.mess.bullmq("push-batch", batch)
        await stage.prometheus.fires("ManyGone other")
        for row in rows:
            push_service.answer(row, Answer(403))
        for _ in range(MANY):
            await stage.mess.bullmq("push-batch", batch)
            await asyncio.sleep(MINUTE)
        await stage.prometheus.fires("PushRefused other")
        for row in rows:  # what was put off is asked again, and refused again, as long as they refuse us
            push_service.answer(row, Answer())
        await stage.prometheus.resolved("ManyGone other", "PushRefused other")


async def test_rows_that_can_not_be_used(app: App, push_service: PushService) -> None:
    """Unreadable keys, endpoints at no push service, another VAPID key: counted apart, and no row is deleted."""
    rows = [push_service.subscribe(f"user-{number}") for number in range(3 * MANY)]
    for number, row in enumerate(rows):
        match number % 3:
            case 0:
                app.subscribe(replace(row, p256dh=f'"{row.p256dh}"'))
            case 1:
                app.subscribe(replace(row, endpoint=f"https://push.example/{number}"))
            case _:
                app.subscribe(row)
                push_service.answer(row, Answer(400, body=b'{"reason":"VapidPkHashMismatch"}'))
    names = [f"UnusableSubscriptions {cause}" for cause in ("unreadableKeys", "refusedEndpoint", "keyMismatch")]
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        await stage.mess.bullmq("push-batch", {"all": True, "payload": PUSH["payload"]})
        await stage.prometheus.fires(*names)
        assert [(len(rows),)] == app.sql('SELECT count(*) FROM "PushSubscription"')
        await stage.prometheus.resolved(*names)


async def test_mails_that_are_refused(app: App, smtp_server: SmtpServer) -> None:
    """Every second recipient is unknown, which somebody should look into. Then the mail server refuses the worker."""
    smtp_server.answer("RCPT nobody@example.com", "550 5.1.1 no such user")
    mail = {"to": ["ada@example.com", "nobody@example.com"], "subject": "Hello", "text": "Hello"}
    server = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(smtp_server.port), "MAIL_FROM": "app@app.example"}
    async with staged(app) as stage, stage.worker(0, **server, EMAIL_RATE_MAX="0") as worker:
        await stage.is_calm()
        await stage.mess.bullmq("generic", *[mail] * (3 * MANY), queue="email")
        await stage.prometheus.fires("MailBounces")
        assert {"MailBounces"} == await stage.prometheus.firing()
        await worker.logged("job_done", 3 * MANY)
        smtp_server.answer("MAIL", "530 5.7.0 sign in first")
        for _ in range(MANY):
            await stage.mess.bullmq("generic", mail, queue="email")
            await asyncio.sleep(MINUTE)
        await stage.prometheus.fires("MailRefused", "ServerAway mail_server")
        await stage.prometheus.resolved("MailRefused", "MailBounces")


async def test_a_queue_without_workers(app: App) -> None:
    """It grows and its jobs wait; once it is empty the alert resolves."""
    names = f"QueueGrows {FILES} bullmq", f"JobsWaitTooLong {FILES}", f"NoWorker {FILES}"
    async with staged(app, {"> 300": "> 10"}) as stage, stage.worker(QUEUES=PUSHES):
        for _ in range(40):
            await stage.mess.bullmq("process-image", *[{"fileId": None}] * 100, queue=FILES)
            await asyncio.sleep(MINUTE)
        await stage.prometheus.fires(*names)
        assert stage.redis.is_running
        await stage.ask("POST", f"/queue/drain?queue={FILES}")
        async with stage.worker(1, QUEUES=FILES):
            await stage.prometheus.resolved(*names)


async def test_a_scheduler_that_has_stopped(app: App) -> None:
    """The app's pattern is unreadable; the alert resolves once the app has written another and a worker has seen it."""
    async with staged(app) as stage:
        key, due = f"bull:{PUSHES}:repeat", (time.time() - MINUTE_OF_A_CLOCK) * 1000
        stage.mess.redis.hset(f"{key}:nightly", mapping={"name": "noop", "ic": "1", "pattern": "0 9 * * 8"})
        stage.mess.redis.zadd(key, {"nightly": round(due)})
        async with stage.worker(0), stage.worker(1):
            await stage.prometheus.fires(f"SchedulerStopped {PUSHES}")
            stage.mess.redis.hset(f"{key}:nightly", "pattern", "0 9 * * 7")
        async with stage.worker(0), stage.worker(1):  # a worker looks as it starts, and every five minutes
            await stage.prometheus.resolved(f"SchedulerStopped {PUSHES}")


async def test_a_worker_that_is_silent(app: App, push_service: PushService) -> None:
    """Another worker takes its jobs; when it wakes up, it has lost them."""
    app.subscribe(push_service.subscribe())
    push_service.pace = 5.0
    jobs = dict.fromkeys(range(MANY), PUSH)
    quick = {"LEASE_DURATION": "2", "PUSH_NOTIFICATIONS_CONCURRENCY": str(MANY)}
    async with staged(app) as stage, stage.worker(0, **quick) as silent:
        await stage.is_calm()
        await stage.mess.bullmq("push-notification", *jobs.values())
        await asyncio.sleep(1.0)  # they run
        silent.signal(signal.SIGSTOP)
        async with stage.worker(1, **quick) as other:
            await other.logged("jobs_recovered", within=60.0)
            await stage.prometheus.fires("JobsRecovered bullmq")
            silent.signal(signal.SIGCONT)
            await stage.prometheus.fires(f"JobsLost {PUSHES}")
            await stage.prometheus.resolved("JobsRecovered bullmq", f"JobsLost {PUSHES}")


async def test_a_worker_short_of_processor_and_memory(app: App) -> None:
    """It stalls again and again; it has more memory than it may, until its images are done."""
    images = [{"fileId": str(n), "filePath": app.upload(str(n), (4000, 3000)), "userId": 1} for n in range(60)]
    async with staged(app, {"0.9 * 512 * 1024 * 1024": "120 * 1024 * 1024"}) as stage, stage.worker() as worker:
        await stage.is_calm()
        for _ in range(8):
            worker.signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)
            worker.signal(signal.SIGCONT)
            await asyncio.sleep(1.0)
        await stage.prometheus.fires("LoopLags")
        await stage.mess.bullmq("process-image", *images, queue=FILES)
        await stage.prometheus.fires("Memory")
        await worker.logged("job_done", len(images), within=120.0)
        await stage.prometheus.resolved("LoopLags", "Memory")


async def test_a_redis_that_is_full(app: App) -> None:
    """It answers and refuses writes, which is not an outage."""
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        stage.mess.redis.config_set("maxmemory", "1")
        await stage.prometheus.fires("RedisRefuses")
        assert "RedisAway" not in await stage.prometheus.firing()
        stage.mess.redis.config_set("maxmemory", "0")
        await stage.prometheus.resolved("RedisRefuses")


async def test_a_redis_that_comes_back_empty(app: App) -> None:
    """The worker goes on; the loss of data is reported for 15 minutes."""
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        stage.redis.stop()
        stage.redis._appendonly = False
        stage.redis.start()
        await stage.prometheus.fires("RedisLostData")
        stage.forget_faults()
        await stage.prometheus.resolved("RedisLostData")


async def test_faults(app: App) -> None:
    """A fault of the API, and one that ends a worker."""
    names = "Fault api_fault", "Fault loop_ended"
    async with staged(app, script=FAULTY_WEB) as stage, stage.worker():
        await stage.is_calm()
        broken = stage.mess.worker(CHAOS_BREAK="0.5")
        await broken.start()
        assert 1 == await broken.wait(30.0)
        assert 500 == (await stage.ask("POST", f"/queue/pause?queue={FILES}")).status_code
        await stage.prometheus.fires(*names)
        stage.forget_faults()
        await stage.prometheus.resolved(*names)


def test_every_rule_has_fired() -> None:
    """Each has fired in a test of this folder."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    tests = "".join(file.read_text() for file in (PROJECT / "tests" / "live").glob("test_alerts*.py"))

    assert [] == [rule["alert"] for rule in rules if f'"{rule["alert"].removeprefix("Pushmill")}' not in tests]
