"""A job's progress as server-sent events, for a route or a browser that shows it as it comes.

Each event has the job as it is, so a missed event does no harm. Its id is the job's fingerprint: a client that comes
back with it (`Last-Event-ID`) receives only what is newer, and nothing once the job has ended.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from queue_lib.admin.jobs import JobAdmin
from queue_lib.admin.ports import JobView
from queue_lib.errors import BrokerUnavailableError
from queue_lib.web.api.dependencies import FoundJob, Operator
from queue_lib.web.api.job_models import news_out
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.api.watch import ENDED, GONE, Followed, Watch

LIFETIME = 300.0  # seconds of one answer; then the client reconnects
HEARTBEAT = 15.0  # seconds of silence after which a comment is sent: hosts cut connections that are silent for 55
RETRY = 1000  # milliseconds after which a client reconnects
HEADERS = {"X-Accel-Buffering": "no"}
EXAMPLE = 'retry: 1000\n\nid: 9f2c\nevent: progress\ndata: {"state":"active","progress":40, ...}\n\n'
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `progress`, and at last `completed`, `failed` or `gone`. The data is that of the job, "
        "without payload, log and stack traces.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
    204: {"description": "The job has ended, and the client knows it: do not reconnect."},
}

router = APIRouter(prefix="/queue/jobs", tags=["jobs"], route_class=ApiRoute)


@router.get("/{job_id}/events", response_class=StreamingResponse, responses=STREAM | described(401, 404, 409, 422, 503))
async def follow(
    request: Request,
    operator: Operator,
    job: FoundJob,
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
) -> Response:
    """The job's progress as server-sent events, for five minutes at most; then reconnect."""
    watch: Watch = request.app.state.watch
    if job.state in ENDED and last in await operator.jobs.fingerprints(job.queue, job.wire, [job.id]):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    watch.check_room()
    stream = _events(watch, operator.jobs, job, last)
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)


async def _events(watch: Watch, jobs: JobAdmin, job: JobView, last: str | None) -> AsyncIterator[str]:
    yield f"retry: {RETRY}\n\n"
    until = time.monotonic() + LIFETIME
    with watch.follow(jobs, job) as followed:
        while (left := until - time.monotonic()) > 0 and not watch.is_closed:
            changed = await followed.news(min(left, HEARTBEAT))
            if not changed or followed.fingerprint == last:
                yield ": no news\n\n"
                continue
            try:
                text, has_ended = await _event(jobs, job, followed)
            except BrokerUnavailableError:
                followed.forget()  # the client gets it when the server is back
                continue
            yield text
            if has_ended:
                return


async def _event(jobs: JobAdmin, job: JobView, followed: Followed) -> tuple[str, bool]:
    """The event for the job as it is, and whether it is the last one."""
    found = await jobs.find(job.id, job.queue, job.wire) if followed.fingerprint != GONE else []
    if not found:
        return "event: gone\ndata: {}\n\n", True
    has_ended = found[0].state in ENDED
    name = found[0].state.value if has_ended else "progress"
    data = news_out(found[0]).model_dump_json(by_alias=True)
    return f"id: {followed.fingerprint}\nevent: {name}\ndata: {data}\n\n", has_ended
