"""One list of a queue's jobs of a state, made of all lists in which the wires keep them: by time, from a place on.

A place is kept as a mark in each list, and not as a number: jobs that come and go in front of it move nothing. So a
later page begins behind the last job of the page before, even if that job has left the list. Only then, and only among
jobs of the same score, may one be shown twice; and a job that is added again may be. RQ counts in whole seconds, and so
does the order among its jobs.

What is in Redis may be odd: an id may be in a list twice, or be none that can be looked for. So each reading of a list
has to bring an id that was not read before, or the list ends there.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, FiniteFloat, TypeAdapter

from queue_lib.admin.ports import Mark, moment_of
from queue_lib.admin.reading import Reading
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from queue_lib.admin.ports import Inspector, JobView, Placed
    from queue_lib.errors import Trouble

READ = 50  # jobs of a list that are read at once
READ_BRIEF = 250  # brief ones, but for the first: they may be large
LONGEST_ID = 1000  # characters
MOST_PASSED = 2**53
GREATEST = sys.float_info.max  # stands for an endless score, which JSON does not have
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
        return json.dumps([self.passed, marks], separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Cursor:
        """The cursor of this text, which may come from anywhere. Raises ValueError if it is none."""
        passed, marks = _CURSOR.validate_json(text)
        return cls(passed, {name: Mark(job_id, _endless(score)) for name, (score, job_id) in marks.items()})


def _finite(score: float) -> float:
    return max(-GREATEST, min(score, GREATEST))


def _endless(score: float) -> float:
    """RQ keeps jobs without an end under an endless score."""
    return math.copysign(math.inf, score) if abs(score) == GREATEST else score


def _short(job_id: str) -> str:
    return job_id.encode(errors="replace").decode() if len(job_id) <= LONGEST_ID else ""


class Merged:
    """The jobs, by time: ended ones the newest first, delayed ones by when they are due, others the oldest first.

    Each list keeps its own order. `trouble` says why a list can't be read: its jobs are missing. They end at a list
    that has `most_gone` ids without a job, too; the cursor is then behind these.
    """

    def __init__(
        self,
        inspectors: Sequence[Inspector],
        queue: str,
        state: State,
        cursor: Cursor | None = None,
        most_gone: float = math.inf,
        *,
        brief: bool = False,
    ) -> None:
        """Begin at the cursor. Brief jobs are as those of `Inspector.page`."""
        self._state = state
        self._passed = cursor.passed if cursor else 0
        self._read = Reading()
        marks = cursor.marks if cursor else {}
        lists = ((each, number, f"{each.wire}{number}") for each in inspectors for number in range(each.lists(state)))
        self._lists = [
            _List(
                partial(each.behind, queue, state, number, brief=brief),
                READ_BRIEF if brief else READ,
                self._read,
                name,
                marks.get(name),
                most_gone,
            )
            for each, number, name in lists
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
        """Behind the last job that was handed out; None if there are no more. No job is handed out afterwards."""
        for each in self._lists:
            each.count = 1  # so many say whether there are more
        await self._first()
        if all(each.is_over for each in self._lists):
            return None
        marks = {each.name: mark for each in self._lists if (mark := each.place()) is not None}
        return Cursor(passed=self._passed, marks=marks)

    async def _first(self) -> tuple[JobView, _List] | None:
        """The next job, and its list; None as long as that of a list is not known."""
        heads = [(job, each) for each in self._lists if (job := await each.head()) is not None]
        if any(each.head_is_unknown for each in self._lists):
            return None
        return min(heads, key=lambda head: self._order(head[0]), default=None)

    def _order(self, job: JobView) -> float:
        at = moment_of(job, self._state) or 0.0
        return -at if self._state in NEWEST_FIRST else at


class _List:
    """A reader of one list of a wire: by `behind` 50 jobs, then more at once, up to `most`."""

    def __init__(
        self,
        behind: Callable[[Mark | None, int], Awaitable[list[Placed]]],
        most: int,
        read: Reading,
        name: str,
        mark: Mark | None,
        most_gone: float,
    ) -> None:
        self._behind, self._reading = behind, read
        self.count, self._most = READ, most
        self._placed: deque[Placed] = deque()
        self._seen: set[str] = set()
        self._is_read, self._left = False, most_gone
        self.name = name
        self.mark = self._last = mark

    async def head(self) -> JobView | None:
        """The next job; None at the end, or where too many ids without a job were passed over."""
        while True:
            while self._placed and self._placed[0].job is None:
                self.pop()
                self._left -= 1
            if self._placed or self._is_read or self._left <= 0:
                return self._placed[0].job if self._placed else None
            await self._refill()

    async def _refill(self) -> None:
        found = await self._reading(self._behind(self._last, self.count))
        fresh = [each for each in found or () if each.mark.id not in self._seen]
        self._seen.update(each.mark.id for each in fresh)
        self._placed.extend(fresh)
        self._is_read = not fresh or len(found or ()) < self.count
        self.count = min(2 * self.count, self._most)
        if found:
            self._last = found[-1].mark

    @property
    def is_over(self) -> bool:
        """Whether all of it was taken."""
        return self._is_read and not self._placed

    @property
    def head_is_unknown(self) -> bool:
        """Whether there may be more jobs behind the ids that were passed over."""
        return not self._is_read and not self._placed

    def place(self) -> Mark | None:
        """Behind the last job that was taken; of a list of which none was, before its first one."""
        if self.mark is None and self._placed:
            return Mark("", self._placed[0].mark.score)
        return self.mark

    def pop(self) -> None:
        """Go on to the next job."""
        self.mark = self._placed.popleft().mark
