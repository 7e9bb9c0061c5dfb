"""The worker on production's servers: Postgres for the app's rows, S3 for its objects, and Redis over TLS."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import psycopg
from bullmq import Queue as BullQueue
from PIL import Image

from tests.support.app import FILES, SUBSCRIPTIONS
from tests.support.push_service import Answer
from tests.support.s3 import CREDENTIALS
from tests.support.tls import make_certificate, tls_in_front_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.ports import Subscription
    from tests.support.app import App
    from tests.support.push_service import PushService
    from tests.support.redis_server import RedisServer
    from tests.support.s3 import Bucket


def fill(postgres_url: str, bucket: Bucket, subscriptions: Sequence[Subscription]) -> None:
    """The app's rows in Postgres, and its upload in S3."""
    rows = [(row.id, row.user_id, row.endpoint, row.p256dh, row.auth) for row in subscriptions]
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute(SUBSCRIPTIONS)
        database.execute(FILES)
        database.cursor().executemany(
            'INSERT INTO "PushSubscription" ("id", "userId", "endpoint", "p256dh", "auth") VALUES (%s, %s, %s, %s, %s)',
            rows,
        )
        database.execute("""INSERT INTO "File" ("id", "name") VALUES ('file-1', 'holiday')""")
    upload = io.BytesIO()
    Image.new("RGB", (2400, 1200), "teal").save(upload, "PNG")
    with closing(boto3.client("s3", endpoint_url=bucket.endpoint_url)) as s3:
        s3.put_object(Bucket=bucket.name, Key="app/uploads/a.png", Body=upload.getvalue())


async def test_a_push_and_an_image(
    app: App, redis_server: RedisServer, postgres_url: str, s3_bucket: Bucket, push_service: PushService
) -> None:
    """A subscription of Postgres gets its push, a dead one is deleted; an image goes from S3 to S3 and to its row."""
    alive, dead = (push_service.subscribe("user-1") for _ in range(2))
    push_service.answer(dead, Answer(410))
    await asyncio.to_thread(fill, postgres_url, s3_bucket, [alive, dead])
    certificate, key = make_certificate(app.folder)
    async with tls_in_front_of(redis_server.port, certificate, key) as port:
        env = CREDENTIALS | {
            "REDIS_URL": f"rediss://127.0.0.1:{port}",
            "REDIS_TLS_CA": str(certificate),
            "DATABASE_URL": postgres_url,
            "STORAGE_URL": f"s3://{s3_bucket.name}/app",
            "S3_ENDPOINT_URL": s3_bucket.endpoint_url,
        }
        async with app.worker(**env) as worker:
            await enqueue(redis_server.url)
            await worker.logged("job_done", 2)
            assert 0 == (await worker.terminate(5.0))[0]

    assert ["hello"] == [json.loads(text)["body"] for text in push_service.texts(alive)]
    with psycopg.connect(postgres_url) as database:
        assert [(alive.id,)] == database.execute('SELECT "id" FROM "PushSubscription"').fetchall()
        columns = '"processed", "compressedUrl", "thumbnailUrl"'
        [(processed, *urls)] = database.execute(f'SELECT {columns} FROM "File"').fetchall()  # noqa: S608
    assert processed
    assert [(1920, 960), (320, 240)] == [await asyncio.to_thread(size, url) for url in urls]


async def enqueue(redis_url: str) -> None:
    """A push and an image, as the app enqueues them."""
    jobs = {
        "push-notifications": ("push-notification", {"userId": "user-1", "payload": {"title": "Ada", "body": "hello"}}),
        "file-processing": ("process-image", {"fileId": "file-1", "filePath": "uploads/a.png", "userId": "user-1"}),
    }
    for name, (job, data) in jobs.items():
        queue = BullQueue(name, {"connection": redis_url})
        await queue.add(job, data)
        await queue.close()


def size(url: str) -> tuple[int, int]:
    """Width and height of the image that a browser gets under this URL."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 -- moto's own
        return Image.open(io.BytesIO(answer.read())).size
