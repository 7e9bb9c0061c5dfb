"""A folder for the files of one job, for any feature."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.outage import PAUSE
from processors.sandbox.shortage import NoRoomError
from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from processors.sandbox.client import Sandbox


@asynccontextmanager
async def job_folder(sandbox: Sandbox) -> AsyncIterator[Path]:
    """An empty folder, which is removed when the block ends. If this process is killed, the next one removes it.

    Raises SnoozeError if the machine has no room, TransientError if this job alone is too large for it.
    """
    try:
        async with sandbox.detect_shortage():
            folder = await sandbox.folder()
            try:
                yield folder
            finally:
                await asyncio.to_thread(_remove, folder)
    except NoRoomError as error:
        raise SnoozeError(str(error), PAUSE) from error


def _remove(folder: Path) -> None:
    """Remove the folder. A process that was just killed in it may still write once more."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        time.sleep(0.2)
        shutil.rmtree(folder)
