"""Batches over fakes: pages, progress, and resuming where an earlier run ended."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from processors.push import batch as batch_module
from processors.push import flight as flight_module
from processors.push import ledger as ledger_module
from processors.push.allowance import MAX_AT_ORIGIN, MAX_IN_FLIGHT
from processors.push.batch import PAGE, PushBatch
from processors.push.delivery import Delivery, Kind
from processors.push.ledger import MAX_UNWRITTEN, Ledger
from processors.push.payload import BatchPayload
from queue_lib.errors import BrokerUnavailableError, PermanentError, SnoozeError
from storage.errors import StorageAwayError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import NOW, Clock, FakeSender, FakeSubscriptions, make_dependencies, make_row

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 2 * PAGE + 7


def job(**fields: Any) -> BatchPayload:
    """A batch for everybody, or for `userIds`."""
    target = fields if "userIds" in fields else {"all": True, **fields}
    return BatchPayload.model_validate({"payload": {"title": "t", "body": "b"}, **target})


async def run_until(
    is_time: Callable[[], bool], rows: FakeSubscriptions, sender: FakeSender, context: FakeContext
) -> None:
    """Run a batch, and cancel it at a chosen moment as it sends a message."""

    async def send(subscription: Any, message: Any) -> Delivery:
        if is_time():
            task.cancel()
        await asyncio.sleep(0)
        return await FakeSender.send(sender, subscription, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sender, "send", send)
        task = asyncio.create_task(PushBatch(make_dependencies(rows, sender))(job(), context))
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.slow
async def test_everybody_gets_one_message() -> None:
    """All pages, the last short one included; the progress ends at 100."""
    sender, context = FakeSender({5: Kind.GONE, 600: Kind.TRANSIENT, 700: Kind.MESSAGE}), FakeContext()

    result = await PushBatch(make_dependencies(FakeSubscriptions(ROWS), sender))(job(), context)

    assert (result.sent, result.pruned, result.retrying, result.failed) == (ROWS - 3, 1, 1, 1)
    assert result.total == len(sender.tried) == len(set(sender.tried)) == ROWS
    assert context.reports[-1] == 100
    assert context.reports == sorted(context.reports)


@pytest.mark.slow
async def test_only_the_named_users_get_a_message() -> None:
    """More users than one query asks for; a user without devices costs nothing."""
    rows = FakeSubscriptions([make_row(n, user_id=str(n % 1500)) for n in range(3000)])
    sender = FakeSender()

    result = await PushBatch(make_dependencies(rows, sender))(job(userIds=[*range(1200), "nobody"]), FakeContext())

    assert result.sent == 2400
    assert {int(each) % 1500 for each in sender.taken} == set(range(1200))


async def test_notes_stay_few() -> None:
    """A finished page is noted as the batch's position, not as a note for each subscription."""
    context = FakeContext()

    await PushBatch(make_dependencies(FakeSubscriptions(ROWS), FakeSender()))(job(), context)

    assert not [key for key in context.kept if key.startswith("s:")]
    assert json.loads(context.kept["cursor"])["seen"] == ROWS


@pytest.mark.slow
async def test_another_run_goes_on_where_the_last_one_was_cut_short() -> None:
    """No user gets the push twice, none is left out, and the result counts all runs."""
    rows, context, sender = FakeSubscriptions(5 * PAGE), FakeContext(), FakeSender()

    await run_until(lambda: len(sender.tried) >= 3 * PAGE, rows, sender, context)
    first = len(sender.taken)
    result = await PushBatch(make_dependencies(rows, sender))(job(), context)

    assert 0 < first < 5 * PAGE
    assert len(sender.taken) == len(set(sender.taken)) == 5 * PAGE
    assert (result.sent + result.skipped, result.total) == (5 * PAGE, 5 * PAGE)


