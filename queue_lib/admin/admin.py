"""What an operator may see and do, on both wires at once. Scripts are its faces, and whatever comes after them."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from typing import TYPE_CHECKING

import structlog

from queue_lib.addition import Addition
from queue_lib.admin.admission import Admission, UnfitJobsError
from queue_lib.admin.answers import JobPage, QueueStats, Reading, Replay, Search
from queue_lib.admin.ports import JobView
from queue_lib.broker.dead_letters import letter_id
from queue_lib.errors import BrokerRefusedError, PermanentError
from queue_lib.job import State
from queue_lib.observe.events import WORKER_FAULTS
from queue_lib.observe.pulse import FAULTS, MINUTE, minute_of
from queue_lib.plain_json import is_note

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from queue_lib.admin.answers import Wanted
    from queue_lib.admin.ports import Inspector
    from queue_lib.broker.dead_letters import Letter, Letters
    from queue_lib.broker.pulse import Pulses
    from queue_lib.job import Wire
    from queue_lib.observe.pulse import Minute, WorkerView
    from queue_lib.processor import Form

PAGE = 200
LETTERS_AT_ONCE = 25  # each may have a payload of megabytes
DELETED_AT_ONCE = 1000  # jobs
SEARCHED = 1000  # jobs that one search looks at
LONGEST_HISTORY = 24 * 60  # minutes

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Admin:
    """Looks and acts through the wires' inspectors. Each action is a line in the log, with who it was.

    Every call may raise BrokerUnavailableError, and what acts on one wire PermanentError if that is not served.
    """

    def __init__(  # noqa: PLR0913 -- its parts
        self,
        inspectors: Sequence[Inspector],
        letters: Letters,
        pulses: Pulses,
        queues: Sequence[str],
        *,
        by: str,
        forms: Sequence[Form] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`queues` are their names, `by` is who acts, `forms` are the jobs that may be added.

        `clock` gives seconds since the epoch.
        """
        self._admission = Admission(forms)
        self._inspectors = {inspector.wire: inspector for inspector in inspectors}
        self.wires = tuple(self._inspectors)
        self._letters = letters
        self._pulses = pulses
        self.queues = tuple(queues)
        self._clock = clock
        self._act = _log.bind(by=by)

    async def check(self) -> None:
        """Raise BrokerUnavailableError, which says why, unless the server takes jobs."""
        await next(iter(self._inspectors.values())).check_server()

    async def stats(self) -> list[QueueStats]:
        """Each queue at this moment."""
        return [await self._stats(queue) for queue in self.queues]

    async def _stats(self, queue: str) -> QueueStats:
        inspectors, read = self._inspectors.values(), Reading()
        for each in inspectors:
            await read(each.check(queue))
        first = [job for each in inspectors for job in await read(each.page(queue, State.WAITING, 0, 1)) or ()]
        return QueueStats(
            queue=queue,
            paused=bool(await read(next(iter(inspectors)).is_paused(queue))),
            counts={each.wire: counts for each in inspectors if (counts := await read(each.counts(queue)))},
            oldest=max((self._clock() - job.enqueued_at for job in first if job.enqueued_at), default=None),
            trouble=read.trouble,
            stopped=[one for each in inspectors for one in await read(each.stopped(queue)) or ()],
        )

    async def workers(self) -> list[WorkerView]:
        """The worker processes that have been heard of within 60 seconds, by name, with the jobs that they run."""
        return await self._pulses.workers()

    async def history(self, queue: str, minutes: int = 60) -> list[Minute]:
        """What all processes have done with a queue's jobs, minute by minute: the oldest first, this minute last.

        Processes tell every ten seconds, and what they tell is kept for a day. Raises PermanentError for a queue that
        there is not, and ValueError for other than 1 to 1,440 minutes.
        """
        self._check_queue(queue)
        if not 1 <= minutes <= LONGEST_HISTORY:
            msg = f"a history has 1 to {LONGEST_HISTORY} minutes, not {minutes}"
            raise ValueError(msg)
        last = int(self._clock() // MINUTE)
        numbers = range(last - minutes + 1, last + 1)
        found = await self._pulses.minutes(queue, numbers)
        return [minute_of(number, counts) for number, counts in zip(numbers, found, strict=True)]

    async def faults(self, minutes: int) -> dict[str, int]:
        """How often each of a worker's own faults has happened in the last minutes, by its word in the log."""
        last = int(self._clock() // MINUTE)
        found = await self._pulses.minutes(FAULTS, range(last - minutes + 1, last + 1))
        return {word: sum(counts.get(word, 0) for counts in found) for word in WORKER_FAULTS}

    async def browse(self, queue: str, state: State, wire: Wire, start: int, count: int) -> JobPage:
        """One wire's jobs of a state, from number `start` on: what has ended, newest first; else who is next.

        `count` is at most 200. Raises PermanentError for a queue or a wire that there is not.
        """
        self._check_queue(queue)
        inspector = self._on(wire)
        jobs = await inspector.page(queue, state, start, min(count, PAGE))
        return JobPage(jobs, (await inspector.counts(queue))[state])

    async def search(
        self, queue: str, state: State, wire: Wire, text: str, *, start: int = 0, count: int = 50
    ) -> Search:
        """Up to `count` of one wire's jobs of a state that have a text in their id, name, reason or payload.

        Case does not matter. At most 1,000 jobs are looked at, from number `start` on, in the order of `browse`; the
        answer says where to go on. Raises PermanentError for a queue or a wire that there is not.
        """
        self._check_queue(queue)
        inspector, sought = self._on(wire), text.casefold()
        found: list[JobView] = []
        end = min(start + SEARCHED, total := (await inspector.counts(queue))[state])
        for page_start in range(start, end, PAGE):
            page = await inspector.page(queue, state, page_start, PAGE)
            for place, job in enumerate(page):
                if sought in _words(job):
                    found.append(job)
                if len(found) == count:
                    return Search(found, page_start + place + 1)
        return Search(found, end if end < total else None)

    async def marks(self, queue: str, wire: Wire, job_ids: Sequence[str]) -> list[str | None]:
        """For each of these jobs a text that is another one whenever the job has got on; None for one that is gone."""
        return await self._on(wire).marks(queue, job_ids)

    async def promote(self, job: JobView) -> bool:
        """Let a delayed job run now; False if it is not delayed (any more)."""
        if not await self._on(job.wire).promote(job.queue, job.id):
            return False
        self._act.info("job_promoted", **_fields(job))
        return True

    async def drain(self, queue: str, *, delayed: bool = False, most: int | None = None) -> int:
        """Delete all jobs of a queue that wait, on both wires, and the `delayed` ones if that is said; say how many.

        With `most`, so many at most. What runs goes on, and what has ended stays. Raises PermanentError for a queue
        that there is not.
        """
        self._check_queue(queue)
        deleted = await self._in_steps(lambda each, count: each.drain(queue, delayed=delayed, most=count), most)
        self._act.info("queue_drained", queue=queue, delayed=delayed, jobs=deleted)
        return deleted

    async def _in_steps(self, delete: Callable[[Inspector, int], Awaitable[int]], most: int | None) -> int:
        """Delete on one wire after the other: a thousand at once, for the server answers nobody else meanwhile."""
        deleted, bound = 0, math.inf if most is None else most
        for inspector in self._inspectors.values():
            while (
                deleted < bound and (count := await delete(inspector, int(min(DELETED_AT_ONCE, bound - deleted)))) > 0
            ):
                deleted += count
        return deleted

    def _check_queue(self, queue: str) -> None:
        if queue not in self.queues:
            msg = f"no such queue: {queue[:100]!r}; there are {', '.join(self.queues)}"
            raise PermanentError(msg)

    async def add(self, addition: Addition, wire: Wire) -> tuple[str, str]:
        """Enqueue a job, in the queue that its name belongs to; returns its id and the queue.

        Raises PermanentError, which says what is wrong, for a job that could only end in the dead letters.
        """
        queue = self._check(addition, wire)
        job_id = await self._on(wire).add(queue, addition)
        self._act.info("job_added", queue=queue, wire=wire.value, id=job_id[:200], name=addition.name)
        return job_id, queue

    async def add_all(self, jobs: Sequence[tuple[Addition, Wire]]) -> list[tuple[str, str]]:
        """Enqueue many jobs; returns the id and the queue of each, in this order.

        Raises UnfitJobsError, and enqueues none, if any of them could only end in the dead letters. If the server goes
        away in the middle some are enqueued.
        """
        queues = self._check_all(jobs)
        places: dict[tuple[str, Wire], list[int]] = {}
        for number, (queue, (_, wire)) in enumerate(zip(queues, jobs, strict=True)):
            places.setdefault((queue, wire), []).append(number)
        ids: dict[int, str] = {}
        for (queue, wire), numbers in places.items():
            added = await self._on(wire).add_all(queue, [jobs[number][0] for number in numbers])
            ids |= zip(numbers, added, strict=True)
            self._act.info("jobs_added", queue=queue, wire=wire.value, jobs=len(added))
        return [(ids[number], queue) for number, queue in enumerate(queues)]

    def _check_all(self, jobs: Sequence[tuple[Addition, Wire]]) -> list[str]:
        queues, faults = list[str](), dict[int, str]()
        for number, job in enumerate(jobs):
            try:
                queues.append(self._check(*job))
            except PermanentError as error:
                faults[number] = str(error)
        if faults:
            raise UnfitJobsError(faults)
        return queues

    def _check(self, addition: Addition, wire: Wire) -> str:
        """The queue that a job would be enqueued in. Raises PermanentError as `add` does."""
        self._on(wire)
        return self._admission.queue_of(addition)

    def acting(self, by: str) -> Admin:
        """The same, for somebody else."""
        other = copy.copy(self)
        other._act = _log.bind(by=by)  # noqa: SLF001 -- its own kind
        return other

    async def find(self, job_id: str, queue: str | None = None, wire: Wire | None = None) -> list[JobView]:
        """The jobs with this id: BullMQ numbers them in each queue, so there may be several.

        A queue that can't be read is left out. Raises BrokerRefusedError if the job may be in it, and is nowhere else.
        """
        read = Reading()
        found = [
            job
            for inspector in self._inspectors.values()
            for name in self.queues
            if queue in {None, name} and wire in {None, inspector.wire}
            if (job := await read(inspector.find(name, job_id))) is not None
        ]
        if not found and read.trouble is not None:
            raise BrokerRefusedError(trouble=read.trouble)
        return found

    async def remove(self, job: JobView) -> bool:
        """Delete a job, and the letter of one that has failed; False if it runs, or is gone.

        The letter of another job is another's: an earlier one with the same id, which may still be replayed.
        """
        if not await self._on(job.wire).remove(job.queue, job.id):
            return False
        if job.state is State.FAILED:
            await self._letters.drop(letter_id(job.wire, job.queue, job.id))
        self._act.info("job_removed", **_fields(job))
        return True

    async def clean(self, queue: str, state: State, older: float, most: int | None = None) -> int:
        """Delete all jobs of a queue that completed or failed more than `older` seconds ago; returns how many.

        With `most`, so many at most. Their dead letters stay. Raises ValueError for another state.
        """
        if state not in {State.COMPLETED, State.FAILED}:
            msg = f"what is {state.value} is not cleaned"
            raise ValueError(msg)
        deleted = await self._in_steps(lambda each, count: each.clean(queue, state, older, count), most)
        self._act.info("queue_cleaned", queue=queue, state=state.value, older=older, jobs=deleted)
        return deleted

    async def cleanable(self, queue: str, state: State, older: float) -> int:
        """How many jobs `clean` would delete; a page of them is in memory at a time."""
        before, found = self._clock() - older, 0
        for inspector in self._inspectors.values():
            for start in range(0, (await inspector.counts(queue))[state], PAGE):
                page = await inspector.page(queue, state, start, PAGE)
                found += sum((job.finished_at or 0.0) <= before for job in page)
        return found

    async def pause(self, queue: str) -> None:
        """Hand out no more jobs of a queue, on both wires."""
        await next(iter(self._inspectors.values())).pause(queue)
        self._act.info("queue_paused", queue=queue)

    async def resume(self, queue: str) -> None:
        """Undo pause."""
        await next(iter(self._inspectors.values())).resume(queue)
        self._act.info("queue_resumed", queue=queue)

    async def letter_count(self) -> int:
        """How many dead letters there are."""
        return await self._letters.count()

    async def failed(self, wanted: Wanted, most: int | None = None) -> list[JobView]:
        """The failed jobs that are meant: wire by wire, queue by queue, the newest first.

        All (`most` of them, if that is given) are found before any is handed out, for one that is retried makes those
        behind it move up. So there may be many: of each there is what names it, and no more.
        """
        found: dict[tuple[Wire, str, str], JobView] = {}
        async for job in self.each_failed(wanted):
            if most is not None and len(found) >= most:
                break
            found[job.wire, job.queue, job.id] = JobView(
                id=job.id, name=job.name, queue=job.queue, wire=job.wire, state=job.state, data=None, attempts_made=0
            )
        return list(found.values())

    async def each_failed(self, wanted: Wanted) -> AsyncIterator[JobView]:
        """The same, whole, one after the other. Retry none meanwhile."""
        now = self._clock()
        for wire, inspector in self._inspectors.items():
            for queue in self.queues:
                if wanted.wire in {None, wire} and wanted.queue in {None, queue}:
                    total = (await inspector.counts(queue))[State.FAILED]
                    for start in range(0, total, PAGE):
                        for job in await inspector.page(queue, State.FAILED, start, PAGE):
                            if wanted.admits(job, job.finished_at or now, now):
                                yield job

    async def retry(self, job: JobView) -> bool:
        """Run a failed job again from its first attempt, and drop its letter; False if it has not failed any more."""
        letter = await self._letters.find(letter_id(job.wire, job.queue, job.id))
        if not await self._on(job.wire).retry(job.queue, job.id):
            return False
        if letter is not None:  # a job that has failed again by now has a new one, which stays
            await self._letters.drop(letter.letter_id, letter.failed_at)
        self._act.info("job_retried", **_fields(job))
        return True

    def _on(self, wire: Wire) -> Inspector:
        if wire not in self._inspectors:
            msg = f"this process does not serve the wire {wire.value} (WIRES)"
            raise PermanentError(msg)
        return self._inspectors[wire]

    async def letters(self, wanted: Wanted) -> AsyncIterator[Letter]:
        """The letters that are meant, whole, the oldest first. Drop none meanwhile: those behind move up."""
        now = self._clock()
        for start in range(0, await self._letters.count(), LETTERS_AT_ONCE):
            for letter in await self._letters.page(start, LETTERS_AT_ONCE):
                if wanted.admits(letter, letter.failed_at / 1000, now):
                    yield letter

    async def letters_to_settle(self, wanted: Wanted) -> AsyncIterator[Letter]:
        """The same, each of which may be replayed or dropped before the next is asked for.

        Those that are meant and stay become the newest ones.
        """
        now, start, left = self._clock(), 0, await self._letters.count()
        while left > 0:
            count = min(left, LETTERS_AT_ONCE)
            page = await self._letters.page(start, count)
            meant = [letter for letter in page if wanted.admits(letter, letter.failed_at / 1000, now)]
            moved = await self._letters.gather(start, count, [letter.letter_id for letter in meant])
            start, left = start + count - moved, left - count
            for letter in meant:
                yield letter

    async def letter_page(self, start: int, count: int) -> list[Letter]:
        """Up to `count` letters from number `start` on, the oldest first."""
        return await self._letters.page(start, count)

    async def letter(self, letter_id: str) -> Letter | None:
        """One letter."""
        return await self._letters.find(letter_id)

    async def replay(self, letter: Letter) -> Replay:
        """Run the job of a whole letter again, on its own wire and from its first attempt; then drop the letter.

        Doing it twice does it once: a job that is gone is enqueued under an id made of the letter's.
        """
        inspector = self._on(letter.wire)
        job = await inspector.find(letter.queue, letter.id)
        if job is not None and await inspector.retry(letter.queue, letter.id):
            outcome = Replay.RETRIED
        elif job is not None:
            return Replay.NOT_FAILED
        elif is_note(letter.data):
            return Replay.NO_PAYLOAD
        else:
            told = hashlib.sha256(letter.letter_id.encode(errors="replace")).hexdigest()[:32]
            again = Addition(name=letter.name, data=letter.data, job_id=f"replay-{told}")
            await inspector.add(letter.queue, again)
            outcome = Replay.ENQUEUED
        await self._letters.drop(letter.letter_id, letter.failed_at)  # not the new one, if it has failed again by now
        self._act.info("letter_replayed", outcome=outcome.value, **_fields(letter))
        return outcome

    async def drop(self, letter: Letter) -> bool:
        """Delete a letter; the job stays in its failed set until that is cleared out. False if it is gone.

        A newer letter of the same job stays.
        """
        dropped = await self._letters.drop(letter.letter_id, letter.failed_at)
        if dropped:
            self._act.info("letter_dropped", **_fields(letter))
        return dropped


def _words(job: JobView) -> str:
    """What a search looks at."""
    data = json.dumps(job.data, ensure_ascii=False)
    return "\n".join((job.id, job.name, job.reason or "", data)).casefold()


def _fields(job: JobView | Letter) -> dict[str, str]:
    return {"queue": job.queue, "wire": job.wire.value, "id": job.id[:200], "name": job.name[:200]}
