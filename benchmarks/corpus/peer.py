"""sharp, which makes the same image from each upload."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

from benchmarks.corpus.jobs import grid

if TYPE_CHECKING:
    from asyncio.subprocess import Process

MEDIA = Path(__file__).parents[1] / "media"  # has sharp among its packages
LONGEST_LINE = 16 * 1024 * 1024  # bytes: a JPEG of 1920 x 1080
PATIENCE = 120  # seconds for an image


class Sharp:
    """The Node process. Without npm there is none, and nothing is compared."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        npm = shutil.which("npm")
        if npm is not None and not (MEDIA / "node_modules" / "sharp").exists():
            installing = await asyncio.create_subprocess_exec(npm, "ci", "--no-audit", "--no-fund", cwd=MEDIA)
            await installing.wait()
        if npm is not None:
            await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def measure(self, path: Path) -> dict[str, Any] | None:
        """The result of sharp for the image: `size` and `grid`, or `error`."""
        if self._process is None:
            return None
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{path}\n".encode())
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            await self.__aexit__()
            await self._start()
            return {"error": "it crashed, or took too long"}
        answer: dict[str, Any] = json.loads(line)
        if "jpeg" in answer:
            with Image.open(io.BytesIO(base64.b64decode(answer.pop("jpeg")))) as image:
                answer["grid"] = grid(image.convert("RGB"))
        return answer

    async def _start(self) -> None:
        node, pipe = shutil.which("node") or "node", asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            node, "measure.mjs", stdin=pipe, stdout=pipe, cwd=MEDIA, limit=LONGEST_LINE
        )
