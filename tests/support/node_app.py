"""Apps that run scripts with the npm package `pushmill`, beside bullmq of either major version."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import package
from tests.support.node import KITS, require
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

PRINT = "const print = (value) => console.log(JSON.stringify(value ?? null));\n"


class ScriptError(Exception):
    """Node ended with an error; the message is what it wrote."""


@dataclass(frozen=True, slots=True)
class NodeApp:
    """A folder with the package and what it is used with."""

    folder: Path

    async def run(self, script: str, **env: str) -> list[Any]:
        """Run an ES module; returns what it printed by `print`, in order. Raises ScriptError."""
        process = await self.start(script, **env)
        try:
            async with asyncio.timeout(2 * PATIENCE):
                out, err = await process.communicate(b"")
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        if process.returncode != 0:
            raise ScriptError(out.decode() + err.decode())
        return [json.loads(line) for line in out.decode().splitlines()]

    async def start(self, script: str, **env: str) -> asyncio.subprocess.Process:
        """Start an ES module."""
        pipe = asyncio.subprocess.PIPE
        env = {"PATH": os.environ["PATH"], **env}  # noqa: TID251 -- where node is
        arguments = ("node", "--input-type=module", "-e", PRINT + script)
        return await asyncio.create_subprocess_exec(
            *arguments, cwd=self.folder, env=env, stdin=pipe, stdout=pipe, stderr=pipe
        )


@pytest.fixture(params=["bullmq5", pytest.param("bullmq6", marks=pytest.mark.matrix)])  # the example has 6
def node_app(request: pytest.FixtureRequest, tarball: Path, tmp_path: Path) -> NodeApp:
    """An app with the package and each major version of bullmq in turn."""
    return node_app_with(request.param, tarball, tmp_path / "node-app")


@pytest.fixture
def newest_app(tarball: Path, tmp_path: Path) -> NodeApp:
    """An app with the package and the newest bullmq."""
    return node_app_with("bullmq6", tarball, tmp_path / "node-app")


def node_app_with(kit: str, tarball: Path, folder: Path) -> NodeApp:
    """An app with the package and a kit's bullmq."""
    require(kit)
    package.install(tarball, folder)
    for name in ("bullmq", "ioredis"):
        (folder / "node_modules" / name).symlink_to(KITS[kit] / "node_modules" / name)
    return NodeApp(folder)
