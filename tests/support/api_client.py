"""A client of the API, its tokens and its jobs; each answer must match the OpenAPI document."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.feature import routers_of
from queue_lib.settings import WorkerSettings, load
from queue_lib.web import tokens
from queue_lib.web.api.app import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest
    from fastapi import FastAPI

    from queue_lib.observe.events import Observer

SECRET, FULL = tokens.make("app", may_write=True)
READ_SECRET, READ = tokens.make("viewer", may_write=False)
IMAGE = {"fileId": "cm1", "filePath": "uploads/a.jpg", "userId": "u1"}
JOB = {"name": "process-image", "data": IMAGE}
PUSH = {"name": "push-notification", "data": {"userId": "u", "payload": {"title": "t", "body": "b"}}}


class Client:
    """A client with a token, which checks each answer against the OpenAPI document."""

    # To make one takes a quarter of a second. By the number of routers: with those of all features, or without them.
    _documents: ClassVar[dict[int, dict[str, Any]]] = {}

    def __init__(self, app: FastAPI, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http
        routers = len(app.routes)
        if routers not in self._documents:
            self._documents[routers] = app.openapi()
        self._paths = self._documents[routers]["paths"]

    async def __call__(self, method: str, path: str, *, secret: str = SECRET, **options: Any) -> httpx.Response:
        """Ask."""
        headers = {"Authorization": f"Bearer {secret}", **options.pop("headers", {})}
        answer = await self.http.request(method, path, headers=headers, **options)
        route = next(path for path in self._paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), answer.url.path))
        assert str(answer.status_code) in self._paths[route][method.lower()]["responses"], (route, answer.text)
        if answer.status_code >= 400:
            assert "application/problem+json" == answer.headers["content-type"]
            assert {"title", "status", "detail"} == set(answer.json()) - {"errors"}
            assert "Traceback" not in answer.text
        return answer


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[Client]:
    """A client of a running application."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield Client(app, http)


def api(redis_url: str, monkeypatch: pytest.MonkeyPatch, rate: int = 2000, observe: Observer | None = None) -> FastAPI:
    """The application on this Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    [settings] = load(WorkerSettings)
    admin = partial(wiring.admin, settings, FEATURES, by="api")
    return build(admin, [FULL, READ], rate, observe, routers_of(FEATURES))
