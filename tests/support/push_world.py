"""Two processes that send to a push service, and share facts about it."""

from __future__ import annotations

from typing import Any

from processors.push.delivery import Delivery, Kind
from processors.push.gate import Permit
from processors.push.origins import SEVERAL, SILENT, Origins
from queue_lib.broker.board import MemoryBoard
from tests.support.push_fakes import ORIGIN, Clock

OTHER = "https://other.test"
SENT, FAILED = Delivery(Kind.SENT), Delivery(Kind.TRANSIENT, "no answer in time")


class World:
    """Two processes that share a board, and one clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.board = MemoryBoard(self.clock)
        self.one, self.two = (Origins(10, self.clock) for _ in range(2))

    async def enter(self, origins: Origins | None = None, name: str = ORIGIN, *, small: bool = True) -> Any:
        """Ask for a permit, as a job does."""
        origins = origins or self.one
        await origins.hear(self.board)
        return await origins.enter(name, object(), self.board, small=small)

    async def end(self, permit: Any, delivery: Delivery, row: str = "1", origins: Origins | None = None) -> None:
        """End the request of this permit with this outcome."""
        assert isinstance(permit, Permit)
        origins = origins or self.one
        await origins.saw(ORIGIN, permit, delivery, row, self.board)
        origins.leave(ORIGIN, permit)

    async def ask(self, delivery: Delivery, seconds: float = 0.0, origins: Origins | None = None) -> None:
        """Make one request, which ends like this after this many seconds."""
        permit = await self.enter(origins)
        self.clock.now += seconds
        await self.end(permit, delivery, origins=origins)

    async def hang(self) -> None:
        """Let several requests time out."""
        for permit in [await self.enter() for _ in range(SEVERAL)]:
            self.clock.now += SILENT + 1
            await self.end(permit, FAILED)

    async def is_left_alone(self, origins: Origins | None = None, name: str = ORIGIN) -> Delivery | None:
        """The outcome of a request that is not sent; None if it might be sent."""
        permit = await self.enter(origins, name)
        if isinstance(permit, Delivery):
            return permit
        (origins or self.one).leave(name, permit)
        return None
