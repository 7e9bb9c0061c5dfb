"""The routes of the npm package over a real Prisma client, in a Node process."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from demo.example.app import APP, PACKAGE
from tests.support.example import require
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

MODELS = PACKAGE / "models.prisma"
PROGRAMS = PACKAGE / "test" / "programs"
GENERATOR = """generator client {{
  provider = "prisma-client-js"
  output   = "./client"
}}
datasource db {{
  provider = "{provider}"
}}
"""


def tables(provider: str) -> str:
    """The SQL that makes the tables of the package's models, as Prisma makes it."""
    require()
    made = subprocess.run(
        ["node", PROGRAMS / "ddl.mjs", provider, MODELS],  # noqa: S607 -- the node of PATH
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return made.stdout


@dataclass(frozen=True, slots=True)
class Routes:
    """The address of the routes."""

    url: str
    http: aiohttp.ClientSession = field(repr=False)

    async def send(self, method: str, path: str, body: Any, user: str = "ann") -> tuple[int, Any]:
        """Send JSON as a page of the user; returns status and JSON of the answer."""
        async with self.http.request(method, self.url + path, json=body, headers={"x-user": user}) as answer:
            return answer.status, await answer.json() if await answer.read() else None

    async def subscribe(self, subscription: dict[str, Any], user: str = "ann", **more: Any) -> tuple[int, Any]:
        """Send a subscription, as the page does."""
        return await self.send("POST", "/api/push/subscriptions", {"subscription": subscription, **more}, user)


@pytest.fixture(scope="session")
def prisma_client(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Generates Prisma's client for a provider, once; returns the folder for `serving`."""
    folders: dict[str, Path] = {}

    def make(provider: str) -> Path:
        if provider not in folders:
            require()
            folder = tmp_path_factory.mktemp(provider)
            _prepare(folder, provider)
            folders[provider] = folder
        return folders[provider]

    return make


@asynccontextmanager
async def serving(folder: Path, **env: str) -> AsyncIterator[Routes]:
    """The routes with the client that was generated in `folder`."""
    process = await asyncio.create_subprocess_exec(
        "node", "routes.mjs", cwd=folder, env=_env() | env, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            port = int(await process.stdout.readline())
        async with aiohttp.ClientSession() as http:
            yield Routes(f"http://127.0.0.1:{port}", http)
    finally:
        process.kill()
        await process.communicate()


def _prepare(folder: Path, provider: str) -> None:
    modules = folder / "node_modules"
    modules.mkdir()
    for package in (APP / "node_modules").iterdir():
        if package.name != "pushmill":
            (modules / package.name).symlink_to(package)
    (modules / "pushmill").symlink_to(PACKAGE)
    (folder / "schema.prisma").write_text(GENERATOR.format(provider=provider) + MODELS.read_text())
    shutil.copy(PROGRAMS / "routes.mjs", folder)
    prisma = str(modules / ".bin" / "prisma")
    done = subprocess.run(
        [prisma, "generate", "--schema", "schema.prisma"],
        cwd=folder,
        env=_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE * 5,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout)


def _env() -> dict[str, str]:
    # `prisma generate` asks for a program that it does not use: any file will do.
    quiet = {"PRISMA_SCHEMA_ENGINE_BINARY": sys.executable, "CHECKPOINT_DISABLE": "1"}
    return {name: os.environ[name] for name in ("PATH", "HOME")} | quiet  # noqa: TID251 -- node's
