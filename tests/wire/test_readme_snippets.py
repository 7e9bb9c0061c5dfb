"""The snippets of README.md and the docs, run as they are against the real worker."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from rq.job import Job as RQJob

from demo.app import PHOTO, App
from queue_lib.web import tokens
from tests.support import package, typescript
from tests.support.node import NEXT, NodeError, node, require, use
from tests.support.push_service import SUBJECT, PushService
from tests.support.tls import make_certificate, tls_in_front_of
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.ports import Subscription
    from tests.support.redis_server import RedisServer

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
PATIENCE = 60.0  # seconds
TSX = (NEXT / "node_modules" / "tsx" / "dist" / "loader.mjs").as_uri()
# As much of a Next.js app's own as the files need.
TSCONFIG = '{"compilerOptions": {"target": "ES2017", "module": "esnext", "paths": {"@/*": ["./*"]}}}'


@pytest.fixture(params=["bullmq6", pytest.param("bullmq5", marks=pytest.mark.matrix)])
def node_modules(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packages of an app; other tests show that both majors speak with the worker."""
    return use(request.param, monkeypatch)


def snippet(name: str) -> str:
    """The code block below this mark in the README."""
    [code] = re.findall(rf"<!-- snippet: {name} -->\n```\w+\n(.*?)```", README.read_text(), re.DOTALL)
    return str(code)


@dataclass
class Site:
    """An app with one device of the user `user-1`, one upload, and a running worker."""

    folder: Path
    redis_url: str
    device: Subscription
    app: App

    async def run(self, *command: str | Path, **more: str) -> str:
        """Run a program in the app's folder; returns what it printed."""
        pipe = asyncio.subprocess.PIPE
        env = {"REDIS_URL": self.redis_url} | more
        process = await asyncio.create_subprocess_exec(*command, cwd=self.folder, env=env, stdout=pipe, stderr=pipe)
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert 0 == process.returncode, stderr.decode()
        return stdout.decode()

    def write(self, node_modules: Path, tarball: Path, **more: str) -> None:
        """The files of the pages, in an app that has these packages, and `pushmill`."""
        package.install(tarball, self.folder, *(path.name for path in node_modules.iterdir()), modules=node_modules)
        typescript.write(self.folder, {**typescript.files(), "tsconfig.json": TSCONFIG, **more})

    async def tsx(self, file: str, **more: str) -> str:
        """Run one of them as `npx tsx` does, but in one process."""
        return await self.run(shutil.which("node") or "", "--import", TSX, file, **more)


@pytest.fixture
async def site(
    tmp_path: Path, redis_url: str, push_service: PushService, vapid_keys: tuple[str, str]
) -> AsyncIterator[Site]:
    """The app's side, and the worker."""
    app = App(tmp_path / "app.db", tmp_path / "store")
    with closing(sqlite3.connect(app.database, isolation_level=None)) as connection:
        connection.execute('UPDATE "File" SET "id" = \'file-1\'')
        connection.execute('ALTER TABLE "File" ADD COLUMN "error" TEXT')
    device = push_service.subscribe("user-1")
    app.subscribe([device])
    env = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": "sqlite:///app.db",
        "STORAGE_URL": app.store.as_uri(),
        "VAPID_PRIVATE_KEY": vapid_keys[0],
        "VAPID_PUBLIC_KEY": vapid_keys[1],
        "VAPID_SUBJECT": SUBJECT,
        "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
    }
    async with WorkerProcess(env, tmp_path):
        yield Site(tmp_path, redis_url, device, app)


ENQUEUE = """
import { POST } from "@/app/api/messages/route";
console.log((await POST()).status);
process.exit();
"""
# The route and the script that do the same with the package, and with bullmq alone.
PAIRS = [("messages", "wait"), ("stock", "stock")]


@pytest.mark.parametrize(("route", "script"), PAIRS)
async def test_next_js(
    site: Site, push_service: PushService, node_modules: Path, tarball: Path, route: str, script: str
) -> None:
    """Node enqueues a push that arrives and an image whose URLs come back."""
    require("next")
    site.write(node_modules, tarball, **{"enqueue.mts": ENQUEUE.replace("messages", route)})

    assert "202" == (await site.tsx("enqueue.mts")).strip()
    printed = await site.tsx(f"scripts/{script}.mts")

    row = site.app.file()
    assert [row["compressedUrl"], row["thumbnailUrl"]] == printed.split()
    assert row["processed"]
    [push] = push_service.received
    assert {"title": "Ada", "body": "Are you there?", "url": "/chat/7", "icon": "/icons/chat.png"} == push.json
    assert ("3600", "high") == (push.headers["TTL"], push.headers["Urgency"])


def test_the_tests_of_an_app(redis_url: str, node_modules: Path, tarball: Path, tmp_path: Path) -> None:
    """Those of docs/testing.md pass, and fail if the app adds another job."""
    require("next")
    package.install(tarball, tmp_path, *(path.name for path in node_modules.iterdir()), modules=node_modules)
    files = typescript.files()
    typescript.write(tmp_path, {**files, "tsconfig.json": TSCONFIG})

    for name in ("routes", "queue"):
        assert "# fail 0" in ran_tests(tmp_path, name, redis_url)

    route = "app/api/messages/route.ts"
    typescript.write(tmp_path, {route: files[route].replace('"user-1"', '"user-2"')})
    assert "# fail 1" in ran_tests(tmp_path, "routes", redis_url)


