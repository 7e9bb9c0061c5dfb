"""Jobs: find, list, search, add, retry, promote, remove."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from queue_lib.admin.admission import UnfitJobsError
from queue_lib.admin.backends import log_fields
from queue_lib.admin.bulk import for_each
from queue_lib.admin.filters import has_words
from queue_lib.admin.lists import SEARCHED, JobLists
from queue_lib.admin.merging import READ, READ_BRIEF
from queue_lib.admin.ports import JobView
from queue_lib.admin.queues import PAGE
from queue_lib.admin.reading import Reading
from queue_lib.broker.dead_letters import dead_letter_id
from queue_lib.errors import BrokerRefusedError, PermanentError
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from structlog.typing import FilteringBoundLogger

    from queue_lib.addition import Addition
    from queue_lib.admin.backends import Backends
    from queue_lib.admin.filters import JobFilter
    from queue_lib.admin.flows import FlowNode
    from queue_lib.job import Wire
    from queue_lib.processor import JobSchema


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of a state, of `total`."""

    jobs: list[JobView]
    total: int


@dataclass(frozen=True, slots=True)
class Search:
    """The jobs that were found. `resume` is where to continue the search; None at the end."""

    jobs: list[JobView]
    resume: int | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Failed jobs that a filter admits. `more`: there are others, or the time was up before all were looked at."""

    jobs: list[JobView]
    more: bool


@dataclass(frozen=True, slots=True)
class Retried:
    """How many failed jobs matched, and how many of them run again. `more`: there are others; retry again."""

    matched: int
    retried: int
    more: bool


class JobAdmin:
    """Looks at jobs, and acts on one or many."""

    def __init__(self, backends: Backends, log: FilteringBoundLogger) -> None:
        """`log` names the operator."""
        self._backends = backends
        self._on = backends.on
        self._dead_letters = backends.dead_letters
        self._lists = JobLists(backends)
        self._log = log

    async def find(self, job_id: str, queue: str | None = None, wire: Wire | None = None) -> list[JobView]:
        """The jobs with this id. BullMQ numbers jobs in each queue, so there may be several.

        A queue that can't be read is left out. Raises BrokerRefusedError if the job may be in it, and is nowhere else.
        """
        read = Reading()
        found = [
            job
            for inspector in self._backends.inspectors
            for name in self._backends.queues
            if queue in {None, name} and wire in {None, inspector.wire}
            if (job := await read(inspector.find(name, job_id))) is not None
        ]
        if not found and read.trouble is not None:
            raise BrokerRefusedError(trouble=read.trouble)
        return found

    async def browse(self, queue: str, state: State, wire: Wire, start: int, count: int) -> JobPage:
        """One wire's jobs of a state, from number `start` on: ended jobs newest first, others in running order.

        `count` is at most 200. Raises NoSuchQueueError, and PermanentError for a wire that is not served.
        """
        [queue] = self._backends.chosen(queue)
        inspector = self._on(wire)
        jobs = await inspector.page(queue, state, start, min(count, PAGE))
        return JobPage(jobs, (await inspector.counts(queue))[state])

    async def search(  # noqa: PLR0913 -- what is searched, for what, and how far
        self,
        queue: str,
        state: State,
        wire: Wire,
        text: str,
        *,
        start: int = 0,
        count: int = 50,
        seconds: float = math.inf,
    ) -> Search:
        """Up to `count` of one wire's jobs of a state that have a text in their id, name, reason or payload.

        Case does not matter. At most 5,000 jobs are looked at, from number `start` on, in the order of `browse`, and no
        more after so many seconds. Raises NoSuchQueueError, and PermanentError for a wire that is not served.
        """
        [queue] = self._backends.chosen(queue)
        inspector, until = self._on(wire), time.monotonic() + seconds
        found: list[str] = []
        total = (await inspector.counts(queue))[state]
        place, end, step = start, min(start + SEARCHED, total), READ
        while place < end and len(found) < count and (place == start or time.monotonic() < until):
            step = min(step, end - place)
            page = await inspector.page(queue, state, place, step, brief=True)
            meant = [(number, job.id) for number, job in enumerate(page, place + 1) if has_words(job, text)]
            left = count - len(found)
            if len(meant) > left and len(page) < step:  # ids without a job hide the number of the last one that is due
                step //= 2
                continue
            found += [job_id for _, job_id in meant[:left]]
            place = place + step if len(meant) <= left else meant[left - 1][0]
            step = min(2 * step, READ_BRIEF)
        return Search(await inspector.listed(queue, state, found), place if place < total else None)

    async def flow(self, job: JobView) -> FlowNode | None:
        """The whole flow that the job belongs to, 100 jobs of it at most; None if there is none, as always on RQ."""
        return await self._on(job.wire).flow(job.queue, job.id)

    async def fingerprints(self, queue: str, wire: Wire, job_ids: Sequence[str]) -> list[str | None]:
        """For each job a short text that changes whenever the job does; None for a job that is gone."""
        return await self._on(wire).fingerprints(queue, job_ids)

    def offered(self, queue: str) -> list[JobSchema]:
        """The jobs of a queue that may be added. Raises NoSuchQueueError."""
        [queue] = self._backends.chosen(queue)
        return self._backends.admission.of(queue)

    async def add(self, addition: Addition, wire: Wire) -> tuple[str, str]:
        """Enqueue a job, in the queue that its name belongs to; returns its id and the queue.

        Raises PermanentError, which says what is wrong, for a job that could only become a dead letter.
        """
        queue = self._check(addition, wire)
        job_id = await self._on(wire).add(queue, addition)
        self._log.info("job_added", queue=queue, wire=wire.value, id=job_id[:200], name=addition.name)
        return job_id, queue

    async def add_all(self, jobs: Sequence[tuple[Addition, Wire]]) -> list[tuple[str, str]]:
        """Enqueue many jobs, each as `add` does; returns their ids and queues in this order.

        Raises UnfitJobsError, and enqueues none, if any of them is not fit. If the server goes away in the middle some
        are enqueued.
        """
        queues = self._check_all(jobs)
        places: dict[tuple[str, Wire], list[int]] = {}
        for number, (queue, (_, wire)) in enumerate(zip(queues, jobs, strict=True)):
            places.setdefault((queue, wire), []).append(number)
        ids: dict[int, str] = {}
        for (queue, wire), numbers in places.items():
            added = await self._on(wire).add_all(queue, [jobs[number][0] for number in numbers])
            ids |= zip(numbers, added, strict=True)
            self._log.info("jobs_added", queue=queue, wire=wire.value, jobs=len(added))
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
        """The queue that the job belongs to. Raises PermanentError as `add` does."""
        queue = self._backends.admission.queue_of(addition)
        self._on(wire).check_addition(addition)
        return queue

    async def retry(self, job: JobView, before: float | None = None) -> bool:
        """Run a failed job again from its first attempt, and drop its dead letter; False if it is no longer failed.

        Also if it failed again after `before`, in seconds since the epoch, as its dead letter says.
        """
        letter = await self._dead_letters.find(dead_letter_id(job.wire, job.queue, job.id))
        if letter is not None and before is not None and letter.failed_at / 1000 > before:
            return False
        if not await self._on(job.wire).retry(job.queue, job.id):
            return False
        if letter is not None:  # a job that has failed again by now has a new one, which stays
            await self._dead_letters.drop(letter.letter_id, letter.failed_at)
        self._log.info("job_retried", **log_fields(job))
        return True

    async def promote(self, job: JobView) -> bool:
        """Let a delayed job run now; False if it is no longer delayed."""
        if not await self._on(job.wire).promote(job.queue, job.id):
            return False
        self._log.info("job_promoted", **log_fields(job))
        return True

    async def remove(self, job: JobView) -> bool:
        """Delete a job, and the dead letter of one that failed; False if it runs, or is gone.

        The dead letter of an earlier job with the same id stays: it may still be replayed.
        """
        if not await self._on(job.wire).remove(job.queue, job.id):
            return False
        if job.state is State.FAILED:
            await self._dead_letters.drop(dead_letter_id(job.wire, job.queue, job.id))
        self._log.info("job_removed", **log_fields(job))
        return True

    async def failed(self, wanted: JobFilter, limit: int | None = None, seconds: float = math.inf) -> Failed:
        """The failed jobs that the filter admits: queue by queue, the newest first, whatever their wire.

        At most `limit` are found, in about `seconds`. All are found before any is handed out, since a job that is
        retried makes those behind it move up. There may be many, so each has only what names it. Raises
        NoSuchQueueError.
        """
        found: dict[tuple[Wire, str, str], JobView] = {}
        until = time.monotonic() + seconds
        brief = wanted.name is None  # a brief job has its name also where the job can't be read, and is shown without
        async for page in self._failed_pages(wanted, brief=brief):
            for job in page:
                if len(found) == limit:
                    return Failed(list(found.values()), more=True)
                found[job.wire, job.queue, job.id] = JobView(
                    id=job.id,
                    name=job.name,
                    queue=job.queue,
                    wire=job.wire,
                    state=job.state,
                    data=None,
                    attempts_made=0,
                )
            if time.monotonic() > until:
                return Failed(list(found.values()), more=True)
        return Failed(list(found.values()), more=False)

    async def each_failed(self, wanted: JobFilter) -> AsyncIterator[JobView]:
        """The same jobs whole, one after the other. Retry none meanwhile."""
        async for page in self._failed_pages(wanted, brief=False):
            for job in page:
                yield job

    async def _failed_pages(self, wanted: JobFilter, *, brief: bool) -> AsyncIterator[list[JobView]]:
        now = self._backends.clock()
        for queue in self._backends.chosen(wanted.queue):
            merged, page = self._lists.merged(queue, State.FAILED, wanted.wire, brief=brief), list[JobView]()
            async for job in merged.jobs():
                page.append(job)
                if len(page) == PAGE:
                    yield [each for each in page if wanted.admits(each, each.finished_at or None, now)]
                    page = []
            if merged.trouble is not None:
                raise BrokerRefusedError(trouble=merged.trouble)
            yield [each for each in page if wanted.admits(each, each.finished_at or None, now)]

    async def retry_many(self, wanted: JobFilter, limit: int, seconds: float = math.inf) -> Retried:
        """Retry the failed jobs that the filter admits, `limit` at most, the newest first, for about `seconds`."""
        until = time.monotonic() + seconds
        found = await self.failed(wanted, limit, seconds / 2)
        done = await for_each(found.jobs, partial(self.retry, before=wanted.before), until - time.monotonic())
        return Retried(len(found.jobs), sum(done.outcomes), found.more or done.more)
