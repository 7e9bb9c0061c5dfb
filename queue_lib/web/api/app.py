"""The API's application: its routes, behind tokens."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute

from queue_lib.observe.events import to_all
from queue_lib.web.api import (
    dead_letters,
    events,
    health,
    hirefire,
    jobs,
    letter_groups,
    metrics,
    problems,
    queues,
    schedules,
    submissions,
)
from queue_lib.web.api.watch import Watch
from queue_lib.web.body_limit import BodyLimit
from queue_lib.web.headers import WithHeaders
from queue_lib.web.rate_limit import FixedWindow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from fastapi import APIRouter

    from queue_lib.admin.admin import Admin
    from queue_lib.observe.events import Observer
    from queue_lib.web.tokens import Token

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

ABOUT = "Jobs for Pushmill over HTTP. Errors are `application/problem+json`."


def build(
    opened: Callable[[], AbstractAsyncContextManager[Admin]],
    tokens: Sequence[Token],
    rate: int,
    observe: Observer | None = None,
    routers: Sequence[APIRouter] = (),
    hirefire_token: str | None = None,
) -> FastAPI:
    """The application; `opened` gives the admin while it runs, `rate` are submissions in a minute for each token.

    `observe` gets the application's faults. `routers` are those of features. Without a `hirefire_token`, HireFire may
    not ask.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened() as admin:
            app.state.admin = admin
            watching = asyncio.create_task(app.state.scraped.watch_loop())
            yield
            watching.cancel()

    app = FastAPI(
        title="Pushmill",
        description=ABOUT,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # these pages would load scripts from another site
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would redirect clients to any host they name
        generate_unique_id_function=_operation,
    )
    app.state.tokens, app.state.limiter, app.state.watch = tuple(tokens), FixedWindow(rate), Watch()
    app.state.hirefire_token = hirefire_token
    app.state.scraped, app.state.readiness = metrics.Scraped(), health.Readiness()
    observers = [app.state.scraped.observe] if observe is None else [app.state.scraped.observe, observe]
    problems.install(app, to_all(*observers))
    app.add_middleware(BodyLimit)
    app.add_middleware(WithHeaders)
    parts = (submissions, jobs, events, queues, schedules, letter_groups, dead_letters, metrics, hirefire, health)
    for router in (*(part.router for part in parts), *routers):
        app.include_router(router)
    return app


def _operation(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'health'}-{route.name}".replace(" ", "-")
