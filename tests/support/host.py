"""An app in Node with the stock bullmq, of which one process runs any number of modules."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.support import typescript
from tests.support.node import KITS, NEXT, SCRIPTS, NodeError, require
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TSX = (NEXT / "node_modules" / "tsx" / "dist" / "loader.mjs").as_uri()
TSCONFIG = '{"compilerOptions": {"target": "ES2022", "module": "esnext", "paths": {"@/*": ["./*"]}}}'


@dataclass
class Host:
    """The app in `folder` with the packages of a kit. As a context manager it has begun, and ends at the end."""

    folder: Path
    kit: str
    env: Mapping[str, str]
    _process: asyncio.subprocess.Process | None = None
    _count: int = field(default=0, init=False)

    async def __aenter__(self) -> Self:
        """Start."""
        require(self.kit)
        require("next")  # it has tsx
        self.folder.mkdir(exist_ok=True)
        (self.folder / "node_modules").symlink_to(KITS[self.kit] / "node_modules")
        self.write({"tsconfig.json": TSCONFIG, "package.json": '{"type": "module"}'})
        self._process = await self._start(SCRIPTS / "host.mjs")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the app: path -> text."""
        typescript.write(self.folder, dict(files))

    async def __call__(self, code: str, **given: Any) -> Any:
        """Run a module in TypeScript; returns its default export, as JSON has it. Raises NodeError.

        What is given is the constant `given` in it.
        """
        before = f"const given = {json.dumps(given)};\n" if given else ""
        return (await self.run(before + code))["result"]

    async def run(self, code: str) -> dict[str, Any]:
        """The same, with the lines that it has `printed` beside its `result`."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(str(self._module(code)))}\n".encode())
        async with asyncio.timeout(2 * PATIENCE):
            line = await process.stdout.readline()
        answer = json.loads(line or '{"error": "Node ended"}')
        if "error" in answer:
            raise NodeError(answer["error"], [], "")
        return dict(answer)

    async def program(self, code: str) -> str:
        """Run a module as a process of its own, to its end; returns what it has printed."""
        process = await self._start(self._module(code))
        async with asyncio.timeout(2 * PATIENCE):
            stdout, stderr = await process.communicate(b"")
        if process.returncode != 0:
            msg = "the program failed"
            raise NodeError(msg, [], stderr.decode())
        return stdout.decode()

    def _module(self, code: str) -> Path:
        self._count += 1
        name = f"module-{self._count}.mts"
        self.write({name: code})
        return self.folder / name

    async def _start(self, script: Path) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        env = {"PATH": os.environ["PATH"], **self.env}  # noqa: TID251 -- where node is
        return await asyncio.create_subprocess_exec(
            *("node", "--import", TSX, script),
            cwd=self.folder,
            env=env,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            limit=1 << 24,
        )
