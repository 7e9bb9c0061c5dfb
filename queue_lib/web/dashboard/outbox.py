"""The page of the app's outbox."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import page

router = APIRouter()


@router.get("/outbox")
async def outbox(request: Request, operator: Operator) -> Response:
    """What a publisher has told within a minute: its lag, the last rows, the bad ones."""
    return page(request, "outbox.html", outbox=await operator.outbox(), refresh=5, here="workers")
