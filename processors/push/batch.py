"""`push-batch`: one notification to many users, or to everybody, in pages."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING

from processors.push.audience import Audience
from processors.push.cancelling import CANCELLED, is_cancelled
from processors.push.fan_out import FanOut
from processors.push.processor import wait_until_due
from processors.push.result import PushResult
from queue_lib.errors import SnoozeError
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from processors.push.dependencies import PushDependencies
    from processors.push.payload import BatchPayload
    from queue_lib.processor import Context
    from storage.ports import Subscription

# Subscriptions in a page, users in a query, and pages under way: while one waits for a slow answer, the others go on.
PAGE, USERS, PAGES = 500, 500, 8
# Seconds before the deadline from which on no page begins. The job continues in another run.
MARGIN = 60.0
# Seconds before the deadline at which pages under way are cut short.
CUT = 5.0
_CURSOR = "cursor"


class Cursor(Model):
    """The position of a batch: the `chunk` of user ids, and the id `after` which the next page begins.

    `seen` is the number of subscriptions so far, `result` what became of them.
    """

    chunk: int = 0
    after: str | None = None
    seen: int = 0
    result: PushResult = PushResult()


class PushBatch:
    """Sends one notification to the devices of many users. Memory does not grow with their number.

    The position is noted after each page, so that another run continues there.
    """

    def __init__(self, dependencies: PushDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: BatchPayload, context: Context, /) -> PushResult:
        """Run one job, or a part of it: it raises SnoozeError if another run has to continue. Raises PermanentError."""
        wait_until_due(payload, self._dependencies)
        fan_out = await FanOut.open(self._dependencies, payload, context)
        noted = fan_out.ledger.others.get(_CURSOR)
        cursor = Cursor.model_validate_json(noted) if noted else Cursor()
        pages = Pages(Audience(self._dependencies, payload), payload.user_ids, cursor)
        await pages.count()
        fan_out.other_end.read = pages.last
        async with fan_out:
            return await _Run(fan_out, pages, payload, context, cursor).to_the_end()


class Pages:
    """The subscriptions of a batch in pages, by id, from the position `cursor` on."""

    def __init__(self, audience: Audience, user_ids: Sequence[str] | None, cursor: Cursor) -> None:
        """Read the subscriptions of these users, or of all users (None)."""
        self._audience = audience
        self._start = cursor
        self._chunks = [None] if user_ids is None else [user_ids[i : i + USERS] for i in range(0, len(user_ids), USERS)]
        self._total = 0
        self._is_read = False

    async def count(self) -> None:
        """Count all subscriptions, for the progress, if the batch is for all users."""
        if self._chunks == [None]:
            self._total = await self._audience.count()

    def percent(self, cursor: Cursor) -> float:
        """The progress at a position, 0 to 99."""
        done = cursor.seen / max(1, self._total) if self._total else cursor.chunk / len(self._chunks)
        return min(99.0, round(100 * done, 1))

    async def read(self) -> AsyncGenerator[tuple[Cursor, list[Subscription]], None]:
        """Pages, each with the position after it. The caller fills in `seen` and `result`."""
        after = self._start.after
        for chunk in range(self._start.chunk, len(self._chunks)):
            rows = await self._page(chunk, after)
            while rows:
                after = rows[-1].id
                yield Cursor(chunk=chunk, after=after), rows
                rows = await self._page(chunk, after) if len(rows) == PAGE else []
            after = None
        self._is_read = True

    async def last(self) -> Sequence[Subscription]:
        """The last subscriptions of the list (or of its last users); none once all pages are read."""
        rows = await self._audience.last(PAGE, self._chunks[-1])
        return [] if self._is_read else rows

    async def _page(self, chunk: int, after: str | None) -> list[Subscription]:
        return await self._audience.page(after, PAGE, self._chunks[chunk])


class _Run:
    """One run of a batch. Pages end in any order; their ends are noted in the order of the list."""

    def __init__(self, fan_out: FanOut, pages: Pages, payload: BatchPayload, context: Context, cursor: Cursor) -> None:
        self._fan_out = fan_out
        self._pages = pages
        self._payload = payload
        self._context = context
        self._cursor = cursor
        self._under_way: deque[tuple[Cursor, list[Subscription], asyncio.Task[PushResult]]] = deque()
        self._margin = min(MARGIN, context.remaining() / 2)

    async def to_the_end(self) -> PushResult:
        try:
            async with asyncio.timeout(self._context.remaining() - min(CUT, self._margin / 2)) as limit:
                pause = await self._send_pages()
                while self._under_way:
                    await self._end_first()
        except TimeoutError:
            if not limit.expired():
                raise
            pause = _next_turn()
        finally:
            await self._stop()
        if pause is not None:
            raise pause
        await self._context.progress(100)
        return self._cursor.result

    async def _send_pages(self) -> SnoozeError | None:
        """Begin page after page. Returns the reason if another run is to go on; none follows a cancelled page."""
        try:
            async with aclosing(self._pages.read()) as pages:
                async for position, rows in pages:
                    if await is_cancelled(self._payload, self._context):
                        self._cursor = self._cursor.model_copy(update={"result": self._cursor.result.plus(CANCELLED)})
                        return None
                    self._under_way.append((position, rows, asyncio.create_task(self._fan_out.deliver(rows))))
                    if len(self._under_way) >= PAGES:
                        await self._end_first()
                    if self._context.remaining() < self._margin:
                        return _next_turn()
        except SnoozeError as pause:
            return pause
        return None

    async def _end_first(self) -> None:
        """Wait for the oldest page, and note its end. Raises PermanentError as check_configuration does."""
        position, rows, page = self._under_way[0]
        result = await page
        self._under_way.popleft()
        before = self._cursor
        if before.result.sent == 0:
            self._fan_out.check_configuration()
        self._cursor = position.model_copy(
            update={"seen": before.seen + len(rows), "result": before.result.plus(result)}
        )
        await self._fan_out.ledger.write({_CURSOR: self._cursor.model_dump_json(by_alias=True)}, forget=rows)
        await self._context.progress(self._pages.percent(self._cursor))

    async def _stop(self) -> None:
        """Cancel the pages that are still under way."""
        tasks = [page for *_, page in self._under_way]
        for page in tasks:
            page.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _next_turn() -> SnoozeError:
    return SnoozeError("its time is nearly over; the rest follows in another run", 0.0)
