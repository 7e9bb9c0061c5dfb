"""A worker with wrong settings does not start: it says what to change, one line a fault, and shows no secret."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import redis

from tests.support.polling import PATIENCE
from tests.support.push_service import make_vapid_keys
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.app import App

PASSWORD = "hunter2-correct-horse"
NOWHERE = "redis://:hunter2-correct-horse@127.0.0.1:9"  # no server has the port of "discard"

TABLES = (("PushSubscription", "PUSH_SUBSCRIPTION_TABLE"), ("File", "FILE_TABLE"))


@pytest.fixture(scope="module")
def strict_redis() -> Iterator[RedisServer]:
    """A Redis with a password."""
    with RedisServer(password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module")
def evicting_redis() -> Iterator[RedisServer]:
    """A Redis that evicts jobs when its memory is full."""
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield server


async def _refusal(app: App, **env: str) -> list[str]:
    """The lines on standard error of a worker that refuses to start, after the checks that hold for all of them."""
    worker = app.worker(**env)
    await worker.start()
    try:
        assert 1 == await worker.wait(PATIENCE)
    finally:
        await worker.kill()
    assert not worker.lines("started")
    output = worker.stdout + worker.stderr
    assert "Traceback" not in output
    secrets = [PASSWORD, "hunter2", app.env["VAPID_PRIVATE_KEY"], env.get("VAPID_PRIVATE_KEY") or PASSWORD]
    assert [] == [secret for secret in secrets if secret in output]
    return worker.stderr.splitlines()


async def test_redis(app: App, strict_redis: RedisServer, evicting_redis: RedisServer) -> None:
    """A Redis that is not named, unreachable, refuses the password, or may evict jobs, is refused in one line."""
    place = f"127.0.0.1:{strict_redis.port}"
    cases = {
        "": r"REDIS_URL: not set; set it to .*",
        "localhost:6379": r"REDIS_URL: not a Redis URL; it looks like redis://.*",
        NOWHERE: r"REDIS_URL: can't reach Redis at 127.0.0.1:9 .*",
        f"redis://:hunter2@{place}": rf"REDIS_URL: {place} refuses the user or the password",
        f"redis://{place}": rf"REDIS_URL: {place} refuses the user or the password",
        evicting_redis.url: r"REDIS_URL: Redis may evict jobs \(maxmemory-policy is allkeys-lru\); .*noeviction",
    }
    answers = await asyncio.gather(*(_refusal(app, REDIS_URL=url) for url in cases))
    for expected, lines in zip(cases.values(), answers, strict=True):
        _check(lines, expected)


async def test_database(app: App, tmp_path: Path) -> None:
    """A missing database, table or column is refused by a line that names it."""
    for name, table in (("bare", "Other"), ("narrow", "File")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db", isolation_level=None)) as connection:
            connection.execute(f'CREATE TABLE "{table}" ("id" TEXT, "compressedUrl" TEXT, "thumbnailUrl" TEXT)')
    missing, bare, narrow = await asyncio.gather(
        _refusal(app, DATABASE_URL=f"sqlite:///{tmp_path}/missing.db"),
        _refusal(app, DATABASE_URL=f"sqlite:///{tmp_path}/bare.db"),
        _refusal(app, DATABASE_URL=f"sqlite:///{tmp_path}/narrow.db"),
    )

    _check(missing, r"DATABASE_URL: the database at .*/missing.db can't be used: there is no such file")
    _check(bare, *(rf'DATABASE_URL: there is no table "{name}"; set {variable} .*' for name, variable in TABLES))
    _check(narrow, rf'DATABASE_URL: there is no table "{TABLES[0][0]}".*', r'.* "File" has no column "processed"; .*')


async def test_storage_and_push(app: App, tmp_path: Path) -> None:
    """A store that can't be written and VAPID keys of two pairs are refused by a line that names the variable."""
    (tmp_path / "file").touch()
    unwritable, mismatched, malformed = await asyncio.gather(
        _refusal(app, STORAGE_URL=f"file://{tmp_path}/file"),
        _refusal(app, VAPID_PRIVATE_KEY=make_vapid_keys()[0]),
        _refusal(app, VAPID_PRIVATE_KEY="hunter2"),
    )

    _check(unwritable, r"STORAGE_URL: there is no directory .*/file; make it, or set .*")
    _check(mismatched, r"VAPID_PUBLIC_KEY: does not belong to VAPID_PRIVATE_KEY; set both from the same pair")
    _check(malformed, r"VAPID_PRIVATE_KEY: not a VAPID private key .*")


async def test_all_faults_at_once(app: App, tmp_path: Path) -> None:
    """All faults of the environment are shown together, and then all faults of the servers."""
    (tmp_path / "file").touch()
    environment, servers = await asyncio.gather(
        _refusal(
            app,
            REDIS_URL="",
            DATABASE_URL="",
            STORAGE_URL="ftp://host",
            VAPID_SUBJECT="me",
            QUEUES="pushes",
            FILE_PROCESSING_CONCURRENCY="0",
        ),
        _refusal(
            app,
            REDIS_URL=NOWHERE,
            DATABASE_URL=f"sqlite:///{tmp_path}/missing.db",
            STORAGE_URL=f"file://{tmp_path}/file",
        ),
    )

    _check(
        environment,
        r"REDIS_URL: not set.*",
        r"QUEUES: no such queue: pushes; .*",
        r"VAPID_SUBJECT: .*",
        r"DATABASE_URL: not set.*",
        r"STORAGE_URL: neither .*",
        r"FILE_PROCESSING_CONCURRENCY: .*",
    )
    _check(servers, r"REDIS_URL: .*", r"DATABASE_URL: .*", r"STORAGE_URL: .*")


async def test_nothing_set(app: App) -> None:
    """Without any variable the worker names each required one in a line of its own."""
    lines = await _refusal(app, **dict.fromkeys(app.env, ""))

    names = [
        *("REDIS_URL", "VAPID_PRIVATE_KEY", "VAPID_PUBLIC_KEY", "VAPID_SUBJECT", "DATABASE_URL", "STORAGE_URL"),
        *("SMTP_HOST", "MAIL_FROM", "NOTIFICATION_TABLE", "SEARCH_URL", "CACHE_PREFIX"),
    ]
    assert names == [line.split(":")[0] for line in lines]


def _check(lines: list[str], *expected: str) -> None:
    """The lines are as expected, each in full."""
    assert len(expected) == len(lines), lines
    assert [] == [line for pattern, line in zip(expected, lines, strict=True) if not re.fullmatch(pattern, line)]
