"""`make example`: it says where to look, runs beside another one, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.support.polling import PATIENCE, is_over

if TYPE_CHECKING:
    from tests.support.example import Example

PROJECT = Path(__file__).parents[2]


@pytest.mark.matrix
async def test_it_runs_beside_another_one_and_leaves_nothing(example_app: Example) -> None:
    """It finds a free port, and on Ctrl-C all its processes and files are gone."""
    process = await _start(os.environ["PATH"])  # noqa: TID251 -- Node is on it
    try:
        said = await asyncio.wait_for(_said(process), 5 * PATIENCE)
        [url] = re.findall(r"^(http://localhost:\d+)$", said, re.MULTILINE)
        [profile] = re.findall(r"firefox --no-remote --profile (\S+) ", said)
        async with httpx.AsyncClient() as browser:
            page = await browser.get(f"{url}/sign-in")
        parts = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        rest, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert example_app.url != url
    assert (200, True) == (page.status_code, "Pick a name" in page.text)
    assert len(parts) >= 4  # Valkey, the worker, its web process and the app
    assert (0, True) == (process.returncode, rest.decode().endswith("Stopped.\n"))
    assert [] == [part.pid for part in parts if not is_over(part.pid)]
    assert not Path(profile).parent.exists()


async def test_without_node_it_says_so(tmp_path: Path) -> None:
    """In one line, before anything is started."""
    process = await _start(str(tmp_path))
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert 1 == process.returncode
    assert "FAILED: the example needs Node 20.19 or newer, with npm" in said.decode()


async def _start(path: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo.example"),
        cwd=PROJECT,
        env={"PATH": path, "HOME": str(Path.home())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


async def _said(process: asyncio.subprocess.Process) -> str:
    """What it prints until it runs."""
    assert process.stdout is not None
    said = b""
    while b"Ctrl-C" not in said:
        line = await process.stdout.readline()
        assert line, said.decode()
        said += line
    return said.decode()
