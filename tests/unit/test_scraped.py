"""What the web process says of the queues while Redis is slow, hangs or is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from queue_lib.web.api import metrics
from queue_lib.web.api.metrics import FRESH, STALE, Scraped
from tests.support.exposition import Exposition

if TYPE_CHECKING:
    import pytest

    from queue_lib.admin.admin import Admin
    from queue_lib.admin.queues import QueueStats
    from queue_lib.observe.worker_stats import WorkerView


class Slow:
    """Stands for the admin and its parts: it answers when the test says so."""

    def __init__(self) -> None:
        self.queues = self.workers = self.dead_letters = self
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def check(self) -> None:
        """The queue takes jobs."""

    async def stats(self) -> list[QueueStats]:
        """No queue."""
        self.asked += 1
        await self.answers.wait()
        return []

    async def alive(self) -> list[WorkerView]:
        """No worker."""
        return []

    async def faults(self, minutes: int) -> dict[str, int]:
        """No fault."""
        return {}

    async def count(self) -> int:
        """The number of dead letters."""
        return 7


async def test_the_last_values_are_served_while_redis_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """For half a minute; then Redis counts as away. It is asked once for all scrapes, and its late answer counts."""
    monkeypatch.setattr(metrics, "IN_TIME", 0.0)
    now, admin = [100.0], Slow()
    scraped = Scraped(clock=lambda: now[0])

    async def scrape() -> Exposition:
        return Exposition((await scraped.text(cast("Admin", admin))).decode())

    async def read() -> Exposition:
        await scrape()
        await asyncio.sleep(0)  # what was asked for is answered
        return await scrape()

    first = await read()
    admin.answers.clear()
    now[0] += FRESH
    hanging = await scrape()
    now[0] += STALE - FRESH
    away = [await scrape() for _ in range(5)]
    asked = admin.asked
    admin.answers.set()
    await asyncio.sleep(0)
    back = await read()

    assert [7, 7, 7] == [page("pushmill_dead_letters") for page in (first, hanging, back)]
    assert {0} == {page("pushmill_redis_up") for page in away}
    assert not any("pushmill_dead_letters" in page.names for page in away)
    assert 2 == asked
