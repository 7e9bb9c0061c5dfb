"""The API's route for search: fill an entity's index."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from processors.search.names import ENTITY
from queue_lib.addition import Addition, Deduplication
from queue_lib.job import Wire
from queue_lib.processor import Model
from queue_lib.web.api.dependencies import Operator
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.api.submissions import submitter

router = APIRouter(prefix="/search", tags=["search"], route_class=ApiRoute)


class Enqueued(Model):
    """The job that fills the index: a new one, or one that was waiting or running already."""

    enqueued: Literal[True] = True
    id: str
    queue: str
    wire: Wire


@router.put(
    "/index/{entity}",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[Depends(submitter)],
    responses=described(401, 403, 422, 429, 503),
)
async def fill(
    operator: Operator,
    entity: Annotated[str, Path(pattern=ENTITY, description="Its rows are in the view `search_<entity>`.")],
    *,
    rebuild: Annotated[bool, Query(description="Fill a new index, which takes the place of the old one.")] = False,
) -> Enqueued:
    """Enqueue a `backfill` of all rows. In BullMQ, no second one is added while one of the same kind waits or runs."""
    wire = operator.wires[0]
    only_once = Deduplication(id=f"backfill:{entity}:{rebuild}".lower()) if wire is Wire.BULLMQ else None
    addition = Addition(name="backfill", data={"entity": entity, "rebuild": rebuild}, deduplication=only_once)
    job_id, queue = await operator.jobs.add(addition, wire)
    return Enqueued(id=job_id, queue=queue, wire=wire)
