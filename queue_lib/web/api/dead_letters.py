"""Dead letters: list, read, replay, drop."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.exceptions import HTTPException

from queue_lib.admin.admin import Admin
from queue_lib.admin.answers import Replay
from queue_lib.broker.dead_letters import Letter
from queue_lib.web.api.job_models import Outcome
from queue_lib.web.api.lookup import admin
from queue_lib.web.api.operator import reader, writer
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.tokens import Token

router = APIRouter(prefix="/queue/dead-letters", tags=["dead letters"], route_class=ApiRoute)

LetterId = Annotated[str, Path(min_length=1, max_length=500)]
REFUSALS = {
    Replay.NOT_FAILED: "the job is waiting, running or done by now; drop the letter",
    Replay.NO_PAYLOAD: "the job is gone, and its payload is not in the letter, whose data says why",
}


@router.get("", responses=described(401, 422, 503))
async def page(
    request: Request,
    token: Annotated[Token, Depends(reader)],
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[Letter]:
    """Letters, the oldest first; without their payloads and stack traces."""
    letters = await admin(request, token).letter_page(start, count)
    return [letter.model_copy(update={"data": None, "stack": ""}) for letter in letters]


@router.get("/{letter_id}", responses=described(401, 404, 422, 503))
async def look(request: Request, letter_id: LetterId, token: Annotated[Token, Depends(reader)]) -> Letter:
    """One letter whole."""
    return await _one(admin(request, token), letter_id)


@router.post("/{letter_id}/replay", responses=described(401, 403, 404, 409, 422, 503))
async def replay(request: Request, letter_id: LetterId, token: Annotated[Token, Depends(writer)]) -> Outcome:
    """Run the letter's job again, from its first attempt and on its own wire, and drop the letter."""
    operator = admin(request, token)
    outcome = await operator.replay(await _one(operator, letter_id))
    if outcome in REFUSALS:
        raise HTTPException(HTTPStatus.CONFLICT, REFUSALS[outcome])
    return Outcome(outcome=outcome.value)


@router.delete("/{letter_id}", responses=described(401, 403, 404, 422, 503))
async def drop(request: Request, letter_id: LetterId, token: Annotated[Token, Depends(writer)]) -> Outcome:
    """Delete a letter."""
    operator = admin(request, token)
    if not await operator.drop(await _one(operator, letter_id)):
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such letter (any more)")
    return Outcome(outcome="dropped")


async def _one(operator: Admin, letter_id: str) -> Letter:
    letter = await operator.letter(letter_id)
    if letter is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such letter (any more)")
    return letter