async def test_a_long_batch_runs_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time is nearly over it asks for another run, and no attempt is counted."""
    rows, context, sender = FakeSubscriptions(ROWS), FakeContext(), FakeSender()
    runs, delays = 0, []
    while True:
        runs += 1
        left = iter([300.0, 300.0])
        monkeypatch.setattr(context, "remaining", partial(next, left, 10.0))
        try:
            result = await PushBatch(make_dependencies(rows, sender))(job(), context)
            break
        except SnoozeError as again:
            delays.append(again.delay)

    assert (runs, delays) == (4, [0, 0, 0])
    assert (result.sent, len(set(sender.taken)), len(sender.taken)) == (ROWS, ROWS, ROWS)


async def test_a_database_that_goes_away_in_between_puts_the_rest_off() -> None:
    """Sends under way are finished and noted first."""
    rows, context, sender = FakeSubscriptions(ROWS), FakeContext(), FakeSender()
    page = rows.page

    async def once(after: str | None, limit: int, user_ids: Any = None) -> Any:
        if after is not None:
            raise StorageAwayError("the database does not answer")  # noqa: EM101, TRY003
        return await page(after, limit, user_ids)

    rows.page = once  # type: ignore[method-assign]
    with pytest.raises(SnoozeError):
        await PushBatch(make_dependencies(rows, sender))(job(), context)

    assert len(sender.taken) == json.loads(context.kept["cursor"])["seen"] == PAGE


async def test_a_refused_configuration_ends_a_batch_at_once() -> None:
    """It is dead with that reason after the first page, and not after a million rows."""
    sender = FakeSender(dict.fromkeys(range(ROWS), Kind.CONFIGURATION))

    with pytest.raises(PermanentError, match="VAPID"):
        await PushBatch(make_dependencies(FakeSubscriptions(ROWS), sender))(job(), FakeContext())

    assert len(sender.tried) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("old", [60, PAGE + 100])
@pytest.mark.parametrize("of", ["https://push.test", "https://other.test"])
async def test_old_subscriptions_at_the_start_do_not_kill_a_batch(old: int, of: str) -> None:
    """Some from the other end of the list are tried before it counts as dead; each gets one message."""
    rows = FakeSubscriptions([make_row(n, of if n < old else "https://push.test") for n in range(12 * PAGE)])
    sender, context = FakeSender(dict.fromkeys(range(old), Kind.CONFIGURATION), learns=True), FakeContext()

    result = await PushBatch(make_dependencies(rows, sender))(job(), context)

    assert (12 * PAGE - old, 12 * PAGE) == (result.sent, result.total)
    assert 12 * PAGE - old == len(sender.taken) == len(set(sender.taken))
    assert result.failed + result.retrying == old


@pytest.mark.slow
async def test_a_later_run_skips_subscriptions_that_were_tried_early() -> None:
    """The batch is cut short before the last page is reached."""
    rows, context = FakeSubscriptions(12 * PAGE), FakeContext()
    sender = FakeSender(dict.fromkeys(range(PAGE), Kind.CONFIGURATION), learns=True)

    await run_until(lambda: len(sender.taken) >= PAGE, rows, sender, context)
    early = [each for each in sender.taken if int(each) > 11 * PAGE]
    result = await PushBatch(make_dependencies(rows, sender))(job(), context)

    assert early
    assert 11 * PAGE == len(sender.taken) == len(set(sender.taken))
    assert 12 * PAGE == result.total


async def test_a_page_skips_subscriptions_that_are_being_tried_early() -> None:
    """The page begins while the early requests are under way."""
    rows, asked, is_read = FakeSubscriptions(2 * PAGE), asyncio.Event(), asyncio.Event()
    sender = FakeSender(dict.fromkeys(range(PAGE), Kind.CONFIGURATION), learns=True)

    async def page(after: str | None, limit: int, user_ids: Any = None) -> Any:
        if after is not None:
            await asked.wait()
            is_read.set()
        return await FakeSubscriptions.page(rows, after, limit, user_ids)

    async def send(subscription: Any, message: Any) -> Delivery:
        if int(subscription.id) >= PAGE and not asked.is_set():
            asked.set()
            await is_read.wait()
            for _ in range(100):
                await asyncio.sleep(0)
        return await FakeSender.send(sender, subscription, message)

    sender.send, rows.page = send, page  # type: ignore[method-assign]
    await PushBatch(make_dependencies(rows, sender))(job(), FakeContext())

    assert PAGE == len(sender.taken) == len(set(sender.taken))


@pytest.mark.slow
@pytest.mark.parametrize(("origins", "most"), [(1, MAX_AT_ORIGIN), (20, MAX_IN_FLIGHT)])
async def test_few_messages_go_out_before_they_are_noted(
    monkeypatch: pytest.MonkeyPatch, origins: int, most: int
) -> None:
    """While Redis does not answer, pushes stop: a worker killed then has few to repeat."""
    context, sender = FakeContext(), FakeSender()
    rows = FakeSubscriptions([make_row(n, f"https://{n % origins}.push.test") for n in range(8 * PAGE)])

    async def slow(*_: Any) -> None:
        await answer.wait()

    answer = asyncio.Event()
    monkeypatch.setattr(context, "note", slow)
    task = asyncio.create_task(PushBatch(make_dependencies(rows, sender))(job(), context))
    for _ in range(10_000):  # turns of the loop: many more than all rows would need
        await asyncio.sleep(0)
    sent = len(sender.taken)
    answer.set()
    await task

    assert MAX_UNWRITTEN <= sent < MAX_UNWRITTEN + most


async def test_few_pages_are_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the answers, pages are not read ahead without limit."""
    monkeypatch.setattr(batch_module, "PAGE", 5)
    rows, answers = FakeSubscriptions(1000), asyncio.Event()
    sender = FakeSender()
    read = 0
    page = rows.page

    async def count(after: str | None, limit: int, user_ids: Any = None) -> Any:
        nonlocal read
        read += 1
        return await page(after, limit, user_ids)

    async def send(subscription: Any, message: Any) -> Delivery:
        await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    rows.page, sender.send = count, send  # type: ignore[method-assign]
    task = asyncio.create_task(PushBatch(make_dependencies(rows, sender))(job(), FakeContext()))
    for _ in range(200):
        await asyncio.sleep(0)
    before = read
    answers.set()
    result = await task

    assert before <= batch_module.PAGES + 1
    assert result.sent == 1000


