"""Our export, as that of peer.mjs: `python -m benchmarks.exports.ours <database> <type> [safe|plain] <file>`."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import sys
import time
from pathlib import Path

from processors.exports.dependencies import ExportDependencies
from processors.exports.formats import write_file
from processors.exports.payload import ExportPayload
from processors.exports.sheets import TASK
from processors.job_folder import job_folder
from processors.sandbox.client import Sandbox
from storage.database import Database
from storage.export_postgres import PostgresExports
from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation
from storage.ports import ExportRequest

REQUEST = ExportRequest("orders", None, None, {}, seconds=3600.0)


async def main(url: str, export_type: str, *words: str) -> None:
    """Write the file, plain without escapes; prints seconds and processor seconds, with those of the child."""
    *kind, file = words
    database, sandbox = await Database.open(url, {}), Sandbox()
    sandbox.preload(TASK)
    store = LocalStore(LocalLocation(Path(file).parent))
    dependencies = ExportDependencies(PostgresExports(database), store, sandbox, None, 2 * 1024**3, 60)
    payload = ExportPayload.model_validate(
        {"exportType": export_type, "name": "orders", "escapeFormulas": kind != ["plain"]}
    )
    begun, cpu = time.perf_counter(), time.process_time()
    async with job_folder(sandbox) as folder:
        target = folder / "export"
        await write_file(dependencies, payload, REQUEST, target, _unheard)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        shutil.move(target, file)
    await sandbox.close()  # which waits for the fork server, and so counts its children
    await database.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps([seconds, cpu + children.ru_utime + children.ru_stime]))


async def _unheard(_percent: float) -> None:
    """Nobody hears the progress."""


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
