"""Dead letters: find, read, replay, drop."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.dead_letters import Bounds, Replay, Within
from queue_lib.admin.filters import JobFilter
from queue_lib.admin.reasons import gist
from queue_lib.broker.dead_letters import DeadLetterView
from queue_lib.job import Wire
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.offers import LONGEST, QUICK, AsSeen, offer
from queue_lib.web.dashboard.pages import done, page

COUNT = 50  # letters on a page
SEARCHED = 10_000  # letters that one page looks at, at most
SAID = {
    Replay.RETRIED: "letter-retried",
    Replay.ENQUEUED: "letter-enqueued",
    Replay.NOT_FAILED: "letter-not-failed",
    Replay.NO_PAYLOAD: "letter-no-payload",
    Replay.GONE: "letter-gone",
}

router = APIRouter()

Name = Annotated[str, Query(max_length=200)]
Start = Annotated[int, Query(ge=0, le=10_000_000)]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant, as the address says it; empty fields mean all."""

    queue: str
    wire: str
    name: str
    text: str
    group: str = ""

    def wanted(self, before: float | None = None) -> JobFilter:
        """The same for the admin; none that failed after `before`, in seconds since the epoch."""
        wire = Wire(self.wire) if self.wire else None
        return JobFilter(
            queue=self.queue or None,
            wire=wire,
            name=self.name or None,
            reason=self.text or None,
            before=before,
            group=self.group or None,
        )

    def query(self) -> dict[str, str]:
        """The same for an address."""
        return {"queue": self.queue, "wire": self.wire, "name": self.name, "text": self.text, "group": self.group}


def filter_of(
    queue: Name = "",
    wire: Annotated[str, Query(pattern="^(bullmq|rq|)$")] = "",
    name: Name = "",
    text: Name = "",
    group: Annotated[str, Query(pattern="^([0-9a-f]{18}|)$")] = "",
) -> Filter:
    """What the address asks for."""
    return Filter(queue, wire, name, text, group)


Chosen = Annotated[Filter, Depends(filter_of)]


@router.get("/letters")
async def listed(request: Request, operator: Operator, chosen: Chosen, start: Start = 0) -> Response:
    """The letters that are meant, the newest first."""
    within = Within(start=start, most=SEARCHED, seconds=QUICK)
    found = await operator.dead_letters.newest(chosen.wanted(), within, COUNT)
    query = chosen.query()
    filtered = any(query.values())
    known = None if start or found.resume is not None else len(found.letters)
    return page(
        request,
        "dead_letters.html",
        letters=found.letters,
        following=found.resume,
        start=start,
        total=found.total,
        offer=offer(known, "matching dead letter") if filtered else offer(found.total, "dead letter"),
        queues=operator.queues.names,
        query=query,
        reason=gist(found.letters[0].reason) if chosen.group and found.letters else None,
        filtered=filtered,
        refresh=0 if filtered else 5,
        here="letters",
    )


@router.post("/letters/replay")
async def replay_all(request: Request, operator: Operator, chosen: Chosen, seen: AsSeen) -> Response:
    """Replay the letters that are meant: as many as the page said, and none that came after it."""
    wanted = chosen.wanted(before=seen.at)
    outcome = await operator.dead_letters.replay_many(wanted, Bounds(limit=seen.most, seconds=LONGEST))
    return done(request, "/letters", "replayed-some" if outcome.more else "replayed", outcome.replayed)


async def letter_of(operator: Operator, id: Annotated[str, Query(min_length=1, max_length=1500)]) -> DeadLetterView:  # noqa: A002 -- its name in the address
    """The letter that the address names. Raises 404."""
    letter = await operator.dead_letters.find(id)
    if letter is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such letter (any more)")
    return letter


FoundLetter = Annotated[DeadLetterView, Depends(letter_of)]


@router.get("/letter")
async def look(request: Request, operator: Operator, letter: FoundLetter) -> Response:
    """One letter whole."""
    jobs = await operator.jobs.find(letter.id, letter.queue, letter.wire)
    return page(request, "dead_letter.html", letter=letter, job=jobs[0] if jobs else None, here="letters")


@router.post("/letter/replay")
async def replay(request: Request, operator: Operator, letter: FoundLetter) -> Response:
    """Run the letter's job again."""
    return done(request, "/letters", SAID[await operator.dead_letters.replay(letter)])


@router.post("/letter/drop")
async def drop(request: Request, operator: Operator, letter: FoundLetter) -> Response:
    """Delete a letter."""
    said = "letter-dropped" if await operator.dead_letters.drop(letter) else "letter-gone"
    return done(request, "/letters", said)
