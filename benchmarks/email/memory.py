"""`python -m benchmarks.email.memory`: the greatest memory of a worker with five mails of 7 MiB and a push fan-out.

The worker serves all features with their defaults. Its memory is that of the process and its children, shared pages
counted once. Fails above 450 MB.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
from bullmq import Queue

from demo.app import App
from embedded.push_service import SUBJECT, PushService
from embedded.redis_server import RedisServer
from embedded.smtp_server import SmtpServer
from queue_lib.observe import memory
from scripts.generate_vapid_keys import make_pair
from tests.support.worker_process import WorkerProcess

MOST = 450_000_000  # bytes
MAILS, SIZE = 5, 7 * 1024 * 1024
DEVICES = 5_000
EVERY = 0.05  # seconds between two looks
PATIENCE = 300.0  # seconds


async def main() -> int:
    """Measure; returns the exit status."""
    async with AsyncExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        redis = cleanup.enter_context(RedisServer())
        private_key, public_key = make_pair()
        push, mail = PushService(public_key), SmtpServer()
        for server in (push, mail):
            await server.start()
            cleanup.push_async_callback(server.stop)
        app = App(folder / "app.db", folder / "store")
        app.subscribe([push.subscribe(f"user-{number}") for number in range(DEVICES)])
        for number in range(MAILS):
            (app.store / f"{number}.pdf").write_bytes(b"%PDF-1.7\n" + os.urandom(SIZE - 9))
        env = {
            "PATH": os.defpath,
            "REDIS_URL": redis.url,
            "DATABASE_URL": "sqlite:///app.db",
            "STORAGE_URL": app.store.as_uri(),
            "VAPID_PRIVATE_KEY": private_key,
            "VAPID_PUBLIC_KEY": public_key,
            "VAPID_SUBJECT": SUBJECT,
            "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
            "SMTP_URL": f"smtp://127.0.0.1:{mail.port}",
            "MAIL_FROM": "app@example.com",
        }
        worker = await cleanup.enter_async_context(WorkerProcess(env, folder))

        idle = await _of(worker.pid)
        await _enqueue(redis.url)
        most = 0
        async with asyncio.timeout(PATIENCE):
            while len(mail.received) < MAILS or len(push.received) < DEVICES:
                most = max(most, await _of(worker.pid))
                await asyncio.sleep(EVERY)
    print(f"idle {idle / 1e6:.0f} MB, at most {most / 1e6:.0f} MB of {MOST / 1e6:.0f}")
    return 0 if most <= MOST else 1


async def _enqueue(url: str) -> None:
    """The pushes first, so that the mails come while they are under way."""
    pushes, mails = (Queue(name, {"connection": url}) for name in ("push-notifications", "email"))
    await pushes.add("push-batch", {"all": True, "payload": {"title": "Hello", "body": "all"}})
    for number in range(MAILS):
        attachment = {"path": f"{number}.pdf", "filename": "invoice.pdf"}
        data = {"to": "ada@example.com", "subject": "Yours", "text": "Here.", "attachments": [attachment]}
        await mails.add("generic", data)
    await pushes.close()
    await mails.close()


async def _of(pid: int) -> int:
    """Bytes of the process and its children."""

    def look() -> int:
        process = psutil.Process(pid)
        return sum(map(memory.of, [process, *process.children(recursive=True)]))

    return await asyncio.to_thread(look)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
