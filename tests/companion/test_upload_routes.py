"""`uploadRoutes` with a real store, Prisma's client and the worker: what is uploaded gets processed."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import redis
from PIL import Image

from tests.support.polling import until
from tests.support.prisma_app import Routes, serving, tables
from tests.support.s3 import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.app import App
    from tests.support.s3 import Bucket

PATH = "/api/uploads"
MAX_BYTES = 50_000
USER = "ann/../bob"  # not a name for a folder
REFUSALS = {"EntityTooLarge", "AccessDenied", "SignatureDoesNotMatch"}  # codes of a store that checks signatures


def picture() -> bytes:
    """A PNG."""
    file = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def stored_app(app: App, s3_bucket: Bucket) -> App:
    """The app with Prisma's tables and a bucket, in which it has a prefix."""
    (app.folder / "app.db").unlink()
    connection = sqlite3.connect(app.folder / "app.db")
    connection.executescript(tables("sqlite"))
    connection.close()
    bucket = {"STORAGE_URL": f"s3://{s3_bucket.name}/app", "S3_ENDPOINT_URL": s3_bucket.endpoint_url}
    app.env.update(CREDENTIALS | bucket)
    return app


@pytest.fixture(params=["post", pytest.param("put", marks=pytest.mark.matrix)])
async def routes(
    request: pytest.FixtureRequest, stored_app: App, prisma_client: Callable[[str], Path]
) -> AsyncIterator[Routes]:
    """The app's routes; browsers upload by a form, or by PUT."""
    env = {
        **stored_app.env,
        "DATABASE_URL": f"file:{stored_app.folder / 'app.db'}",
        "UPLOAD_METHOD": request.param,
        "MAX_BYTES": str(MAX_BYTES),
    }
    async with serving(prisma_client("sqlite"), **env) as running:
        yield running


async def upload(routes: Routes, content: bytes, kind: str, media_type: str) -> str:
    """Upload as a browser does; returns the key."""
    key, refusal = await try_upload(routes, content, kind, media_type)
    assert "" == refusal
    return key


async def try_upload(
    routes: Routes, content: bytes, kind: str, media_type: str, sent_as: str | None = None
) -> tuple[str, str]:
    """The key, and why the store refuses the upload. `sent_as`: the type that is sent in place of the permitted one."""
    body = {"kind": kind, "type": media_type, "size": min(len(content), MAX_BYTES)}
    status, to = await routes.send("POST", PATH, body, USER)
    assert 200 == status, to
    form = aiohttp.FormData()
    for name, value in to.get("fields", {}).items():
        form.add_field(name, sent_as if sent_as and name == "Content-Type" else value)
    form.add_field("file", content, filename="../../x")
    headers = to.get("headers", {}) | ({"Content-Type": sent_as} if sent_as else {})
    data, headers = (form, None) if "fields" in to else (content, headers)
    async with routes.http.request(to["method"], to["url"], data=data, headers=headers) as answer:
        return str(to["key"]), "" if answer.status in {200, 204} else await answer.text()


def file(app: App) -> dict[str, Any]:
    """The only row of a file."""
    names = ("id", "userId", "key", "name", "status", "compressedUrl", "width", "textUrl", "blurhash")
    [row] = app.sql(f'SELECT {", ".join(names)} FROM "File"')  # noqa: S608 -- the names above
    return dict(zip(names, row, strict=True))


def done(app: App) -> int:
    """How many jobs are completed."""
    with redis.Redis.from_url(app.env["REDIS_URL"]) as client:
        return int(client.zcard("bull:file-processing:completed"))


def jobs(app: App) -> int:
    """How many jobs there are."""
    with redis.Redis.from_url(app.env["REDIS_URL"]) as client:
        return len(client.keys("bull:file-processing:upload-????????-*[0-9a-f]"))


