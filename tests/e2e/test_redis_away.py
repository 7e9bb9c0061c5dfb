"""Redis is away for five seconds and comes back with its data: the worker lives through it and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tests.support.polling import BUSY, until
from tests.support.redis_server import RedisServer
from tests.support.wires import Mess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.worker_process import WorkerProcess

AWAY = 5.0  # seconds
BACK_WITHIN = 12.0 + 2 * BUSY  # seconds: the worker asks again every five at the latest


async def test_redis_away_for_five_seconds(tmp_path: Path) -> None:
    """A worker that is idle, busy or rate-limited when Redis stops does all its jobs, and logs a few lines."""
    await asyncio.gather(*(case(_folder(tmp_path, case.__name__)) for case in (_idle, _busy, _limited)))


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


@contextlib.asynccontextmanager
async def _working(folder: Path, **env: str) -> AsyncIterator[tuple[RedisServer, Mess, WorkerProcess]]:
    with RedisServer(appendonly=True) as server:
        async with Mess.at(server.url, folder) as mess, mess.worker(**env) as worker:
            yield server, mess, worker


async def _outage(server: RedisServer) -> None:
    server.stop()
    await asyncio.sleep(AWAY)
    server.start()


async def _check(mess: Mess, worker: WorkerProcess, ids: list[str]) -> None:
    """The same process has done all jobs, and logged two lines a consumer: the outage began, and it ended."""
    await until(
        lambda: {line["id"] for line in worker.lines("job_done")} >= set(ids), BACK_WITHIN, lambda: worker.stdout
    )
    lost = _consumers(worker, "broker_lost")
    await until(lambda: _consumers(worker, "broker_back") == lost, BACK_WITHIN, lambda: worker.stdout)
    assert worker.is_running

    assert len(lost) == len(set(lost)) >= 2  # a consumer that waits for a free slot all the time has nothing to report
    assert all(AWAY - 1 < line["seconds"] < AWAY + BACK_WITHIN for line in worker.lines("broker_back"))
    assert 2 * len(lost) + 1 == sum(not line["event"].startswith("job_") for line in worker.log)  # and `started`
    counts = await mess.counts()
    assert (0, 0, 0) == (counts["bullmq failed"], counts["rq failed"], counts["letters"])

    status, _ = await worker.terminate(5.0 + BUSY)
    assert 0 == status
    assert not worker.stderr


def _consumers(worker: WorkerProcess, event: str) -> list[tuple[str, str]]:
    return sorted((line["wire"], line["queue"]) for line in worker.lines(event))


async def _idle(folder: Path) -> None:
    async with _working(folder) as (server, mess, worker):
        await asyncio.sleep(0.5)  # it listens by then
        await _outage(server)
        ids = [*await mess.bullmq("nap", {}, {}), *mess.rq("nap", {}, {})]
        await _check(mess, worker, ids)
        assert 4 == len(worker.lines("broker_lost"))  # two queues on two wires


async def _busy(folder: Path) -> None:
    """Jobs that end before, during and after the outage, and more behind them; none runs twice.

    The outage is shorter than a lease; after a longer one a job may run again, as after a kill.
    """
    tasks = [{"seconds": [seconds]} for seconds in (0.1, 2.0, 7.0, 0.1, 0.1)]
    async with _working(folder, PUSH_NOTIFICATIONS_CONCURRENCY="6") as (server, mess, worker):
        ids = [*await mess.bullmq("nap", *tasks), *mess.rq("nap", *tasks)]
        await until(lambda: len(mess.done()) >= 1)
        await _outage(server)
        await _check(mess, worker, ids)
        assert sorted(ids) == sorted(line["id"] for line in mess.record if line["event"] == "start")


async def _limited(folder: Path) -> None:
    """Thirty jobs at five a second: the limit is reached when Redis goes, and kept when it is back."""
    limit = {"PUSH_NOTIFICATIONS_RATE_MAX": "5"}
    async with _working(folder, **limit) as (server, mess, worker):
        ids = [*await mess.bullmq("nap", *[{}] * 15), *mess.rq("nap", *[{}] * 15)]
        await until(lambda: len(mess.done()) >= 5)
        await _outage(server)
        await _check(mess, worker, ids)
