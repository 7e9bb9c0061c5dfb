"""Health checks for platforms, and the OpenAPI document."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Depends, Request

from queue_lib.admin.admin import Admin
from queue_lib.errors import BrokerUnavailableError
from queue_lib.web.api.dependencies import token_of
from queue_lib.web.api.job_models import Outcome
from queue_lib.web.api.problems import described

IN_TIME = 1.5  # seconds that Redis has to answer, so that a check takes at most two

router = APIRouter()


class Readiness:
    """Asks Redis. Checks at the same time share one question."""

    def __init__(self) -> None:
        """Not asked yet."""
        self._asking: asyncio.Task[None] | None = None

    async def check(self, admin: Admin) -> None:
        """Raise BrokerUnavailableError, which says why, unless Redis takes jobs."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(admin.check(), name="readiness")
            self._asking.add_done_callback(_heard)
        asking = self._asking  # who has its answer first may ask again before the others wake up
        answered, _ = await asyncio.wait([asking], timeout=IN_TIME)
        if not answered:  # not cancelled: the next check may get the answer
            msg = f"no answer within {IN_TIME:g} s"
            raise BrokerUnavailableError(msg)
        asking.result()


def _heard(asked: asyncio.Task[None]) -> None:
    """Take the error, which asyncio would log if no check waits for it any more."""
    if not asked.cancelled():
        asked.exception()


@router.get("/healthz")
async def alive() -> Outcome:
    """Whether the process is alive; needs no token."""
    return Outcome(outcome="alive")


@router.get("/readyz", responses=described(503))
async def ready(request: Request) -> Outcome:
    """Whether Redis answers and takes jobs; needs no token, and answers within 2 seconds."""
    await request.app.state.readiness.check(request.app.state.admin)
    return Outcome(outcome="ready")


@router.get("/openapi.json", include_in_schema=False, dependencies=[Depends(token_of)])
async def description(request: Request) -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document
