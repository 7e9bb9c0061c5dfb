"""Dead letters by reason: one line for each group, and one action for all of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from queue_lib.admin.dead_letters import Bounds
from queue_lib.web.dashboard.dead_letters import LOOKED, Chosen, Filter, Start
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.offers import AT_ONCE, LONGEST, AsSeen, Seen
from queue_lib.web.dashboard.pages import done, page

GROUPED = AT_ONCE  # dead letters that one page groups: one action can be for all of a group

router = APIRouter(prefix="/letters/groups")


@router.get("")
async def groups(request: Request, operator: Operator, chosen: Chosen, start: Start = 0) -> Response:
    """The groups of those that are meant, the largest first."""
    found = await operator.dead_letters.groups(chosen.wanted(), start, GROUPED)
    query = chosen.query()
    is_whole = not start and found.resume is None
    return page(
        request,
        "letter_groups.html",
        groups=found.groups,
        following=found.resume,
        start=start,
        total=found.total,
        queues=operator.queues.names,
        query=query,
        filtered=any(query.values()),
        refresh=5 if is_whole else 0,  # to look at a thousand is expensive
        here="letters",
    )


def one_group(chosen: Chosen, group: Annotated[str, Query(min_length=1)]) -> Filter:  # noqa: ARG001 -- it is needed
    """The filter, which names a group."""
    return chosen


OneGroup = Annotated[Filter, Depends(one_group)]


@router.post("/replay")
async def replay(request: Request, operator: Operator, chosen: OneGroup, seen: AsSeen, start: Start = 0) -> Response:
    """Replay a group: as many as the page said, and none that came after it."""
    bounds = Bounds(limit=seen.most, looked=LOOKED, seconds=LONGEST, start=start)
    outcome = await operator.dead_letters.replay_many(chosen.wanted(before=seen.at), bounds)
    return _back(request, "replayed", outcome.replayed, seen)


@router.post("/drop")
async def drop(request: Request, operator: Operator, chosen: OneGroup, seen: AsSeen, start: Start = 0) -> Response:
    """Drop a group: as many as the page said, and none that came after it."""
    bounds = Bounds(limit=seen.most, looked=LOOKED, seconds=LONGEST, start=start)
    outcome = await operator.dead_letters.drop_many(chosen.wanted(before=seen.at), bounds)
    return _back(request, "dropped", outcome.dropped, seen)


def _back(request: Request, said: str, count: int, seen: Seen) -> Response:
    """To the groups, which say so if it was done to fewer than the page had named."""
    few = "-few" if count < seen.most else ""
    return done(request, "/letters/groups", f"{said}{few}", count, group="")
