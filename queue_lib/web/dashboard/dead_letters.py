"""Dead letters: find, read, replay, drop."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.admin import Admin
from queue_lib.admin.answers import Replay, Wanted
from queue_lib.broker.dead_letters import Letter
from queue_lib.job import Wire
from queue_lib.web.dashboard.access import Acting
from queue_lib.web.dashboard.offers import AT_ONCE, LONGEST, AsSeen, offer
from queue_lib.web.dashboard.pages import done, page

COUNT = 50  # letters on a page
STEP = 25  # letters that are read at once: each may have a payload of megabytes
SEARCHED = 2000  # letters that one page looks at
SAID = {
    Replay.RETRIED: "letter-retried",
    Replay.ENQUEUED: "letter-enqueued",
    Replay.NOT_FAILED: "letter-not-failed",
    Replay.NO_PAYLOAD: "letter-no-payload",
}

router = APIRouter()

Name = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant, as the address says it; empty fields mean all."""

    queue: str
    wire: str
    name: str
    text: str

    def wanted(self) -> Wanted:
        """The same for the admin."""
        wire = Wire(self.wire) if self.wire else None
        return Wanted(queue=self.queue or None, wire=wire, name=self.name or None, text=self.text or None)

    def query(self) -> dict[str, str]:
        """The same for an address."""
        return {"queue": self.queue, "wire": self.wire, "name": self.name, "text": self.text}


def filter_of(
    queue: Name = "", wire: Annotated[str, Query(pattern="^(bullmq|rq|)$")] = "", name: Name = "", text: Name = ""
) -> Filter:
    """What the address asks for."""
    return Filter(queue, wire, name, text)


Chosen = Annotated[Filter, Depends(filter_of)]


@dataclass(frozen=True, slots=True)
class Found:
    """Letters of `total`, the newest first. `resume` is how many newer ones to pass over to go on; None at the end."""

    letters: list[Letter]
    resume: int | None
    total: int


async def find(admin: Admin, wanted: Wanted, start: int, count: int, most: int) -> Found:
    """Letters that are meant, from the `start`-th newest on, until there are `count` (or the rest of a step more).

    They are without their payloads and stack traces. At most `most` are looked at.
    """
    now = time.time()
    found: list[Letter] = []
    total = await admin.letter_count()
    last = total - start
    end, stop = last, max(last - most, 0)
    while end > stop and len(found) < count:
        first = max(end - STEP, 0)
        read = await admin.letter_page(first, end - first)
        found += [
            letter.model_copy(update={"data": None, "stack": ""})
            for letter in reversed(read)
            if wanted.admits(letter, letter.failed_at / 1000, now)
        ]
        end = first
    return Found(found, total - end if end > 0 else None, total)


@router.get("/letters")
async def listed(
    request: Request, admin: Acting, chosen: Chosen, start: Annotated[int, Query(ge=0, le=10_000_000)] = 0
) -> Response:
    """The letters that are meant, the newest first."""
    found = await find(admin, chosen.wanted(), start, COUNT, SEARCHED)
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
        offer=offer(known, "matching letter") if filtered else offer(found.total, "letter"),
        queues=admin.queues,
        query=query,
        filtered=filtered,
        refresh=0 if filtered else 5,
        here="letters",
    )


@router.post("/letters/replay")
async def replay_all(admin: Acting, chosen: Chosen, seen: AsSeen) -> Response:
    """Replay the letters that are meant: as many as the page said, and none that came after it."""
    until = time.monotonic() + LONGEST
    wanted = replace(chosen.wanted(), older=time.time() - seen.at)
    found = await find(admin, wanted, 0, seen.most, AT_ONCE * 20)
    replayed, more = 0, found.resume is not None
    for each in found.letters[: seen.most]:
        if time.monotonic() > until:
            more = True
            break
        letter = await admin.letter(each.letter_id)
        replayed += letter is not None and await admin.replay(letter) in {Replay.RETRIED, Replay.ENQUEUED}
    return done("/letters", "replayed-some" if more else "replayed", replayed, **chosen.query())


async def one(admin: Acting, id: Annotated[str, Query(min_length=1, max_length=1500)]) -> Letter:  # noqa: A002 -- its name in the address
    """The letter that the address names. Raises 404."""
    letter = await admin.letter(id)
    if letter is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such letter (any more)")
    return letter


One = Annotated[Letter, Depends(one)]


@router.get("/letter")
async def look(request: Request, admin: Acting, letter: One) -> Response:
    """One letter whole."""
    jobs = await admin.find(letter.id, letter.queue, letter.wire)
    return page(request, "dead_letter.html", letter=letter, job=jobs[0] if jobs else None, here="letters")


@router.post("/letter/replay")
async def replay(admin: Acting, letter: One) -> Response:
    """Run the letter's job again."""
    return done("/letters", SAID[await admin.replay(letter)])


@router.post("/letter/drop")
async def drop(admin: Acting, letter: One) -> Response:
    """Delete a letter."""
    return done("/letters", "letter-dropped" if await admin.drop(letter) else "letter-gone")
