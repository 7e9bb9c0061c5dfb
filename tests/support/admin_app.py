"""An app that passes the dashboard on: the package's `adminRoute` in a Node server, in front of `python web.py`."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import package
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVER = Path(__file__).with_name("admin_app.mjs")
MOUNT = "/ops/queues"


@asynccontextmanager
async def admin_app(tarball: Path, folder: Path, **env: str) -> AsyncIterator[str]:
    """The app's URL. `env` has PUSHMILL_URL, PUSHMILL_TOKEN and BASE_PATH."""
    if not (folder / "node_modules" / "pushmill").exists():
        package.install(tarball, folder)
    shutil.copy(SERVER, folder)
    node = shutil.which("node")
    assert node is not None
    process = await asyncio.create_subprocess_exec(
        *(node, folder / SERVER.name), stdout=asyncio.subprocess.PIPE, env={"PATH": os.defpath, **env}
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
