"""A page with web push as an app might write it without a framework, over the table of `app`."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from bullmq import Queue

from tests.support.polling import until
from tests.support.programs import CiSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.app import App

SCRIPT = Path(__file__).parents[2] / "packages" / "next" / "dist" / "pushmill-sw.js"
SERVICE_WORKER = 'importScripts("/pushmill-sw.js"); pushmill.handlePush(self);'
ROUTE = "/api/push/subscriptions"
PAGE = """<!doctype html>
<title>A page</title>
<button>Notify me</button>
<output></output>
<script>
  const output = document.querySelector("output");
  async function subscribe() {
    output.value = await Notification.requestPermission();
    await navigator.serviceWorker.register("/sw.js");
    const registration = await navigator.serviceWorker.ready;
    const options = { userVisibleOnly: true, applicationServerKey: "%s" };
    const subscription = await registration.pushManager.subscribe(options);
    await fetch("%s", { method: "POST", body: JSON.stringify({ subscription }) });
    output.value = "subscribed";
  }
  document.querySelector("button").onclick = () => subscribe().catch((error) => (output.value = error.name));
</script>
"""
MESSAGE = "<!doctype html><title>A message</title>"
UPDATE = 'UPDATE "PushSubscription" SET "endpoint" = ?, "p256dh" = ?, "auth" = ? WHERE "endpoint" = ?'
INSERT = """INSERT INTO "PushSubscription" ("id", "userId", "endpoint", "p256dh", "auth")
    VALUES (hex(randomblob(8)), 'user-1', ?, ?, ?)"""
USER = "user-1"


class PushPage:
    """The page of user-1, and what the app does with its subscriptions."""

    def __init__(self, app: App) -> None:
        """Nothing is served before `serving`."""
        self._app = app
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve it on a free port."""
        site = web.Application()
        page = PAGE % (self._app.env["VAPID_PUBLIC_KEY"], ROUTE)
        site.router.add_get("/", _serving(page))
        site.router.add_get("/messages/{id}", _serving(MESSAGE))
        site.router.add_get("/sw.js", _serving(SERVICE_WORKER, "text/javascript"))
        site.router.add_get("/pushmill-sw.js", _serving(SCRIPT.read_text(), "text/javascript"))
        site.router.add_post(ROUTE, self._save)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
        await runner.cleanup()

    async def _save(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        keys = body["subscription"]["keys"]
        values = (body["subscription"]["endpoint"], keys["p256dh"], keys["auth"])
        if old := body.get("oldEndpoint"):
            self._app.sql(UPDATE, *values, old)
        else:
            self._app.sql(INSERT, *values)
        return web.json_response({}, status=201)

    @property
    def endpoints(self) -> list[str]:
        """The stored ones."""
        return [endpoint for (endpoint,) in self._app.sql('SELECT "endpoint" FROM "PushSubscription"')]

    async def push(self, **payload: Any) -> Any:
        """Let the worker send a push to the user; returns the job's result."""
        queue = Queue("push-notifications", {"connection": self._app.env["REDIS_URL"]})
        try:
            job = await queue.add("push-notification", {"userId": USER, "payload": payload})
            return await until(lambda: _result(queue, job.id))
        finally:
            await queue.close()


def _serving(text: str, kind: str = "text/html") -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return serve


async def _result(queue: Queue, job_id: str) -> Any:
    counts = await queue.getJobs(["completed", "failed"])
    [job] = [job for job in counts if job.id == job_id] or [None]
    if job is None:
        return None
    assert not job.failedReason, job.failedReason
    return json.loads(job.returnvalue) if isinstance(job.returnvalue, str) else job.returnvalue


@pytest.fixture
async def push_page(app: App) -> AsyncIterator[PushPage]:
    """The page, served. Without the built npm package a test is skipped, and fails in CI."""
    if not SCRIPT.exists():
        (pytest.fail if CiSettings().ci else pytest.skip)("the npm package is not built: `make package` does it")
    page = PushPage(app)
    async with page.serving():
        yield page
