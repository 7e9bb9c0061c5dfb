"""A team's own jobs, as `jobs.py` in a folder of its own: added by stock Node bullmq and stock RQ, run by worker.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
from rq import Queue as Lane
from rq.job import Job as RQJob

from queue_lib.web import tokens
from tests.support.api_client import FULL, SECRET
from tests.support.node import node
from tests.support.polling import BUSY, PATIENCE
from tests.support.ports import free_port
from tests.support.web_process import web_process
from tests.support.worker_process import PROJECT, WorkerProcess

if TYPE_CHECKING:
    from tests.support.wires import Mess

JOBS = """
import time
from pathlib import Path

from sqlalchemy import text

from queue_lib.jobs import Backoff, Job, Model, PermanentError, Queue, TransientError


class Invoice(Model):
    invoice_id: str


class SendInvoice(Job[Invoice]):
    name = "send-invoice"
    queue = "invoices"

    async def handle(self, payload, context):
        async with self.tools.database.begin() as db:
            await db.execute(text("INSERT INTO sent VALUES (:id)"), {"id": payload.invoice_id})
        await self.tools.cache.set("last", payload.invoice_id, 60)
        Path("bill.txt").write_text(payload.invoice_id)
        stored = await self.tools.objects.store(Path("bill.txt"), "bills/1.txt", "text/plain", "no-cache")
        return {"sent": await self.tools.cache.get("last"), "url": stored.lasting}


class Print(Job[Invoice]):
    name = "print"
    queue = "invoices"

    def handle(self, payload, context):
        return {"printed": payload.invoice_id}


class Flaky(Job[Invoice]):
    name = "flaky"
    queue = "invoices"
    attempts = 3
    backoff = Backoff((0.01,))

    def handle(self, payload, context):
        if context.job.attempt < 3:
            raise TransientError("the printer is busy")
        return {"attempt": context.job.attempt}


class Hang(Job[Invoice]):
    name = "hang"
    queue = "invoices"

    def handle(self, payload, context):
        if not Path("hung").exists():
            Path("hung").touch()
            time.sleep(60)


QUEUES = (Queue(name="invoices", concurrency=4),)
JOBS = (SendInvoice, Print, Flaky, Hang)
"""
INVOICE = {"invoiceId": "i-1"}


def env(mess: Mess) -> dict[str, str]:
    """What its worker needs: nothing of push and media."""
    (mess.folder / "jobs.py").write_text(JOBS)
    (mess.folder / "store").mkdir(exist_ok=True)
    with closing(sqlite3.connect(mess.folder / "app.db")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS sent (id TEXT)")
    return {
        "REDIS_URL": mess.url,
        "JOBS": "jobs",
        "QUEUES": "invoices",  # with a STORAGE_URL it would serve media as well
        "DATABASE_URL": f"sqlite:///{mess.folder}/app.db",
        "STORAGE_URL": f"file://{mess.folder}/store",
    }


@pytest.mark.usefixtures("node_modules")
async def test_both_wires_and_both_kinds_of_handle(mess: Mess) -> None:
    """Their results come back; the tools work; a bad payload is dead, and a busy service is tried again."""
    async with WorkerProcess(env(mess), mess.folder) as worker:
        answers = await node(
            mess.url,
            ("add", "invoices", "send-invoice", INVOICE),
            ("waitUntilFinished", "invoices", None, 20_000),
            ("add", "invoices", "print", INVOICE),
            ("waitUntilFinished", "invoices", None, 20_000),
            ("add", "invoices", "flaky", INVOICE),
            ("waitUntilFinished", "invoices", None, 20_000),
        )
        lane = Lane("invoices", connection=mess.redis, serializer="json")
        added = {name: lane.enqueue(name, INVOICE).id for name in ("send-invoice", "print", "flaky")}
        [bad] = mess.rq("print", {"invoiceId": 7}, queue="invoices")
        await worker.logged("job_done", 6)
        await worker.logged("job_dead", 1)
        [serving] = worker.lines("serving")

    sent = {"sent": "i-1", "url": f"file://{mess.folder}/store/bills/1.txt"}
    assert [sent, {"printed": "i-1"}, {"attempt": 3}] == answers[1::2]
    results = [RQJob.fetch(each, mess.redis, serializer="json").return_value() for each in added.values()]
    assert [sent, {"printed": "i-1"}, {"attempt": 3}] == results
    assert 4 == len(worker.lines("job_retry", name="flaky", reason="the printer is busy"))
    assert {bad: "bad payload for print: invoiceId: Input should be a valid string"} == {
        job: letter["reason"] for job, letter in (await mess.dead_letters()).items()
    }
    assert (["own jobs"], ["invoices"]) == (serving["features"], serving["queues"])
    with closing(sqlite3.connect(mess.folder / "app.db")) as connection:
        assert [("i-1",), ("i-1",)] == connection.execute("SELECT id FROM sent").fetchall()


async def test_a_thread_that_hangs_does_not_keep_the_process(mess: Mess) -> None:
    """Its job goes to the next worker, with no attempt used."""
    [job] = await mess.bullmq("hang", INVOICE, queue="invoices")
    settings = {**env(mess), "SHUTDOWN_GRACE": "2", "INVOICES_TIMEOUT": "0.2"}
    async with WorkerProcess(settings, mess.folder) as first:
        await first.logged("job_overdue", 1, id=job)
        status, seconds = await first.terminate(2 + BUSY)

    assert (0, [job]) == (status, [line["id"] for line in first.lines("job_released")])
    assert seconds < 2 + BUSY
    async with WorkerProcess(settings, mess.folder) as second:
        [line] = await second.logged("job_done", 1)
    assert (job, 1) == (line["id"], line["attempt"])


async def test_the_api_knows_the_jobs(mess: Mess) -> None:
    """It adds one, and refuses a bad payload."""
    env(mess)
    process, url = web_process(mess.url, mess.folder, FULL, JOBS="jobs")
    async with process, httpx.AsyncClient(headers={"Authorization": f"Bearer {SECRET}"}) as client:
        added = await client.post(f"{url}/queue/jobs", json={"name": "print", "data": INVOICE})
        refused = await client.post(f"{url}/queue/jobs", json={"name": "print", "data": {}})

    assert (202, "invoices") == (added.status_code, added.json()["queue"])
    assert 422 == refused.status_code
    assert "bad payload for print: invoiceId: Field required" in refused.text


async def test_schedules_tick(mess: Mess) -> None:
    """By the second and by cron, over two processes of a worker; one that is gone from the module ticks no more."""
    settings = {**env(mess), "INVOICES_PROCESSES": "2"}
    schedules = """
