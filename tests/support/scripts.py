"""Runs operators' scripts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.forked import fork
from tests.support.polling import PATIENCE

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """The output of a script."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one line of JSON."""
        return json.loads(self.out)


async def run_script(name: str, *arguments: str, env: dict[str, str]) -> Answer:
    """Run `python -m scripts.<name>` with these arguments and this environment alone."""
    process = await fork(f"scripts.{name}", *arguments, env=env, folder=PROJECT)
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
            return Answer(await process.wait(), out.decode(), err.decode())
    finally:
        process.kill()
