"""The jobs that the reader has ticked in a list: retry them, or remove them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response

from queue_lib.admin.bulk import for_each
from queue_lib.job import Wire
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.offers import LONGEST
from queue_lib.web.dashboard.pages import done
from queue_lib.web.dashboard.queue import Known, Looked, Where

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.admin.ports import JobView

TICK = "job:"  # before the address of a job, in the name of its box

router = APIRouter(prefix="/queue/{queue}/ticked")


@dataclass(frozen=True, slots=True)
class Selection:
    """The ticked jobs by wire and id, the list in which they were, and when it was made: seconds since the epoch."""

    queue: str
    where: Where
    jobs: Sequence[tuple[Wire, str]]
    seen: float

    def is_same(self, job: JobView) -> bool:
        """Whether the job is still what the list has shown: in its state, and not ended again since."""
        return job.state is self.where.state and (job.finished_at or 0.0) <= self.seen


def selection_of(request: Request, queue: Known, where: Looked, seen: Annotated[float, Query(gt=0)]) -> Selection:
    """What the form and its address say."""
    asked = [parse_qs(urlsplit(name).query) for name in request.state.form if name.startswith(TICK)]
    named = [(each["wire"][0], each["id"][0]) for each in asked if {"wire", "id"} <= set(each)]
    return Selection(queue, where, [(Wire(wire), job_id) for wire, job_id in named if wire in set(Wire)], seen)


Ticked = Annotated[Selection, Depends(selection_of)]


@router.post("/retry")
async def retry(request: Request, operator: Operator, ticked: Ticked) -> Response:
    """Run those that are still failed again."""
    return await _each(request, operator, ticked, operator.jobs.retry, "ticked-retried")


@router.post("/remove")
async def remove(request: Request, operator: Operator, ticked: Ticked) -> Response:
    """Delete those that are still in the state of the list."""
    return await _each(request, operator, ticked, operator.jobs.remove, "ticked-removed")


async def _each(
    request: Request, operator: Admin, ticked: Selection, act: Callable[[JobView], Awaitable[bool]], said: str
) -> Response:
    async def one(place: tuple[Wire, str]) -> bool:
        wire, job_id = place
        found = await operator.jobs.find(job_id, ticked.queue, wire)
        return bool(found) and ticked.is_same(found[0]) and await act(found[0])

    count = sum((await for_each(ticked.jobs, one, LONGEST)).outcomes)
    if not ticked.jobs:
        said = "ticked-none"
    elif count < len(ticked.jobs):
        said += "-few"
    return done(request, f"/queue/{ticked.queue}", said, count)
