"""Dead letters: list, read, replay, drop."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.exceptions import HTTPException

from queue_lib.admin.dead_letters import REPLAYED, Replay
from queue_lib.broker.dead_letters import DeadLetterView
from queue_lib.web.api.dependencies import Operator
from queue_lib.web.api.job_models import Outcome
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute

router = APIRouter(prefix="/queue/dead-letters", tags=["dead letters"], route_class=ApiRoute)

REFUSALS = {
    Replay.NOT_FAILED: "the job is waiting, running or done by now; drop the dead letter",
    Replay.NO_PAYLOAD: "the job is gone, and the dead letter has no payload; its data says why",
}


async def letter_of(
    operator: Operator, letter_id: Annotated[str, Path(min_length=1, max_length=500)]
) -> DeadLetterView:
    """The dead letter that the address names. Raises 404."""
    letter = await operator.dead_letters.find(letter_id)
    if letter is None:
        raise _gone()
    return letter


FoundLetter = Annotated[DeadLetterView, Depends(letter_of)]


@router.get("", responses=described(401, 422, 503))
async def page(
    operator: Operator,
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[DeadLetterView]:
    """Dead letters, the oldest first; without payloads and stack traces."""
    return await operator.dead_letters.page(start, count)


@router.get("/{letter_id}", responses=described(401, 404, 422, 503))
async def look(letter: FoundLetter) -> DeadLetterView:
    """One dead letter in full."""
    return letter


@router.post("/{letter_id}/replay", responses=described(401, 403, 404, 409, 422, 503))
async def replay(operator: Operator, letter: FoundLetter) -> Outcome:
    """Run the job again, from its first attempt and on its own wire, and drop the dead letter."""
    outcome = await operator.dead_letters.replay(letter)
    if outcome not in REPLAYED:
        raise HTTPException(HTTPStatus.CONFLICT, REFUSALS[outcome])
    return Outcome(outcome=outcome.value)


@router.delete("/{letter_id}", responses=described(401, 403, 404, 422, 503))
async def drop(operator: Operator, letter: FoundLetter) -> Outcome:
    """Delete a dead letter. The job stays among the failed ones."""
    if not await operator.dead_letters.drop(letter):
        raise _gone()
    return Outcome(outcome="dropped")


def _gone() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such dead letter (any more)")
