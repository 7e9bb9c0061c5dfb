"""The test helpers for a team's own jobs: a job runs without a server, and dispatched jobs are recorded."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.addition import Addition
from queue_lib.errors import PermanentError
from queue_lib.jobs import Backoff, Context, Job, Model, SnoozeError, TransientError, cancel, dispatch_many
from queue_lib.jobs.current_run import CURRENT, Run
from queue_lib.jobs.own_processor import OwnProcessor, Threads
from queue_lib.jobs.testing import Dead, Done, FakeTools, Retry, Snooze, recorded, run
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from queue_lib.jobs import Tools


class Invoice(Model):
    """A payload."""

    invoice_id: str
    due: date | None = None
    copies: int = 1


class SendInvoice(Job[Invoice]):
    """A job that does what its id says."""

    name = "send-invoice"
    queue = "invoices"
    attempts = 2
    backoff = Backoff((7.0,))

    async def handle(self, payload: Invoice, context: Context) -> dict[str, Any] | None:
        """Do it."""
        match payload.invoice_id:
            case "busy":
                raise TransientError(payload.invoice_id)
            case "later":
                raise SnoozeError(payload.invoice_id, 60.0)
            case "wrong":
                raise PermanentError(payload.invoice_id)
            case "rate":
                return {"rate": await self.tools.cache.get("rate")}
            case "row":
                self.tools.database.connect()
            case "push":
                await self.tools.enqueue("push-notification", {"userId": "u1"}, delay=5)
                await Remind.dispatch({"invoice_id": context.job.id}, priority=1)
        return None


class Remind(Job[Invoice]):
    """A job that runs in a thread."""

    name = "remind"
    queue = "reminders"

    def handle(self, payload: Invoice, context: Context) -> dict[str, str]:
        """Use what has to be awaited."""
        self.wait(context.progress(50))
        added = self.wait(SendInvoice.dispatch(payload))
        return {"added": added}


async def test_every_ending() -> None:
    """Each is as a worker would record it."""
    assert Done(None) == await run(SendInvoice, {"invoiceId": "i-1"})
    assert Done(None) == await run(SendInvoice, Invoice(invoice_id="i-1", due=date(2026, 1, 2)))
    assert Snooze(60.0, "later") == await run(SendInvoice, {"invoiceId": "later"})
    match await run(SendInvoice, {"invoiceId": "busy"}):
        case Retry(delay, failure):
            assert (7.0, "busy") == (delay, failure.reason)
        case other:
            raise AssertionError(other)
    for payload, reason in (
        ({"invoiceId": "wrong"}, "wrong"),
        ({}, "bad payload for send-invoice: invoiceId: Field required"),
    ):
        match await run(SendInvoice, payload):
            case Dead(failure):
                assert reason == failure.reason
            case other:
                raise AssertionError(other)


async def test_tools_are_fakes() -> None:
    """The test's own tools, and a cache in memory."""
    tools: Tools = FakeTools()
    await tools.cache.set("rate", "1.08", 60)

    assert Done({"rate": "1.08"}) == await run(SendInvoice, {"invoiceId": "rate"}, tools)


async def test_a_tool_that_was_not_given() -> None:
    """The reason says what to give."""
    match await run(SendInvoice, {"invoiceId": "row"}):
        case Retry(_, failure):
            assert "the job uses self.tools.database; run it with FakeTools(database=...)" == failure.reason
        case other:
            raise AssertionError(other)


async def test_cancelled_keys_are_recorded() -> None:
    """By a program, or by a job; without a server."""
    with recorded() as added:
        await cancel("message:1")
        await cancel(42, 60)

    assert (["message:1", "42"], []) == (added.cancelled, added.jobs)


@pytest.mark.parametrize(
    ("key", "seconds"),
    [("", 60), ("k" * 201, 60), (None, 60), (True, 60), ("k", 0), ("k", 28 * 86_400 + 1), ("k", float("nan"))],
    ids=["empty", "too long", "none", "a boolean", "no time", "too long a time", "no number"],
)
async def test_what_can_t_be_cancelled_is_refused(key: Any, seconds: float) -> None:
    """Before a connection is opened."""
    with pytest.raises(PermanentError, match=r"cancelKey: not a text|seconds: not more than 0"):
        await cancel(key, seconds)


async def test_a_job_cancels_over_its_worker_s_connection() -> None:
    """The board of its run has it."""
    context = FakeContext()
    token = CURRENT.set(Run(context, asyncio.get_running_loop(), 0))
    try:
        await cancel("message:1")
    finally:
        CURRENT.reset(token)

    assert ["message:1"] == list(await context.board.cancelled(["message:1"]))


