"""How much work waits, as HireFire and KEDA ask: one number for each process type of a Procfile."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.exceptions import HTTPException

from queue_lib.admin.autoscaling import ALL, loads
from queue_lib.processor import Model
from queue_lib.web.api.job_models import example
from queue_lib.web.api.problems import described

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin

router = APIRouter(tags=["metrics"])


class ProcessLoad(Model):
    """A process type, and for how many seconds the oldest job that is ready has waited for it.

    `worker` has all queues, `worker-light`, `worker-medium` and `worker-heavy` those of a WORKER_TYPE. The value is at
    least 1 while a job waits or runs. Paused queues count only by what runs.
    """

    model_config = example(name="worker", value=3.2)

    name: str
    value: float


def check(request: Request, given: str | None) -> None:
    """Raise 404 unless this is HIREFIRE_TOKEN: without one, there is no such page."""
    expected: str | None = request.app.state.hirefire_token
    if expected is None or given is None or not hmac.compare_digest(_bytes(expected), _bytes(given)):
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such page, or its token is another one")


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def in_header(
    request: Request,
    token: Annotated[str | None, Header(alias="HireFire-Token", description="HIREFIRE_TOKEN.")] = None,
) -> None:
    """The token as HireFire sends it."""
    check(request, token)


def in_path(request: Request, token: str) -> None:
    """The token in the address, as HireFire's older clients have it."""
    check(request, token)


@router.get("/hirefire", dependencies=[Depends(in_header)], responses=described(404, 422, 503))
async def hirefire(request: Request) -> list[ProcessLoad]:
    """How long jobs have waited for each process type, for HireFire; needs HIREFIRE_TOKEN."""
    return await _answer(request)


@router.get("/hirefire/{token}/info", dependencies=[Depends(in_path)], responses=described(404, 422, 503))
async def hirefire_info(request: Request) -> list[ProcessLoad]:
    """The same, with the token in the address."""
    return await _answer(request)


async def _answer(request: Request) -> list[ProcessLoad]:
    admin: Admin = request.app.state.admin
    found = loads(await admin.queues.stats())
    return [
        ProcessLoad(name="worker" if kind == ALL else f"worker-{kind}", value=round(value, 3))
        for kind, value in found.items()
    ]