def ran_tests(folder: Path, name: str, redis_url: str) -> str:
    """What Node says of these tests, which are one process."""
    command = (shutil.which("node") or "", "--import", TSX, "--test-reporter", "tap", f"tests/{name}.test.ts")
    env = {"REDIS_URL": redis_url}
    return subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
    ).stdout


async def test_heroku(site: Site, node_modules: Path, tarball: Path, redis_server: RedisServer) -> None:
    """The connection of that section works where Redis has a self-signed certificate."""
    require("next")
    site.write(node_modules, tarball, **{"enqueue.mts": ENQUEUE, **typescript.variants()})

    async with tls_in_front_of(redis_server.port, *make_certificate(site.folder)) as port:
        url = f"rediss://127.0.0.1:{port}"
        assert "202" == (await site.tsx("enqueue.mts", REDIS_URL=url)).strip()
        printed = await site.tsx("scripts/wait.mts", REDIS_URL=url)
    assert site.app.file()["compressedUrl"] in printed.split()


FOLLOW = """
import { POST } from "@/app/api/images/route";
import { GET } from "@/app/api/jobs/[queue]/[id]/route";
const upload = { fileId: "file-1", filePath: "uploads/photo.jpg", userId: "user-1" };
const accepted = await POST(new Request("http://app/api/images", { method: "POST", body: JSON.stringify(upload) }));
const { url } = await accepted.json();
const [queue, id] = url.split("/").slice(-2);
const follow = (user) => {
  const request = new Request("http://app" + url, { headers: { "x-user-id": user } });
  return GET(request, { params: Promise.resolve({ queue, id }) });
};
const followed = await follow("user-1");
console.log(accepted.status, followed.headers.get("content-type"), await followed.text());
console.log((await follow("user-2")).status);
"""


async def test_api(site: Site, tarball: Path) -> None:
    """A script that knows only an URL and a token has an image compressed; so has a route."""
    require("next")
    site.write(NEXT / "node_modules", tarball, **{"follow.mts": FOLLOW})
    secret, token = tokens.make("next-app", may_write=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = {"REDIS_URL": site.redis_url, "API_TOKENS": tokens.entry(token), "PORT": port}
    async with WorkerProcess(env, site.folder, PROJECT / "web.py"):
        access = {"PUSHMILL_URL": f"http://127.0.0.1:{port}", "PUSHMILL_TOKEN": secret, "REDIS_URL": ""}
        routed = await site.tsx("follow.mts", **access)
        printed = await site.tsx("scripts/image.mts", **access)

    url = site.app.file()["compressedUrl"]
    assert url == printed.strip()
    assert routed.startswith("202 text/event-stream retry: 1000")
    assert "event: completed" in routed
    assert url in routed
    assert "uploads/photo.jpg" not in routed
    assert routed.endswith("\n404\n")


async def test_the_queue_service(site: Site, push_service: PushService, node_modules: Path, tarball: Path) -> None:
    """The script of `pushmill/bullmq` follows an image, and pushes when another one is done."""
    require("next")
    site.write(node_modules, tarball)

    printed = await site.tsx("scripts/service.mts")

    assert "completed" in printed
    assert site.app.file()["compressedUrl"] in printed
    async with asyncio.timeout(PATIENCE):
        while not push_service.received:
            await asyncio.sleep(0.02)
    [push] = push_service.received
    assert {"title": "Your photo is ready"} == push.json


async def test_rq(site: Site, push_service: PushService) -> None:
    """Stock RQ enqueues a push that arrives, and the job's id leads to its result."""
    (site.folder / "enqueue.py").write_text(snippet("rq"))
    printed = await site.run(sys.executable, "enqueue.py")

    with Redis.from_url(site.redis_url) as connection:
        job = RQJob.fetch(printed.strip(), connection, serializer="json")
        async with asyncio.timeout(PATIENCE):
            while not job.is_finished:
                await asyncio.sleep(0.02)
        result: Any = job.return_value()
        assert (result["sent"], result["total"]) == (1, 1)
    [push] = push_service.received
    assert (site.device.id, {"title": "Ada", "body": "Are you there?"}) == (push.subscription_id, push.json)


async def test_triage(site: Site, node_modules: Path, tarball: Path) -> None:
    """The snippet sends back a job that failed for a missing upload, and it finishes; a bad payload stays dead.

    The upload's row says why its jobs failed, until the job that is sent back has begun.
    """
    require("next")
    late = {"fileId": "file-1", "filePath": "uploads/late.jpg", "userId": "user-1"}
    for data, reason in ((late, "nothing is stored under"), ({"fileId": "file-1"}, "bad payload for process-image")):
        with pytest.raises(NodeError):
            await node(
                site.redis_url,
                ("add", "file-processing", "process-image", data),
                ("waitUntilFinished", "file-processing", None, 10_000),
            )
        assert site.app.file()["error"].startswith(reason)
    shutil.copyfile(PHOTO, site.app.store / "uploads" / "late.jpg")

    site.write(node_modules, tarball)
    printed = await site.tsx("scripts/triage.mts")

    async with asyncio.timeout(PATIENCE):
        while not site.app.file()["processed"]:
            await asyncio.sleep(0.02)
    assert site.app.file()["error"] is None
    [left] = await node(site.redis_url, ("getJobs", "dead"))
    assert "process-image: nothing is stored under its filePath" in printed
    assert ["bad payload"] == [letter["data"]["reason"][:11] for letter in left]
