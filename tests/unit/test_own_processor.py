"""How a team's own job is run: in the loop, or in a thread, which can't be cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from queue_lib.errors import TransientError
from queue_lib.jobs import Job
from queue_lib.jobs.own_processor import OwnProcessor, Threads
from tests.support.fakes import FakeContext, Greeting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.jobs import Context, Tools

PATIENCE = 10.0  # seconds


class Greet(Job[Greeting]):
    """In the loop."""

    async def handle(self, payload: Greeting, context: Context) -> dict[str, str]:
        """Greet."""
        await asyncio.sleep(0)
        return {"thread": threading.current_thread().name, "user": payload.user_id, "id": context.job.id}


class GreetInThread(Job[Greeting]):
    """In a thread."""

    def handle(self, payload: Greeting, context: Context) -> dict[str, str]:
        """Greet."""
        return {"thread": threading.current_thread().name, "user": payload.user_id, "id": context.job.id}


class Wrapped(Job[Greeting]):
    """A coroutine that a plain function returns, as some decorators make."""

    def handle(self, payload: Greeting, context: Context) -> Any:
        """Greet."""
        return Greet(self.tools).handle(payload, context)


class Hanging(Job[Greeting]):
    """Runs until the test lets it end."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__(cast("Tools", None))
        self.began, self.go = threading.Event(), threading.Event()
        self._error = error

    def handle(self, payload: Greeting, _: Context) -> dict[str, str]:
        """Wait."""
        self.began.set()
        assert self.go.wait(PATIENCE)
        if self._error is not None:
            raise self._error
        return {"user": payload.user_id}


@pytest.fixture
def threads() -> Iterator[Threads]:
    """One thread."""
    one = Threads("work", 1)
    yield one
    one.close()


def run(job: Job[Any], threads: Threads, context: FakeContext | None = None) -> asyncio.Task[Any]:
    """A run of it."""
    return asyncio.ensure_future(OwnProcessor(job, threads)(Greeting(user_id="u1"), context or FakeContext()))


@pytest.mark.parametrize("kind", [Greet, GreetInThread, Wrapped])
async def test_both_kinds_of_handle(threads: Threads, kind: type[Job[Any]]) -> None:
    """A plain function has a thread of its queue."""
    result = await run(kind(cast("Tools", None)), threads)

    assert ("u1", "1") == (result["user"], result["id"])
    assert (kind is GreetInThread) == result["thread"].startswith("work")


async def test_a_thread_past_its_deadline_goes_on(threads: Threads) -> None:
    """The log reports the cancellation at the deadline, and the run ends when the thread does."""
    job, context = Hanging(), FakeContext()
    task = run(job, threads, context)
    await asyncio.to_thread(job.began.wait, PATIENCE)
    context.seconds = 0.0
    with capture_logs() as lines:
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
        job.go.set()
        assert {"user": "u1"} == await task

    assert [("job_overdue", "work", "1", "greet", 60.0)] == [
        (line["event"], line["queue"], line["id"], line["name"], line["timeout"]) for line in lines
    ]


async def test_a_thread_that_fails_past_its_deadline(threads: Threads) -> None:
    """Its error is the run's."""
    job, context = Hanging(TransientError("busy")), FakeContext()
    task = run(job, threads, context)
    await asyncio.to_thread(job.began.wait, PATIENCE)
    context.seconds = 0.0
    task.cancel()
    job.go.set()

    with pytest.raises(TransientError, match="busy"):
        await task


@pytest.mark.parametrize("is_overdue", [False, True])
async def test_any_other_cancellation_ends_the_run(threads: Threads, is_overdue: bool) -> None:
    """The process stops: the run ends at once, and the thread with the process."""
    job, context = Hanging(), FakeContext()
    task = run(job, threads, context)
    await asyncio.to_thread(job.began.wait, PATIENCE)
    if is_overdue:
        context.seconds = 0.0
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    job.go.set()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (StopIteration(), RuntimeError, "handle raised StopIteration: next\\(\\) found no item"),
        (SystemExit(2), SystemExit, "2"),
    ],
)
async def test_whatever_a_thread_raises_ends_its_run(
    threads: Threads, error: BaseException, kind: type[BaseException], words: str
) -> None:
    """A future can't hold StopIteration: the run would wait for ever."""
    job = Hanging(error)
    job.go.set()

    with pytest.raises(kind, match=words):
        async with asyncio.timeout(PATIENCE):
            await OwnProcessor(job, threads)(Greeting(user_id="u1"), FakeContext())


async def test_a_job_that_waits_for_a_thread_ends_at_its_deadline(threads: Threads) -> None:
    """It has not begun, so it can be cancelled."""
    first, second, context = Hanging(), Hanging(), FakeContext()
    running = run(first, threads)
    await asyncio.to_thread(first.began.wait, PATIENCE)
    waiting = run(second, threads, context)
    await asyncio.sleep(0)
    context.seconds = 0.0
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    first.go.set()
    assert {"user": "u1"} == await running
    assert not second.began.is_set()
