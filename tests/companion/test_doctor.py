"""`npx pushmill doctor` in an app's folder, over a real Redis, worker and `web.py`, with the app's own ioredis."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from queue_lib import VERSION
from scripts.generate_vapid_keys import make_pair
from tests.support import package
from tests.support.dashboard_client import FULL, READ_SECRET, SECRET
from tests.support.polling import until
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.app import App
    from tests.support.wires import Mess


pytestmark = pytest.mark.matrix  # too slow for `make test`; tests of the package with Node alone show the most of it


class Folder:
    """A Next.js app's folder, as `npx pushmill init` leaves it, with the worker's settings in `.env`."""

    def __init__(self, folder: Path, tarball: Path, env: dict[str, str]) -> None:
        """Install the package, bullmq and ioredis."""
        self._folder = folder / "next-app"
        self._folder.mkdir()
        self._installed = package.install(tarball, self._folder, "bullmq", "ioredis")
        self.write("package.json", "{}")
        self.write(".env", "".join(f'{name}="{value}"\n' for name, value in env.items()))
        self.write("prisma/schema.prisma", (self._installed / "models.prisma").read_text())
        self.write("public/sw.js", (self._installed / "templates/public/sw.js").read_text())
        self.write("public/pushmill-sw.js", (self._installed / "dist/pushmill-sw.js").read_text())

    def write(self, path: str, text: str) -> str:
        """Write a file; returns what it held."""
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        before = target.read_text() if target.exists() else ""
        target.write_text(text)
        return before

    @contextmanager
    def changed(self, path: str, old: str, new: str) -> Iterator[None]:
        """With other text in a file for a while."""
        before = (self._folder / path).read_text()
        assert old in before
        self.write(path, before.replace(old, new))
        yield
        self.write(path, before)

    async def examine(self, **env: str) -> tuple[int | None, list[str]]:
        """Run the doctor; returns its exit status and its lines."""
        node = shutil.which("node")
        assert node is not None
        process = await asyncio.create_subprocess_exec(
            *(node, self._installed / "dist/esm/cli/main.js", "doctor"),
            cwd=self._folder,
            env={"PATH": os.defpath, **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode().splitlines()

    async def faults(self, **env: str) -> list[str]:
        """What is wrong, in words."""
        status, lines = await self.examine(**env)
        wrong = [line.removeprefix("WRONG  ") for line in lines if line.startswith("WRONG")]
        assert (1 if wrong else 0) == status, lines
        return wrong


def environment(app: App, url: str) -> dict[str, str]:
    """The `.env` of the app, which the worker reads, too."""
    public = app.env["VAPID_PUBLIC_KEY"]
    return {**app.env, "NEXT_PUBLIC_VAPID_PUBLIC_KEY": public, "PUSHMILL_URL": url, "PUSHMILL_TOKEN": SECRET}


async def test_a_healthy_app_is_told_so(app: App, mess: Mess, tarball: Path) -> None:
    """Each thing has a line, and no line a secret."""
    process, url = web_process(mess.url, mess.folder, FULL)
    folder = Folder(mess.folder, tarball, environment(app, url))
    async with app.worker(), process:
        await until(lambda: mess.redis.exists("bull:pulse:workers"))
        status, lines = await folder.examine()
    said = "\n".join(lines)
    assert (0, "Nothing is wrong.") == (status, lines[-1]), said
    for line in (
        "ok     bullmq: 6.",
        "ok     Redis: Valkey ",
        "ok     API: web.py at 127.0.0.1:",
        "ok     Worker: 1 process, serving push, media",
        f"ok     Version: worker {VERSION}, package pushmill {VERSION}",
        "ok     Queue push-notifications: served",
        "ok     Queue file-processing: served",
        "ok     VAPID keys: the app's key is the worker's",
        "ok     Prisma: model PushSubscription has",
        "ok     Prisma: model File has",
        "ok     Service worker: public/sw.js uses",
    ):
        assert line in said
    assert SECRET not in said
    assert app.env["VAPID_PRIVATE_KEY"] not in said


async def test_each_fault_is_named(app: App, mess: Mess, tarball: Path) -> None:
    """One at a time, in an app in which all else is well."""
    process, url = web_process(mess.url, mess.folder, FULL)
    folder = Folder(mess.folder, tarball, environment(app, url))
    secret, public = make_pair()
    async with app.worker(), process:
        await until(lambda: mess.redis.exists("bull:pulse:workers"))
        assert [] == await folder.faults()
        for env, told in (
            ({"VAPID_PRIVATE_KEY": secret}, "VAPID_PRIVATE_KEY is of another pair"),
            ({"NEXT_PUBLIC_VAPID_PUBLIC_KEY": public}, "a worker signs with another key"),
            ({"STORAGE_URL": "s3://elsewhere"}, "the app uploads to s3://elsewhere, and a worker reads file:///"),
            ({"BULLMQ_PREFIX": "other"}, "workers use the prefix bull, the app other"),
            ({"PUSHMILL_TOKEN": READ_SECRET}, "does not know PUSHMILL_TOKEN"),
            ({"PUSHMILL_URL": "http://127.0.0.1:9"}, "web.py at 127.0.0.1:9 can't be reached"),
            ({"REDIS_URL": "redis://127.0.0.1:9"}, "127.0.0.1:9: connect ECONNREFUSED"),
        ):
            faults = await folder.faults(**env)
            assert any(told in fault for fault in faults), (env, faults)
        for path, old, new, told in (
            ("prisma/schema.prisma", "@@index([userId])", "", "it needs @@index([userId])"),
            ("prisma/schema.prisma", "compressedUrl", "compressed", "model File: it lacks compressedUrl"),
            ("public/pushmill-sw.js", "pushmill", "pushmil", "is not that of the installed pushmill"),
            ("public/sw.js", "handlePush", "nothing", "public/sw.js does not use"),
        ):
            with folder.changed(path, old, new):
                [fault] = await folder.faults()
            assert told in fault
        await mess.bullmq("push-notification", {"userId": "u1"}, queue="push-notification")
        [fault] = await folder.faults()
        assert fault.startswith("Queue push-notification: 1 job waits and no worker serves it (workers serve exports, ")
        mess.redis.delete(*mess.redis.keys("bull:push-notification:*"))
        mess.redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            [fault] = await folder.faults()
        finally:
            mess.redis.config_set("maxmemory-policy", "noeviction")
        assert "may drop jobs (maxmemory-policy allkeys-lru): set it to noeviction" in fault


@pytest.mark.parametrize("api", [True, pytest.param(False, marks=pytest.mark.matrix)])
async def test_without_a_worker_nothing_runs(app: App, mess: Mess, tarball: Path, api: bool) -> None:
    """It is said whether the app knows Redis or the API alone."""
    process, url = web_process(mess.url, mess.folder, FULL)
    env = environment(app, url)
    del env["REDIS_URL" if api else "PUSHMILL_URL"]
    async with process:
        [fault] = await Folder(mess.folder, tarball, env).faults()
    assert fault.startswith(
        "Worker: none has reported within a minute: start one (make worker APP=... or python worker.py)"
    )
