"""Dead letters by reason: one line for each group, and one action for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from queue_lib.admin.dead_letters import Bounds, Within
from queue_lib.web.dashboard.dead_letters import Chosen, Filter, Start
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.offers import LONGEST, QUICK
from queue_lib.web.dashboard.pages import done, page

GROUPED = 5000  # dead letters that one page groups at most
ALL = 20_000  # dead letters of one action: more than its time is enough for

router = APIRouter(prefix="/letters/groups")


@router.get("")
async def groups(request: Request, operator: Operator, chosen: Chosen, start: Start = 0) -> Response:
    """The groups of those that are meant, the largest first. A page that is not whole says how far it has looked."""
    within = Within(start=start, most=GROUPED, seconds=QUICK)
    found = await operator.dead_letters.groups(chosen.wanted(), within)
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
        is_whole=is_whole,
        refresh=5 if is_whole else 0,  # to look at thousands is expensive
        here="letters",
    )


def one_group(chosen: Chosen, group: Annotated[str, Query(min_length=1)]) -> Filter:  # noqa: ARG001 -- it is needed
    """The filter, which names a group."""
    return chosen


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """What the page that the reader saw has named: no letter that failed after `at`, in seconds since the epoch.

    These were `most` letters of the group, or with 0 all of it: those that the page had not looked at, too.
    """

    at: float
    most: int

    def bounds(self, start: int) -> Bounds:
        """How far an action goes that is asked for on the page that begins with the `start`-th newest letter."""
        return Bounds(limit=self.most or ALL, seconds=LONGEST, start=start)


def seen_of(seen: Annotated[float, Query(gt=0)], most: Annotated[int, Query(ge=0, le=GROUPED)]) -> GroupSeen:
    """As the page has put it into the action's address."""
    return GroupSeen(seen, most)


OneGroup = Annotated[Filter, Depends(one_group)]
AsSeen = Annotated[GroupSeen, Depends(seen_of)]


@router.post("/replay")
async def replay(request: Request, operator: Operator, chosen: OneGroup, seen: AsSeen, start: Start = 0) -> Response:
    """Replay a group: as many as the page said, and none that failed after those."""
    outcome = await operator.dead_letters.replay_many(chosen.wanted(before=seen.at), seen.bounds(start))
    return _back(request, "replayed", outcome.replayed, seen, more=outcome.more)


@router.post("/drop")
async def drop(request: Request, operator: Operator, chosen: OneGroup, seen: AsSeen, start: Start = 0) -> Response:
    """Drop a group: as many as the page said, and none that failed after those."""
    outcome = await operator.dead_letters.drop_many(chosen.wanted(before=seen.at), seen.bounds(start))
    return _back(request, "dropped", outcome.dropped, seen, more=outcome.more)


def _back(request: Request, said: str, count: int, seen: GroupSeen, *, more: bool) -> Response:
    """To the groups, which say so if it was done to fewer than the page had named."""
    if seen.most:
        said += "-few" if count < seen.most else ""
    elif more:
        said += "-some"
    return done(request, "/letters/groups", said, count, group="")
