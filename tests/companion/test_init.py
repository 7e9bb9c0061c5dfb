"""`npx pushmill init` in a fresh `create-next-app`: it builds, and the first push is on the screen."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.support import package, typescript
from tests.support.docs import PROJECT
from tests.support.next_app import PATIENCE, address, fresh_app, run, running
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.firefox import Firefox

QUICK_START = PROJECT / "docs" / "quick-start.md"
MIGRATION = PROJECT / "examples" / "next" / "prisma" / "migrations" / "sqlite"
# What the developer writes: in each file a line, and those that it becomes.
WRITTEN = {
    "app/page.tsx": [
        ("export default", 'import { NotifyMe } from "@/components/notify-me";\n\nexport default'),
        ("      <div>Hello world!</div>", "      <div>Hello world!</div>\n      <NotifyMe />"),
    ]
}
# `prisma generate` looks for an engine that it does not start; only that of migrations would have to be downloaded.
NO_DOWNLOAD = {"PRISMA_SCHEMA_ENGINE_BINARY": sys.executable, "CHECKPOINT_DISABLE": "1"}


@pytest.fixture
async def new_app(tarball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A fresh app in which `init` ran and the package is installed."""
    async with fresh_app(tmp_path, monkeypatch) as folder:
        package.install(tarball, folder)
        said = await pushmill(folder, "init", "--yes")
        install(folder, said)
        await run(folder, "prisma", "generate", **NO_DOWNLOAD)
        yield folder


async def pushmill(folder: Path, *arguments: str) -> str:
    """Run the package's own program."""
    program = folder / "node_modules" / "pushmill" / "dist" / "esm" / "cli" / "main.js"
    program.chmod(0o755)  # as npm does
    return await run(folder, str(program), *arguments)


def install(folder: Path, said: str) -> None:
    """Name the packages in package.json that `init` said to install; they are in the folder above."""
    found = re.search(r"npm install (.*)", said)
    assert found
    names = found[1].split()
    assert {"bullmq", "ioredis", "prisma", "@prisma/client", "@prisma/adapter-libsql"} == set(names)
    file = folder / "package.json"
    content = json.loads(file.read_text())
    content["dependencies"] |= dict.fromkeys(names, "*")
    file.write_text(json.dumps(content, indent=2))


def written(folder: Path) -> int:
    """Write what the developer writes; returns the number of lines that it changed or added."""
    count = 0
    for path, changes in WRITTEN.items():
        text = (folder / path).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
            count += len([line for line in new.split("\n") if line.strip()]) - 1
        (folder / path).write_text(text)
    return count


def files(folder: Path) -> dict[str, bytes]:
    """The app's own files."""
    skipped = {"node_modules", ".next", "generated"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not skipped.intersection(path.relative_to(folder).parts)
    }


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("bundler", ["--turbopack", "--webpack"])
async def test_the_app_builds_and_a_second_init_changes_nothing(new_app: Path, bundler: str) -> None:
    """Its types fit, no Redis is needed, all routes are there, and the code of the docs compiles in it."""
    written(new_app)
    before = files(new_app)

    assert "Nothing to do: all files are there." in (await pushmill(new_app, "init", "--yes")).splitlines()
    assert before == files(new_app)

    typescript.write(new_app, typescript.files(typescript.OF_INIT))

    said = await run(new_app, "next", "build", bundler)

    assert "ECONNREFUSED" not in said
    assert {"/api/push/subscriptions", "/api/uploads", "/api/hello", "/api/greet", "/notify"} <= set(said.split())


@pytest.mark.slow
@pytest.mark.matrix
async def test_all_parts_build(new_app: Path) -> None:
    """`--all` adds what the defaults leave out, and the docs' code for that compiles."""
    await pushmill(new_app, "init", "--yes", "--all")
    await run(new_app, "prisma", "generate", **NO_DOWNLOAD)
    typescript.write(new_app, typescript.files(typescript.OF_ALL_PARTS))

    said = await run(new_app, "next", "build")

    assert {"/admin/queues/[[...path]]", "/api/jobs/[queue]/[id]", "/api/uploads"} <= set(said.split())
    assert {"/api/notifications", "/api/preferences"} <= set(said.split())


def migrate(folder: Path) -> None:
    """Make the tables as `prisma migrate dev` does it, whose engine would have to be downloaded."""
    script = "\n".join(file.read_text() for file in sorted(MIGRATION.glob("*/migration.sql")))
    wanted = re.compile(r'CREATE (?:TABLE|(?:UNIQUE )?INDEX "\w+" ON) "(?:PushSubscription|File)" ?\([^;]*;')
    statements = wanted.findall(script)
    assert 2 + 4 == len(statements)
    with closing(sqlite3.connect(folder / "dev.db")) as connection:
        connection.executescript("\n".join(statements))


@asynccontextmanager
async def worker(app: Path) -> AsyncIterator[None]:
    """`make worker APP=...`, which starts a Valkey, too."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "demo.beside", str(app), cwd=PROJECT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        assert 0 == await asyncio.wait_for(process.wait(), PATIENCE)


async def answer(url: str) -> object:
    """The JSON at an address."""
    async with aiohttp.ClientSession() as browser, browser.get(url) as response:
        return await response.json()


@pytest.mark.slow
async def test_the_first_push(new_app: Path, firefox: Firefox) -> None:
    """The quick start as a developer follows it, with a push service that needs no internet."""
    lines = written(new_app)
    migrate(new_app)
    # Not the developer's: the push service of this test, and a port that is free.
    env = new_app / ".env"
    env.write_text(env.read_text().replace(":6379", f":{free_port()}") + "PUSH_ALLOW_LOCAL_ENDPOINTS=1\n")
    route = new_app / "app/api/push/subscriptions/route.ts"
    route.write_text(route.read_text().replace("userId })", "userId, allowLocalEndpoints: true })"))

    async with worker(new_app), running(new_app, "next", "dev", "--port", str(free_port())) as server:
        site = await address(server)
        assert {"endpoints": []} == await answer(
            f"{site}/api/push/subscriptions"
        )  # it is compiled with the first request
        await firefox.open(site)
        await firefox.click("main button")
        await firefox.answer_prompt()
        await firefox.seen("main button", "Stop notifications")
        said = await pushmill(new_app, "push", "user-1", "It works")
        alerts = await firefox.alerts()

    assert "sent to 1 of 1 devices\n" == said
    assert [["It works", ""]] == alerts
    assert 2 == lines
    assert f"{lines} lines" in QUICK_START.read_text()
