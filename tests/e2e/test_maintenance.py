"""Cache and cleanup through the real worker, on both wires, with the app's own routes and a team's function."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.support.polling import until
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.wires import Mess

QUEUE, HOUR_MS = "maintenance", 3_600_000
MODULE = """
def shout(tools, params):
    return {"text": params["text"].upper()}

JOBS = ()
CACHE_SOURCES = {"shout": shout}
"""


async def test_caches_are_warmed(mess: Mess) -> None:
    """From each source, on both wires; a page that redirects and a key of the queues' are dead, with their reason."""
    fill(mess)
    async with app() as (url, asked), worker(mess, url) as started:
        await mess.bullmq("CACHE_WARM", *warm("view:top", "cache:view", times=4), queue=QUEUE)
        mess.rq("cache-warm", *warm("view:top", "cache:view", times=4), queue=QUEUE)
        mess.rq("CACHE_WARM", *warm("app:/top?n=1", "cache:page"), queue=QUEUE)
        await mess.bullmq("cache-warm", *warm("own:shout", "cache:own", params={"text": "hi"}), queue=QUEUE)
        [away] = await mess.bullmq("cache-warm", *warm("app:/away", "cache:away"), queue=QUEUE)
        [taken] = await mess.bullmq("cache-warm", *warm("view:top", f"bull:{QUEUE}:meta"), queue=QUEUE)

        await until(lambda: len(started.lines("job_done")) == 10 and len(started.lines("job_dead")) == 2)

    values = [mess.redis.get(f"cache:{name}") for name in ("view", "page", "own")]
    assert values == [b'[{"n":1},{"n":2}]', b"page of Bearer secret", b'{"text":"HI"}']
    assert 500 < mess.redis.ttl("cache:view") <= 660
    assert sorted(asked) == ["/api/away", "/api/top?n=1"]
    assert mess.redis.keys("*pushmill-lock*") == []
    letters = await mess.dead_letters()
    assert letters[away]["reason"].startswith("the app answers 302, not 200")
    assert letters[taken]["reason"].startswith("cacheKey: does not begin with cache:")


async def test_what_is_old_goes(mess: Mess) -> None:
    """On both wires; what no setting allows is dead, with its reason. The worker's own schedule is there."""
    fill(mess)
    async with worker(mess, "http://unused") as started:
        await mess.bullmq("cleanup", files("exports"), queue=QUEUE)
        sessions = {"targetType": "expired_sessions", "olderThan": HOUR_MS}
        mess.rq("CLEANUP", files("scratch/parts"), sessions, queue=QUEUE)
        [no_logs] = await mess.bullmq("cleanup", {**sessions, "targetType": "old_logs"}, queue=QUEUE)
        [beyond] = mess.rq("cleanup", files("uploads"), queue=QUEUE)

        await until(lambda: len(started.lines("job_done")) == 3 and len(started.lines("job_dead")) == 2)

    assert left(mess.folder) == {"store/exports/new", "store/uploads/old", "scratch/old", "scratch/parts/new"}
    assert sql(mess, 'SELECT "id" FROM "Session"') == [("young",)]
    letters = await mess.dead_letters()
    assert letters[no_logs]["reason"].startswith("CLEANUP_LOGS is not set: ")
    assert letters[beyond]["reason"].startswith("path: not within exports, scratch")
    assert mess.redis.zscore(f"bull:{QUEUE}:repeat", "pushmill:maintenance:daily") is not None


def warm(source: str, key: str, times: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Payloads that warm a key."""
    return [{"cacheKey": key, "dataSource": source, "ttl": 600, **more}] * times


def files(path: str) -> dict[str, Any]:
    """A payload that cleans a place."""
    return {"targetType": "temp_files", "olderThan": HOUR_MS, "path": path}


def fill(mess: Mess) -> None:
    """A view, sessions, objects and files; what is called `old` is two hours old."""
    sql(mess, 'CREATE TABLE "Session" ("id" TEXT PRIMARY KEY, "expires" DATETIME NOT NULL)')
    now = time.time()
    for name, ago in (("ended", 7200), ("young", 60), ("older", 9999)):
        sql(mess, f"""INSERT INTO "Session" VALUES ('{name}', {int((now - ago) * 1000)})""")  # noqa: S608
    sql(mess, 'CREATE VIEW "cache_top" AS SELECT 1 AS "n" UNION ALL SELECT 2')
    for name in ("store/exports/new", "store/exports/old", "store/uploads/old"):
        put(mess.folder / name, now)
    for name in ("scratch/old", "scratch/parts/old", "scratch/parts/new"):
        put(mess.folder / name, now)
    (mess.folder / "team_caches.py").write_text(MODULE)


def put(path: Path, now: float) -> None:
    """A file, as old as its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    when = now - 7200 if path.name == "old" else now
    os.utime(path, (when, when))


def left(folder: Path) -> set[str]:
    """The files that are there."""
    found = [path for name in ("store", "scratch") for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)) for path in found}


@asynccontextmanager
async def app() -> AsyncIterator[tuple[str, list[str]]]:
    """The app, and what it was asked for."""
    asked: list[str] = []

    async def top(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response(text=f"page of {request.headers['Authorization']}")

    async def away(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response(status=302, headers={"Location": "/api/top"})

    site = web.Application()
    site.add_routes([web.get("/api/top", top), web.get("/api/away", away)])
    runner = web.AppRunner(site)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    [address] = runner.addresses
    try:
        yield f"http://127.0.0.1:{address[1]}/api", asked
    finally:
        await runner.cleanup()


def worker(mess: Mess, url: str) -> WorkerProcess:
    """The worker of an app that has nothing else."""
    own = {
        "REDIS_URL": mess.url,
        "DATABASE_URL": f"sqlite:///{mess.folder}/app.db",
        "STORAGE_URL": (mess.folder / "store").as_uri(),
        "QUEUES": QUEUE,
        "JOBS": "team_caches",
        "CACHE_PREFIX": "cache:",
        "APP_INTERNAL_URL": url,
        "APP_INTERNAL_TOKEN": "secret",
        "CLEANUP_PREFIXES": "exports/",
        "CLEANUP_DIRS": str(mess.folder / "scratch"),
        "CLEANUP_SESSIONS": "Session.expires",
    }
    return WorkerProcess(own, mess.folder)


def sql(mess: Mess, statement: str) -> list[Any]:
    """Run a statement as the app would."""
    with closing(sqlite3.connect(mess.folder / "app.db", isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()