from queue_lib.jobs import Schedule
SCHEDULES = (
    Schedule("seconds", "print", {"invoiceId": "every"}, every=1),
    Schedule("cron", "print", {"invoiceId": "cron"}, cron="* * * * * *", tz="Europe/Berlin"),
)
"""
    (mess.folder / "jobs.py").write_text(JOBS + schedules)
    async with WorkerProcess(settings, mess.folder) as worker:
        for key in ("seconds", "cron"):
            ticks = {line["id"] for line in await worker.logged("job_done", 1, name="print")}
            while len([tick for tick in ticks if tick.startswith(f"repeat:pushmill:{key}:")]) < 3:
                ticks = {line["id"] for line in await worker.logged("job_done", len(ticks) + 1, name="print")}

    (mess.folder / "jobs.py").write_text(JOBS)
    async with WorkerProcess(settings, mess.folder):
        pass
    assert [] == mess.redis.zrange("bull:invoices:repeat", 0, -1)


async def refusal(mess: Mess, script: str, jobs: str) -> list[str]:
    """The output of a process that does not start."""
    settings = {**env(mess), "JOBS": jobs, "QUEUES": "", "API_TOKENS": tokens.entry(FULL), "PORT": str(free_port())}
    process = WorkerProcess(settings, mess.folder, PROJECT / script)
    await process.start()
    try:
        assert 1 == await process.wait(PATIENCE)
    finally:
        await process.kill()
    assert "Traceback" not in process.stdout + process.stderr
    return process.stderr.splitlines()


@pytest.mark.parametrize("script", ["worker.py", "web.py", "scripts/queue_stats.py"])
async def test_a_faulty_module_is_one_line(mess: Mess, script: str) -> None:
    """Each process ends with status 1, and without a stack trace."""
    (mess.folder / "broken.py").write_text("1 / 0")
    (mess.folder / "taken.py").write_text(JOBS.replace('"print"', '"push-batch"'))
    (mess.folder / "homeless.py").write_text(JOBS.replace('"invoices", concurrency', '"bills", concurrency'))
    schedule = 'from queue_lib.jobs import Schedule\nSCHEDULES = (Schedule("night", "prnit", every=60),)\n'
    (mess.folder / "scheduled.py").write_text(JOBS + schedule)

    taken = "the job name 'push-batch' is taken: it is there 2 times, in push and own jobs"
    homeless = "the job 'send-invoice' belongs in the queue 'invoices', and there is none of that name"
    assert [taken] == await refusal(mess, script, "taken")
    assert [homeless] == await refusal(mess, script, "homeless")
    if script != "scripts/queue_stats.py":
        expected = "the schedule 'night' of own jobs: no such job: 'prnit'"
        assert [expected] == await refusal(mess, script, "scheduled")
    assert [
        "JOBS: nothere: No module named 'nothere'",
        f"JOBS: broken: ZeroDivisionError: division by zero ({mess.folder}/broken.py, line 1)",
    ] == await refusal(mess, script, "nothere,broken")
