"""The example app of examples/next with all its processes, beside the tests."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis
from bullmq import Queue

from demo.example import site
from demo.example.app import APP, PACKAGE
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from demo.example.site import Site

PATIENCE = 900.0  # seconds for `next build`, on a machine that is busy with other tests


class Example:
    """The running app. `url` is its address, and `parts` the servers and keys that it was started with."""

    def __init__(self, running: Site, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        """It runs until the fixture ends. `run` is for its own loop."""
        self.url = running.url
        self.web_url = running.web_url
        self.parts = running.parts
        self.push = running.push
        self._run = run

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run one statement on the app's database; returns the rows."""
        return rows(self.parts.database, statement, *values)

    @contextmanager
    def written(self) -> Iterator[None]:
        """Hold the database's lock of a writer, as the worker does while it writes."""
        with closing(sqlite3.connect(self.parts.database, isolation_level=None, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")

    def forget_browsers(self) -> None:
        """Let the push service lose its data."""
        self._run(self.push.forget())

    @asynccontextmanager
    async def paused(self, name: str) -> AsyncIterator[None]:
        """Hold the jobs of a queue back, so that what a page shows of a waiting job does not depend on speed."""
        queue = Queue(name, {"connection": self.parts.redis.url})
        await queue.pause()
        try:
            yield
        finally:
            await queue.resume()
            await queue.close()

    def jobs(self, queue: str, words: str) -> list[dict[str, Any]]:
        """The payloads of those of the queue's jobs that have these words in them."""
        with redis.Redis.from_url(self.parts.redis.url, decode_responses=True) as client:
            keys = [key for key in client.scan_iter(f"bull:{queue}:*") if client.type(key) == "hash"]
            return [json.loads(data) for key in keys if words in (data := client.hget(key, "data") or "")]

    def job(self, queue: str, job_id: str) -> dict[str, Any]:
        """The payload of a job."""
        with redis.Redis.from_url(self.parts.redis.url, decode_responses=True) as client:
            payload: dict[str, Any] = json.loads(client.hget(f"bull:{queue}:{job_id}", "data") or "{}")
            return payload

    def results(self, queue: str, words: str) -> list[dict[str, Any]]:
        """The results of those of the queue's jobs that are done, and have these words in their payloads."""
        with redis.Redis.from_url(self.parts.redis.url, decode_responses=True) as client:
            jobs = [
                client.hgetall(f"bull:{queue}:{job_id}") for job_id in client.zrange(f"bull:{queue}:completed", 0, -1)
            ]
        return [json.loads(job["returnvalue"]) for job in jobs if words in job["data"]]

    def user(self, name: str) -> str:
        """The id of a user."""
        [row] = self.sql('SELECT "id" FROM "User" WHERE "name" = ?', name)
        return str(row["id"])


def rows(database: Path, statement: str, *values: Any) -> list[dict[str, Any]]:
    """Run one statement on a database; returns the rows."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, values)]


@contextmanager
def started(logs: Path) -> Iterator[Example]:
    """Build the app if its sources have changed, and run it in a thread: its loop is not that of a test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)

    running = site.running(logs)
    try:
        app = run(running.__aenter__())
        try:
            yield Example(app, run)
        finally:
            run(running.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def require() -> None:
    """Skip the test, or let it fail in CI, without Node or what `make package` installs and builds."""
    settings = CiSettings()
    find_program(settings, "node is not installed", "node")
    for needed in (APP / "node_modules" / "next", PACKAGE / "dist"):
        if not needed.is_dir():
            (pytest.fail if settings.ci else pytest.skip)(f"{needed} is missing; `make package` makes it")