async def test_a_picture_is_uploaded_and_processed_once(routes: Routes, stored_app: App) -> None:
    """Asked for three times, of these twice at once, it has one row and one job; the results are in the bucket."""
    key = await upload(routes, picture(), "image", "image/png")
    body = {"key": key, "kind": "image", "name": "C:\\holiday\\beach.png"}

    first, again = await asyncio.gather(*(routes.send("PUT", PATH, body, USER) for _ in range(2)))
    async with stored_app.worker():
        await until(lambda: done(stored_app))
        last = await routes.send("PUT", PATH, body, USER)
    assert (1, 1) == (done(stored_app), jobs(stored_app))

    assert [200, 200, 201] == sorted(status for status, _ in (first, again, last))
    assert first[1] == again[1] == last[1]
    row = file(stored_app)
    job = {"id": f"upload-{key.rsplit('/', 1)[1]}", "queue": "file-processing"}
    assert {"fileId": row["id"], "job": job} == first[1]
    assert (USER, key, "beach.png", 640) == (row["userId"], row["key"], row["name"], row["width"])
    async with routes.http.get(row["compressedUrl"]) as answer:
        assert (200, "image/png") == (answer.status, answer.headers["content-type"])


async def test_a_document_and_an_avatar_are_uploaded_and_processed(routes: Routes, stored_app: App) -> None:
    """Of the document the text is extracted; the avatar has no row."""
    text = await upload(routes, b"Hello, world", "file", "text/plain")
    avatar = await upload(routes, picture(), "avatar", "image/png")
    _, document = await routes.send("PUT", PATH, {"key": text, "kind": "file"}, USER)
    status, answer = await routes.send("PUT", PATH, {"key": avatar, "kind": "avatar"}, USER)
    assert (201, None) == (status, answer["fileId"])

    async with stored_app.worker():
        await until(lambda: file(stored_app)["status"] == "processed")
        with redis.Redis.from_url(stored_app.env["REDIS_URL"]) as client:
            key = f"bull:file-processing:{answer['job']['id']}"
            value = await until(lambda: client.hget(key, "returnvalue"))

    assert (document["fileId"], text) == (file(stored_app)["id"], file(stored_app)["key"])
    async with routes.http.get(file(stored_app)["textUrl"]) as found:
        assert "Hello, world" == (await found.text()).strip()
    assert {"32", "64", "128", "256", "512"} >= json.loads(value)["urls"].keys() > set()


@pytest.mark.parametrize(
    ("content", "sent_as"),
    [(b"x" * (MAX_BYTES + 1), None), (b"<script>", "text/html")],
    ids=["too large", "another type"],
)
async def test_what_the_store_let_through_is_refused(
    routes: Routes, stored_app: App, content: bytes, sent_as: str | None
) -> None:
    """S3 refuses these by the signature, and moto takes all: the route looks at the object itself."""
    key, refusal = await try_upload(routes, content, "image", "image/png", sent_as)
    assert refusal == "" or any(f"<Code>{code}</Code>" in refusal for code in REFUSALS), refusal
    expected = 409 if refusal else 422  # there is no object, or a wrong one
    assert expected == (await routes.send("PUT", PATH, {"key": key, "kind": "image"}, USER))[0]
    assert [] == stored_app.sql('SELECT id FROM "File"')


async def test_nothing_is_processed_before_it_is_there_or_for_another_user(routes: Routes, stored_app: App) -> None:
    """A key without an object is a conflict; another user's key is refused, whatever is stored under it."""
    _, to = await routes.send("POST", PATH, {"kind": "image", "type": "image/png", "size": 10}, USER)
    assert 409 == (await routes.send("PUT", PATH, {"key": to["key"], "kind": "image"}, USER))[0]
    key = await upload(routes, picture(), "image", "image/png")
    assert 403 == (await routes.send("PUT", PATH, {"key": key, "kind": "image"}, "eve"))[0]
    assert [] == stored_app.sql('SELECT id FROM "File"')
