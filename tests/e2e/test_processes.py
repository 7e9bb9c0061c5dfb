"""A worker of several processes: all take jobs, and all end together, whichever ends first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import psutil

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.polling import BUSY, until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.wires import Mess
    from tests.support.worker_process import WorkerProcess

ENV = {
    "SHUTDOWN_GRACE": "3",
    "LEASE_DURATION": "2",
    "PUSH_NOTIFICATIONS_PROCESSES": "2",
    "PUSH_NOTIFICATIONS_CONCURRENCY": "5",
}


async def _all_started(worker: WorkerProcess) -> list[int]:
    """The pids of the members, once all consume."""
    await worker.logged("started", 2)
    return [child.pid for child in psutil.Process(worker.pid).children()]


async def test_each_process_has_the_queues_concurrency_and_one_alone_the_files(mess: Mess) -> None:
    """Ten naps of a second are under way at once, five in each; the queue that has one process stays in one."""
    async with mess.worker(**ENV) as worker:
        pids = await _all_started(worker)
        files = mess.rq("file-nap", *[{"seconds": [0.2]}] * 6, queue=FILES)
        naps = await mess.bullmq("nap", *[{"seconds": [1.0]}] * 10)
        await worker.logged("job_done", len(naps) + len(files))
        status, _ = await worker.terminate(4)

    assert 2 == len(pids)
    assert worker.pid not in pids
    by_pid = [{line["pid"] for line in mess.record if line["name"] == name} for name in ("nap", "file-nap")]
    assert [set(pids), 1] == [by_pid[0], len(by_pid[1])]
    lines = [line for line in mess.record if line["name"] == "nap"]
    began, ended = ([line["at"] for line in lines if line["event"] == event] for event in ("start", "end"))
    assert max(began) < min(ended)
    assert 0 == status


async def test_sigterm_to_the_leader_stops_each_process(mess: Mess) -> None:
    """SIGTERM to the leader alone, as a container gets it: jobs are finished, the status is 0."""
    async with mess.worker(**ENV) as worker:
        await _all_started(worker)
        ids = await mess.bullmq("nap", *[{"seconds": [1.0]}] * 10)
        await until(lambda: len(mess.record) == len(ids), 5.0, lambda: str(mess.record))
        status, seconds = await worker.terminate(4)

    assert 0 == status
    assert seconds < 3 + BUSY
    assert set(ids) == mess.done()
    assert 2 == len(worker.lines("stopped"))


async def test_a_signal_to_all_at_once_is_one(mess: Mess) -> None:
    """A PaaS sends SIGTERM to every process of the dyno."""
    async with mess.worker(**ENV) as worker:
        for pid in [*await _all_started(worker), worker.pid]:
            os.kill(pid, signal.SIGTERM)
        assert 0 == await worker.wait(4)

    assert 2 == len(worker.lines("stopping"))


async def test_when_one_process_dies_the_others_give_back_and_the_worker_ends(mess: Mess) -> None:
    """The platform starts it anew: the status is 1, the log names the process, and no job is lost."""
    async with mess.worker(**ENV) as worker:
        pids = await _all_started(worker)
        ids = await mess.bullmq("nap", *[{"seconds": [60, 0]}] * 10)
        await until(lambda: len(mess.record) == len(ids), 5.0, lambda: str(mess.record))
        os.kill(pids[0], signal.SIGKILL)
        status = await worker.wait(5)

    assert 1 == status
    [ended] = worker.lines("process_ended")
    assert -signal.SIGKILL == ended["status"]
    assert 5 == len(worker.lines("job_released"))

    async with mess.worker(LEASE_DURATION="2") as second:
        await second.logged("job_done", len(ids))
    assert set(ids) == mess.done()


async def test_a_process_that_is_stopped_and_goes_on_is_no_end(mess: Mess) -> None:
    """The leader gets a signal of that, too."""
    async with mess.worker(**ENV) as worker:
        pids = await _all_started(worker)
        os.kill(pids[1], signal.SIGSTOP)
        await asyncio.sleep(0.2)
        os.kill(pids[1], signal.SIGCONT)
        [job_id] = await mess.bullmq("nap", {})
        await worker.logged("job_done", id=job_id)
        assert not worker.lines("process_ended")
        await worker.terminate(4)


async def test_without_their_leader_the_others_stop(mess: Mess) -> None:
    """A killed leader can't stop them; left alone, they would run beside the next worker."""
    async with mess.worker(**ENV) as worker:
        pids = await _all_started(worker)
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: not any(map(psutil.pid_exists, pids)), 5.0, lambda: f"{pids} live")


async def test_a_worker_of_one_process_has_no_leader(mess: Mess) -> None:
    """The process that was started runs the jobs itself."""
    async with mess.worker() as worker:
        await mess.bullmq("nap", {})
        await worker.logged("job_done")

    assert {worker.pid} == {line["pid"] for line in mess.record}


async def test_each_process_of_the_real_worker_has_its_port(app: App) -> None:
    """It answers for the queues that it serves, and shares what it was started with."""
    port = _two_free_ports()
    async with app.worker(**ENV, METRICS_PORT=str(port)) as worker:
        await worker.logged("started", 2)
        async with httpx.AsyncClient() as client:
            answers = [await client.get(f"http://127.0.0.1:{port + number}/readyz") for number in (0, 1)]
        status, _ = await worker.terminate(4)

    assert [200, 200] == [answer.status_code for answer in answers]
    queues = [{loop["queue"] for loop in answer.json()["loops"]} for answer in answers]
    assert [{PUSHES, FILES, "exports"}, {PUSHES}] == queues
    assert 0 == status
    assert not worker.stderr


def _two_free_ports() -> int:
    """A free port whose next one is free, too."""
    while True:
        port = free_port()
        with socket.socket() as next_one, contextlib.suppress(OSError, OverflowError):
            next_one.bind(("127.0.0.1", port + 1))
            return port
