"""The example app of examples/next with all its processes, beside the tests."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from demo.example import site
from demo.example.app import APP, PACKAGE
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
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

    def forget_browsers(self) -> None:
        """Let the push service lose its data."""
        self._run(self.push.forget())

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
