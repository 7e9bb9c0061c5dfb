"""A worker that starts before its servers: it reports them, does what it can, and recovers by itself."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from moto.server import ThreadedMotoServer
from PIL import Image

from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.prisma import FILES, SUBSCRIPTIONS, TEXT_IDS
from tests.support.prisma import App as Database
from tests.support.s3 import CREDENTIALS
from tests.support.silent_link import SilentLink
from tests.support.wires import Mess

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.support.app import App
    from tests.support.postgres import PostgresServer

PUSH = {"userId": "user-1", "payload": {"title": "Ada", "body": "Are you there?"}}
FILE = {"fileId": TEXT_IDS[0], "filePath": "uploads/a.png", "userId": "user-1"}


async def ready(port: int, status: int) -> dict[str, Any]:
    """The body of `/readyz`, once it has this status."""

    async def look() -> list[httpx.Response]:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        return [answer] if answer.status_code == status else []

    answers: list[httpx.Response] = await until(look, 40.0)
    report: dict[str, Any] = answers[0].json()
    return report


@contextmanager
def _store(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """S3 with the bucket and the upload."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    moto.start()
    try:
        _fill(f"http://127.0.0.1:{port}", monkeypatch)
        yield
    finally:
        moto.stop()


def _database(url: str) -> tuple[Database, str]:
    """Postgres with the app's tables, and its name."""
    database = Database(url, TEXT_IDS)
    for table in (FILES, SUBSCRIPTIONS):
        database.sql(table.format(id="TEXT"))
    database.add_files()
    return database, database.sql("SELECT current_database()")[0]["current_database"]


def _fill(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    image = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(image, "PNG")
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="shop")
    client.put_object(Bucket="shop", Key=FILE["filePath"], Body=image.getvalue())
    client.close()


async def test_a_worker_that_comes_before_its_servers(
    app: App, postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Postgres nor S3 answers at first: jobs are put off, and done when both answer."""
    database, name = _database(postgres_url)
    database_port, store_port, port = free_port(), free_port(), free_port()
    env = {
        "DATABASE_URL": f"postgres://postgres@127.0.0.1:{database_port}/{name}?sslmode=disable",
        "STORAGE_URL": "s3://shop",
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{store_port}",
        "METRICS_PORT": str(port),
        **CREDENTIALS,
    }
    async with Mess.at(app.env["REDIS_URL"], app.folder) as mess, app.worker(**env) as worker:
        without = await worker.logged("started_without", 2, within=30.0)
        await worker.logged("started", 1, within=30.0)
        ill = await ready(port, 503)
        await mess.bullmq("push-notification", PUSH)
        await mess.bullmq("process-image", FILE, queue="file-processing")
        await worker.logged("job_snoozed", 2, within=30.0)
        async with SilentLink(postgres_server.directory / ".s.PGSQL.5432", database_port):
            with _store(store_port, monkeypatch):
                await ready(port, 200)
                await worker.logged("job_done", 2, within=60.0)
                status, _ = await worker.terminate(8.0)

    reasons = sorted(line["reason"] for line in without)
    assert reasons[0].startswith(f"DATABASE_URL: the database at 127.0.0.1:{database_port} can't be used: ")
    assert reasons[1].startswith("STORAGE_URL: the bucket 'shop' can't be used: Could not connect")
    assert (reasons[0][:60], reasons[1][:60]) == (ill["servers"]["database"][:60], ill["servers"]["storage"][:60])
    assert 0 == status
    assert database.sql('SELECT "processed" FROM "File" ORDER BY "id" LIMIT 1')[0]["processed"]
    assert not worker.lines("job_retry")
