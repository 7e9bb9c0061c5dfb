"""Dead letters by reason: the groups, and one action for all dead letters of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query

from queue_lib.admin.dead_letters import Bounds, Within
from queue_lib.admin.filters import JobFilter
from queue_lib.job import Wire
from queue_lib.processor import Model
from queue_lib.web.api.dependencies import Operator, Start
from queue_lib.web.api.job_models import example
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute

if TYPE_CHECKING:
    from queue_lib.admin.letter_groups import LetterGroup

GROUPED = 5000  # dead letters that one request groups at most
QUICK = 0.1  # seconds after which it looks at no more of them
AT_ONCE = 1000  # dead letters of one action
LONGEST = 15.0  # seconds of one action: hosts cut requests after 30
MOST_NAMES = 20  # of a group that are listed

router = APIRouter(prefix="/queue/dead-letters/groups", tags=["dead letters"], route_class=ApiRoute)


class LetterGroupOut(Model):
    """Dead letters whose `reason` is the same but for numbers, ids, quoted texts, paths and addresses.

    `newest` and `oldest` are when they failed. `names`, `queues` and `wires` say how many are of each.
    """

    model_config = example(
        id="30150bfbe575f46562",
        reason="S3 answered 503",
        count=12,
        newest=1795572306000,
        oldest=1795568000000,
        names={"build-report": 12},
        queues={"reports": 12},
        wires={"bullmq": 12},
    )

    id: str
    reason: str
    count: int
    newest: int
    oldest: int
    names: dict[str, int]
    queues: dict[str, int]
    wires: dict[Wire, int]


class LetterGroupsOut(Model):
    """The groups among some dead letters of `total`, the largest first.

    `resume` is the `start` of the next request, null at the end.
    """

    groups: list[LetterGroupOut]
    total: int
    resume: int | None


class ReplayedOut(Model):
    """How many dead letters were replayed. `more`: there may be others; ask again."""

    model_config = example(replayed=12, more=False)

    replayed: int
    more: bool


class DroppedOut(Model):
    """How many dead letters were dropped. `more`: there may be others; ask again."""

    model_config = example(dropped=12, more=False)

    dropped: int
    more: bool


def filter_of(
    queue: Annotated[str | None, Query(min_length=1, max_length=200, description="All, if it is left out.")] = None,
    wire: Annotated[Wire | None, Query(description="Both wires, if it is left out.")] = None,
    name: Annotated[str | None, Query(max_length=200, description="Only jobs of this name.")] = None,
    text: Annotated[str | None, Query(max_length=200, description="Only where the reason has these words.")] = None,
) -> JobFilter:
    """The dead letters that the address means."""
    return JobFilter(queue=queue, wire=wire, name=name or None, reason=text or None)


Chosen = Annotated[JobFilter, Depends(filter_of)]


@router.get("", responses=described(401, 422, 503))
async def groups(operator: Operator, chosen: Chosen, start: Start = 0) -> LetterGroupsOut:
    """Dead letters by reason. One request looks at up to 5,000 of them, from the `start`-th newest on.

    It looks for a tenth of a second: where there are many, `resume` says how far it came.
    """
    found = await operator.dead_letters.groups(chosen, Within(start=start, most=GROUPED, seconds=QUICK))
    return LetterGroupsOut(groups=[_out(each) for each in found.groups], total=found.total, resume=found.resume)


def one_group(
    chosen: Chosen,
    group: Annotated[str, Path(pattern="^[0-9a-f]{18}$")],
    before: Annotated[
        int | None, Query(ge=1, le=2**53, description="Only what had failed by then, in milliseconds since the epoch.")
    ] = None,
) -> JobFilter:
    """The dead letters of one group."""
    return JobFilter(
        queue=chosen.queue,
        wire=chosen.wire,
        name=chosen.name,
        reason=chosen.reason,
        group=group,
        before=None if before is None else before / 1000,
    )


def bounds_of(
    limit: Annotated[int, Query(ge=1, le=AT_ONCE, description="At most so many, the newest first.")] = AT_ONCE,
    start: Start = 0,
) -> Bounds:
    """How far the action goes."""
    return Bounds(limit=limit, seconds=LONGEST, start=start)


OneGroup = Annotated[JobFilter, Depends(one_group)]
Bounded = Annotated[Bounds, Depends(bounds_of)]


@router.post("/{group}/replay", responses=described(401, 403, 422, 503))
async def replay_group(operator: Operator, chosen: OneGroup, bounds: Bounded) -> ReplayedOut:
    """Run the jobs of a group again, from their first attempt and on their own wires, and drop its dead letters.

    With `before` and `limit` as the list had them, no more are replayed than it said, and none that failed later.
    """
    outcome = await operator.dead_letters.replay_many(chosen, bounds)
    return ReplayedOut(replayed=outcome.replayed, more=outcome.more)


@router.delete("/{group}", responses=described(401, 403, 422, 503))
async def drop_group(operator: Operator, chosen: OneGroup, bounds: Bounded) -> DroppedOut:
    """Delete the dead letters of a group, within the same bounds. Their jobs stay among the failed ones."""
    outcome = await operator.dead_letters.drop_many(chosen, bounds)
    return DroppedOut(dropped=outcome.dropped, more=outcome.more)


def _out(group: LetterGroup) -> LetterGroupOut:
    return LetterGroupOut(
        id=group.id,
        reason=group.gist,
        count=group.count,
        newest=group.newest,
        oldest=group.oldest,
        names=dict(group.names.most_common(MOST_NAMES)),
        queues=dict(group.queues.most_common(MOST_NAMES)),
        wires=dict(group.wires),
    )
