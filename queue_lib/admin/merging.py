"""One list of a queue's jobs of a state, made of all lists in which the wires keep them: by time, from a place on.

A place is kept as a mark in each list, and not as a number: jobs that come and go in front of it move nothing. So a
later page begins behind the last job of the page before, even if that job has left the list. Only then, and only among
jobs of the same score, may one be shown twice; and a job that is added again may be. RQ counts in whole seconds, and so
does the order among its jobs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, FiniteFloat, TypeAdapter

from queue_lib.admin.ports import Mark, moment_of
from queue_lib.admin.reading import Reading
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from queue_lib.admin.ports import Inspector, JobView, Placed
    from queue_lib.errors import Trouble

READ = 50  # jobs of a list that are read at once
LONGEST_ID = 1000  # characters
MOST_PASSED = 2**53
NEWEST_FIRST = frozenset({State.COMPLETED, State.FAILED})
_CURSOR: TypeAdapter[tuple[int, dict[str, tuple[float, str]]]] = TypeAdapter(
    tuple[
        Annotated[int, Field(ge=0, le=MOST_PASSED)],
        dict[str, tuple[FiniteFloat, Annotated[str, Field(max_length=LONGEST_ID)]]],
    ]
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come: how many jobs are `passed`, and the mark in each list, by wire and number."""

    passed: int
    marks: Mapping[str, Mark]

    def text(self) -> str:
        """As `read` reads it. An id that no page could have in its address is left out: its score has to do."""
        marks = {name: [_finite(mark.score), _short(mark.id)] for name, mark in self.marks.items()}
        return json.dumps([self.passed, marks], separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Cursor:
        """The cursor of this text, which may come from anywhere. Raises ValueError if it is none."""
        passed, marks = _CURSOR.validate_json(text)
        return cls(passed, {name: Mark(job_id, score) for name, (score, job_id) in marks.items()})


def _finite(score: float) -> float:
    return max(-sys.float_info.max, min(score, sys.float_info.max))


def _short(job_id: str) -> str:
    return job_id.encode(errors="replace").decode() if len(job_id) <= LONGEST_ID else ""


class Merged:
    """The jobs, by time: ended ones the newest first, delayed ones by when they are due, others the oldest first.

    Each list keeps its own order. `trouble` says why a list can't be read: its jobs are missing.
    """

    def __init__(self, inspectors: Sequence[Inspector], queue: str, state: State, cursor: Cursor | None = None) -> None:
        """Begin at the cursor."""
        self._state = state
        self._passed = cursor.passed if cursor else 0
        self._read = Reading()
        self._lists = [
            _List(each, number, queue, state, self._read, cursor.marks if cursor else {})
            for each in inspectors
            for number in range(each.lists(state))
        ]
        self._shown: set[tuple[str, str]] = set()

    @property
    def trouble(self) -> Trouble | None:
        """Why a list can't be read."""
        return self._read.trouble

    async def jobs(self) -> AsyncIterator[JobView]:
        """One after the other."""
        await asyncio.gather(*(each.head() for each in self._lists))
        while (first := await self._first()) is not None:
            job, source = first
            source.pop()
            self._passed += 1
            if (job.wire, job.id) not in self._shown:  # it may have moved to another list meanwhile
                self._shown.add((job.wire, job.id))
                yield job

    async def cursor(self) -> Cursor | None:
        """Behind the last job that was handed out; None if there are no more."""
        if await self._first() is None:
            return None
        marks = {each.name: mark for each in self._lists if (mark := each.place()) is not None}
        return Cursor(passed=self._passed, marks=marks)

    async def _first(self) -> tuple[JobView, _List] | None:
        """The next job, and its list."""
        heads = [(job, each) for each in self._lists if (job := await each.head()) is not None]
        return min(heads, key=lambda head: self._order(head[0]), default=None)

    def _order(self, job: JobView) -> float:
        at = moment_of(job, self._state) or 0.0
        return -at if self._state in NEWEST_FIRST else at


class _List:
    """A reader of one list of a wire."""

    def __init__(
        self,
        inspector: Inspector,
        number: int,
        queue: str,
        state: State,
        read: Reading,
        marks: Mapping[str, Mark],
    ) -> None:
        self._inspector, self._number, self._queue, self._state = inspector, number, queue, state
        self._reading = read
        self._placed: deque[Placed] = deque()
        self._is_read = False
        self.name = f"{inspector.wire}{number}"
        self.mark = self._last = marks.get(self.name)

    async def head(self) -> JobView | None:
        """The next job; None at the end. Ids without a job are passed over."""
        while True:
            while self._placed and self._placed[0].job is None:
                self.pop()
            if self._placed or self._is_read:
                return self._placed[0].job if self._placed else None
            await self._refill()

    async def _refill(self) -> None:
        found = await self._reading(self._inspector.behind(self._queue, self._state, self._number, self._last, READ))
        self._placed.extend(found or ())
        self._is_read = len(found or ()) < READ
        if found:
            self._last = found[-1].mark

    def place(self) -> Mark | None:
        """Behind the last job that was taken; of a list of which none was, before its first one."""
        if self.mark is None and self._placed:
            return Mark("", self._placed[0].mark.score)
        return self.mark

    def pop(self) -> None:
        """Go on to the next job."""
        self.mark = self._placed.popleft().mark