async def test_an_outage_in_one_page_loses_no_row_of_another() -> None:
    """A page that is cut short because another could not be noted does not count as done."""
    rows = FakeSubscriptions([make_row(n, f"https://{'slow' if n < PAGE else 'fast'}.test") for n in range(2 * PAGE)])
    sender, context, answers = FakeSender(), FakeContext(), asyncio.Event()
    note = context.note

    async def send(subscription: Any, message: Any) -> Delivery:
        if "slow" in subscription.endpoint:
            await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    async def away_once(*_: Any) -> None:
        context.note = note  # type: ignore[method-assign]
        raise BrokerUnavailableError("away")  # noqa: EM101

    sender.send, context.note = send, away_once  # type: ignore[method-assign,assignment]
    first = asyncio.create_task(PushBatch(make_dependencies(rows, sender))(job(), context))
    for _ in range(100):  # turns of the loop: the fast page has failed by then
        await asyncio.sleep(0)
    answers.set()
    with pytest.raises(BrokerUnavailableError):
        await first
    result = await PushBatch(make_dependencies(rows, sender))(job(), context)

    assert {row.id for row in rows.rows} == set(sender.taken)
    assert (result.sent + result.skipped, result.total) == (2 * PAGE, 2 * PAGE)
    assert len(sender.taken) - 2 * PAGE < MAX_UNWRITTEN + MAX_IN_FLIGHT


@pytest.mark.slow
async def test_pages_that_do_not_end_in_time_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow a push service, the batch goes on in another run, and no attempt is counted."""
    monkeypatch.setattr(flight_module, "DRAIN", 0.0)
    rows, context, sender, answers = FakeSubscriptions(ROWS), FakeContext(), FakeSender(), asyncio.Event()

    async def send(subscription: Any, message: Any) -> Delivery:
        if len(sender.taken) >= PAGE + 10:
            await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    context.seconds = 0.5
    with pytest.raises(SnoozeError) as caught:
        await PushBatch(make_dependencies(rows, sender))(job(), context)
    first = len(sender.taken)
    answers.set()
    context.seconds = 300.0
    result = await PushBatch(make_dependencies(rows, sender))(job(), context)

    assert (caught.value.delay, first) == (0, PAGE + 10)
    assert (len(sender.taken), len(set(sender.taken))) == (ROWS, ROWS)
    assert result.sent + result.skipped == result.total == ROWS


async def test_late_messages_are_not_sent() -> None:
    """Each message has an expiry; after it, the rest is left."""
    clock, sender = Clock(), FakeSender()

    async def send(subscription: Any, message: Any) -> Delivery:
        clock.now += 1
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    result = await PushBatch(make_dependencies(FakeSubscriptions(20), sender, clock))(
        job(options={"ttl": 5}), FakeContext()
    )

    assert sender.ttls == [5, 4, 3, 2, 1]
    assert (result.sent, result.failed, result.expired, result.total) == (5, 0, 15, 20)
    assert result.origins == {"https://push.test": {"sent": 5, "expired": 15}}


async def test_rows_not_read_in_time_are_counted_too() -> None:
    """No page is missing in the counts, and none of it is sent."""
    clock, sender = Clock(), FakeSender()
    clock.now += 3600

    result = await PushBatch(make_dependencies(FakeSubscriptions(ROWS), sender, clock))(
        job(options={"expiresAt": NOW * 1000}), FakeContext()
    )

    assert (result.expired, result.total, sender.tried) == (ROWS, ROWS, [])


async def test_a_batch_names_the_follow_ups_of_all_its_pages() -> None:
    """Those of the subscriptions that its result counts as retried."""
    context = FakeContext()

    result = await PushBatch(
        make_dependencies(FakeSubscriptions(ROWS), FakeSender({0: Kind.TRANSIENT, PAGE: Kind.TRANSIENT}))
    )(job(), context)

    assert result.retrying == 2
    assert sorted(result.follow_ups) == sorted(context.enqueued)


async def test_results_during_a_write_of_notes_are_written_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if nothing more is settled: a quiet moment must not keep a note from being written."""
    monkeypatch.setattr(ledger_module, "WRITE_EVERY", 0.0)
    context, written = FakeContext(), asyncio.Event()
    note = context.note

    async def slow(*words: Any) -> None:
        await written.wait()
        await note(*words)

    monkeypatch.setattr(context, "note", slow)
    ledger = await Ledger.open(context)
    for number in (1, 2):
        await ledger.settle(make_row(number))
        for _ in range(5):
            await asyncio.sleep(0)
    written.set()
    for _ in range(20):
        await asyncio.sleep(0)

    assert context.kept == {"s:000001": "1", "s:000002": "1"}