async def test_dispatched_jobs_are_recorded() -> None:
    """From a program, a job, or a thread; with the payload as it is written."""
    with recorded() as added:
        await SendInvoice.dispatch({"invoice_id": "i-1", "due": "2026-01-02"}, delay=5, job_id="mine")
        assert Done(None) == await run(SendInvoice, {"invoiceId": "push"})
        match await run(Remind, {"invoiceId": "i-2"}):
            case Done({"added": job_id}):
                assert 32 == len(job_id)
            case other:
                raise AssertionError(other)

    expected = Addition(name="send-invoice", data={"invoiceId": "i-1", "due": "2026-01-02"}, delay=5, job_id="mine")
    assert expected == added.all(SendInvoice)[0]
    assert {"invoiceId": "i-2"} == added.all("send-invoice")[1].data
    assert (Addition(name="remind", data={"invoiceId": "1"}, priority=1), "reminders") == (
        added.one(Remind),
        added.jobs[2].queue,
    )
    assert 5 == added.one("push-notification").delay
    with pytest.raises(AssertionError, match=r"expected one send-invoice, and 2 were dispatched: \['send-inv"):
        added.one(SendInvoice)


@pytest.mark.parametrize(
    ("payload", "options", "reason"),
    [
        ({"invoiceId": 7}, {}, "bad payload for send-invoice: invoiceId: Input should be a valid string"),
        ({"invoiceId": "i"}, {"delay": -1}, "delay: not a number of seconds from 0"),
        ({"invoiceId": "i"}, {"job_id": "7"}, "a job's id has letters"),
    ],
)
async def test_a_bad_dispatch_raises(payload: Any, options: Any, reason: str) -> None:
    """The caller gets the error, instead of a dead letter later."""
    with recorded() as added, pytest.raises(PermanentError, match=reason):
        await SendInvoice.dispatch(payload, **options)
    assert [] == added.jobs


async def test_a_batch_is_recorded() -> None:
    """The jobs, and the one that follows them."""
    with recorded() as added:
        batch = await dispatch_many([SendInvoice.of({"invoiceId": "a"})] * 2, then=Remind.of({"invoiceId": "b"}))
        await dispatch_many([SendInvoice.of({"invoiceId": "c"})])

    assert (2, 32) == (len(batch.jobs), len(batch.then or ""))
    assert ["a", "a", "c"] == [each.data["invoiceId"] for each in added.all(SendInvoice)]
    assert {"invoiceId": "b"} == added.one(Remind).data


async def test_a_batch_is_not_too_long() -> None:
    """1,000 jobs are added in one step; more would block Redis."""
    with recorded() as added:
        await dispatch_many([SendInvoice.of({"invoiceId": "a"})] * 1000)
        with pytest.raises(PermanentError, match="a batch has at most 1,000 jobs, and this one 1,001: add it in parts"):
            await dispatch_many([SendInvoice.of({"invoiceId": "a"})] * 1001)

    assert 1000 == len(added.jobs)


async def test_a_job_adds_over_its_own_run() -> None:
    """On the worker's connection and wire, with an id that a repeated run makes again: through `Context.enqueue`."""
    context = FakeContext()

    async def running() -> str:
        CURRENT.set(Run(context, asyncio.get_running_loop(), 0))
        return await SendInvoice.dispatch({"invoiceId": "a"}, wire="bullmq")

    assert "added-0" == await asyncio.create_task(running())
    assert [Addition(name="send-invoice", data={"invoiceId": "a"})] == list(context.enqueued.values())
    assert CURRENT.get() is None


class Looking(FakeContext):
    """Sees in which loop a job is added."""

    loop: asyncio.AbstractEventLoop | None = None

    async def enqueue(self, addition: Addition, queue: str | None = None) -> str:
        """Look."""
        self.loop = asyncio.get_running_loop()
        return await super().enqueue(addition, queue)


class Alone(Job[Invoice]):
    """A plain function with a loop of its own."""

    name = "alone"
    queue = "invoices"

    def handle(self, payload: Invoice, _: Context) -> dict[str, str]:
        """Add in it."""
        return {"added": asyncio.run(SendInvoice.dispatch(payload))}


async def test_a_thread_may_have_a_loop_of_its_own() -> None:
    """The job is added in the worker's loop all the same, whose connection it needs."""
    context, threads = Looking(), Threads("invoices", 1)
    result = await OwnProcessor(Alone(FakeTools()), threads)(Invoice(invoice_id="a"), context)
    threads.close()

    assert {"added": "added-0"} == result
    assert asyncio.get_running_loop() is context.loop


async def test_a_blocking_call_in_the_loop_is_refused() -> None:
    """It would wait for ever."""
    with pytest.raises(RuntimeError, match="await the coroutine instead"):
        Job.wait(asyncio.sleep(0))


def test_dates_are_written_as_json() -> None:
    """The wire has JSON, not pydantic's objects."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)

    assert {"invoiceId": "a", "due": "2026-01-02"} == SendInvoice.of({"invoiceId": "a", "due": moment}).addition.data
