"""What platforms ask, and the description of everything else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from queue_lib.api.guard import reader
from queue_lib.api.lookup import admin
from queue_lib.api.models import Outcome
from queue_lib.api.problems import described
from queue_lib.api.tokens import Token

router = APIRouter()


@router.get("/healthz")
async def alive() -> Outcome:
    """Whether the process is alive; needs no token."""
    return Outcome(outcome="alive")


@router.get("/readyz", responses=described(503))
async def ready(request: Request) -> Outcome:
    """Whether Redis answers; needs no token."""
    await admin(request, Token("readyz", "", may_write=False)).letter_count()
    return Outcome(outcome="ready")


@router.get("/openapi.json", include_in_schema=False)
async def description(request: Request, token: Annotated[Token, Depends(reader)]) -> dict[str, Any]:  # noqa: ARG001 -- asked for
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document
