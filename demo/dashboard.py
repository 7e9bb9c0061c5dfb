"""`make dashboard`: the dashboard over the demo's servers and worker, with new jobs on both wires, until Ctrl-C.

It enqueues the demo's jobs again and again: pushes that arrive, an invalid payload, an image, and an image whose upload
is missing.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import redis
from bullmq import Queue as BullQueue
from rq import Queue as RQQueue

from demo.clock import say
from demo.failure import DemoError
from demo.output import output
from demo.plan import IMAGE, Plan
from demo.producers import NewJob
from demo.stage import build
from demo.worker_process import PROJECT
from queue_lib.web import tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

EVERY = 0.25  # seconds between two jobs
MISSING = NewJob(*IMAGE, {"fileId": "lost", "filePath": "uploads/lost.jpg", "userId": "ada"})
RARE = 20  # one job in so many fails


async def serve() -> None:
    """Serve the dashboard until interrupted. Raises DemoError if a process does not start, or ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as cleanup:
        stage = await build(cleanup, cleanup.enter_context(output()))
        await stage.worker.until_started()
        await cleanup.enter_async_context(_web(stage.redis.url, stage.app.store))
        await _feed(stage.redis.url, stop)


@asynccontextmanager
async def _web(redis_url: str, folder: Path) -> AsyncIterator[None]:
    """Run the real `web.py`, and print its address and a token."""
    secret, token = tokens.make("demo", may_write=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROJECT / "web.py")),
        cwd=folder,
        env={"REDIS_URL": redis_url, "API_TOKENS": tokens.entry(token), "PORT": str(port), "LOG_LEVEL": "warning"},
    )
    try:
        await _until_it_listens(process, port)
        say(f"\nhttp://127.0.0.1:{port}/admin/queues\ntoken: {secret}\nCtrl-C stops it\n")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None:
                msg = "the web process has ended; see its lines above"
                raise DemoError(msg) from None
            await asyncio.sleep(EVERY)
        else:
            writer.close()
            return


async def _feed(url: str, stop: asyncio.Event) -> None:
    """Enqueue on both wires in turn until `stop` is set: redis-py may swallow a cancellation."""
    plan = Plan.draw()
    (push, image, _), (other, invalid) = plan.by_bullmq(), plan.by_rq()
    with redis.Redis.from_url(url) as connection:
        for number in itertools.count(1):
            if stop.is_set():
                return
            await _by_bullmq(url, MISSING if number % RARE == 0 else image if number % 4 == 0 else push)
            await asyncio.to_thread(_by_rq, connection, invalid if number % RARE == RARE // 2 else other)
            await asyncio.sleep(EVERY)


async def _by_bullmq(url: str, job: NewJob) -> None:
    queue = BullQueue(job.queue, {"connection": url})
    await queue.add(job.name, job.data)
    await queue.close()


def _by_rq(connection: redis.Redis, job: NewJob) -> None:
    RQQueue(job.queue, connection=connection, serializer="json").enqueue(job.name, job.data)


def main() -> int:
    """Serve. Returns the exit status."""
    try:
        asyncio.run(serve())
    except DemoError as error:
        say(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
