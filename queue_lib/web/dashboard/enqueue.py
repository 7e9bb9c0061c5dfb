"""A form for one more job of a queue: to test with, by a person who may write."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.addition import Addition
from queue_lib.admin.samples import sample
from queue_lib.errors import PermanentError
from queue_lib.job import Wire
from queue_lib.web.access import check_may
from queue_lib.web.dashboard import formats
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import done, page
from queue_lib.web.dashboard.queue import Known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from queue_lib.admin.admin import Admin
    from queue_lib.processor import JobSchema


def may_write(request: Request) -> None:
    """Raise 403 for a token that may only read: also the form is of no use to it."""
    check_may(request.state.session.token, "POST")


router = APIRouter(prefix="/queue/{queue}/add", dependencies=[Depends(may_write)])


def chosen_of(operator: Operator, queue: Known, name: Annotated[str, Query(max_length=200)] = "") -> JobSchema:
    """The job that the address names, or the queue's first one. Raises 404 if the queue has none of this name."""
    schemas = operator.jobs.offered(queue)
    for schema in schemas:
        if name in {"", schema.name}:
            return schema
    raise HTTPException(HTTPStatus.NOT_FOUND, "no job of this queue that can be added has this name")


Chosen = Annotated["JobSchema", Depends(chosen_of)]


@router.get("")
async def form(request: Request, operator: Operator, chosen: Chosen) -> Response:
    """The form, with a sample of the job's payload."""
    return _form(request, operator, chosen, formats.pretty(sample(chosen.payload)), operator.wires[0].value)


def _form(
    request: Request, operator: Admin, chosen: JobSchema, payload: str, wire: str, faults: tuple[str, ...] = ()
) -> Response:
    return page(
        request,
        "enqueue.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        queue=chosen.queue,
        name=chosen.name,
        names=[schema.name for schema in operator.jobs.offered(chosen.queue)],
        served=operator.wires,
        wire=wire,
        payload=payload,
        faults=faults,
        here="overview",
    )


@router.post("")
async def add(request: Request, operator: Operator, chosen: Chosen) -> Response:
    """Enqueue the job, and show it; or the form again with what is wrong."""
    sent: Mapping[str, str] = request.state.form
    payload = sent.get("payload", "").replace("\r\n", "\n")  # as browsers send the end of a line
    wire = sent.get("wire", "")
    if wire not in {each.value for each in operator.wires}:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "wire: it is none that this process serves")
    try:
        addition = Addition(name=chosen.name, data=_read(payload))
        job_id, queue = await operator.jobs.add(addition, Wire(wire))
    except PermanentError as error:
        return _form(request, operator, chosen, payload, wire, _faults(str(error)))
    return done(request, "/job", "job-added", queue=queue, wire=wire, id=job_id)


def _read(payload: str) -> Any:
    """The JSON. Raises PermanentError, which says where it is none."""
    try:
        return json.loads(payload, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        msg = f"this is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        msg = "this is no JSON that every reader can read"
    raise PermanentError(msg)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _faults(reason: str) -> tuple[str, ...]:
    """One for each field."""
    return tuple(reason.split("; "))
