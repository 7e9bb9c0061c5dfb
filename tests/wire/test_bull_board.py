"""Bull Board, BullMQ's usual dashboard, on the same Redis: it shows our jobs, and its buttons work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.node import bull_board, node
from tests.support.polling import EVERY, PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")


class Board:
    """A client that asks as the board's page does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """Over this client."""
        self._http = http

    async def queue(self, name: str, status: str = "latest") -> dict[str, Any]:
        """One queue, with its jobs of a status."""
        answer = await self._http.get("/api/queues", params={"activeQueue": name, "status": status})
        answer.raise_for_status()
        [found] = [queue for queue in answer.json()["queues"] if queue["name"] == name]
        return dict(found)

    async def job(self, queue: str, job_id: str) -> dict[str, Any]:
        """One job."""
        answer = await self._http.get(f"/api/queues/{queue}/{job_id}")
        return dict(answer.raise_for_status().json()["job"])

    async def act(self, path: str) -> None:
        """Press a button."""
        (await self._http.put(f"/api/queues/{path}")).raise_for_status()


@pytest.fixture
async def board(mess: Mess) -> AsyncIterator[Board]:
    """A board of all queues."""
    async with bull_board(mess.url, PUSHES, FILES, "dead") as url, httpx.AsyncClient(base_url=url) as http:
        yield Board(http)


async def settled(mess: Mess, **wanted: int) -> None:
    """Wait until the wires have counted this many jobs."""

    def differs(counts: dict[str, int]) -> bool:
        return any(counts[name.replace("_", " ")] != count for name, count in wanted.items())

    async with asyncio.timeout(PATIENCE):
        while differs(await mess.counts()):
            await asyncio.sleep(EVERY)


async def test_it_shows_our_jobs(mess: Mess, board: Board) -> None:
    """Completed and failed ones with progress, result, reason and stack; and the dead letters."""
    async with mess.worker():
        [done] = await mess.bullmq("report", {"seconds": [0]})
        [failed] = await mess.bullmq("fail-for-good", {"message": "no such user"})
        await settled(mess, letters=1, bullmq_completed=1, bullmq_failed=1)

    queue, letters = await board.queue(PUSHES), await board.queue("dead", "waiting")
    report, failure = await board.job(PUSHES, done), await board.job(PUSHES, failed)
    assert (1, 1) == (queue["counts"]["completed"], queue["counts"]["failed"])
    assert ({"reports": 2}, 50) == (report["returnValue"], report["progress"])
    assert "no such user" == failure["failedReason"]
    assert "PermanentError" in failure["stacktrace"][0]
    assert ["fail-for-good_failed"] == [letter["name"] for letter in letters["jobs"]]


async def test_its_buttons(mess: Mess, board: Board) -> None:
    """Pause and resume hold for both wires; retry runs a failed job again; promote lets a delayed one run at once."""
    await board.act(f"{PUSHES}/pause")
    added = await node(  # by the board's major: two of them on one paused queue don't go together
        mess.url,
        ("add", PUSHES, "nap", {"seconds": [0]}, {"delay": 3_600_000}),
        ("add", PUSHES, "flaky", {"seconds": [0]}, {"attempts": 1}),
    )
    delayed, flaky = (job["id"] for job in added)
    [rq] = mess.rq("nap", {"seconds": [0]})
    [other] = await mess.bullmq("file-nap", {"seconds": [0]}, queue=FILES)

    async with mess.worker():
        await until(lambda: mess.runs(other, "end"))
        assert (await board.queue(PUSHES))["isPaused"]
        assert {other} == {line["id"] for line in mess.record}

        await board.act(f"{PUSHES}/resume")
        await settled(mess, letters=1, rq_completed=1)
        await board.act(f"{PUSHES}/{flaky}/retry")
        await board.act(f"{PUSHES}/{delayed}/promote")
        await settled(mess, bullmq_completed=2)

    assert {other, rq, flaky, delayed} == mess.done()
