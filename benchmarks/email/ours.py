"""Our mailer: `python -m benchmarks.email.ours <port> <mails> <connections> <file>`, as peer.mjs."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from processors.email.mail import Mail
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.server import Server, Tls
from queue_lib.broker.board import MemoryBoard


async def main(port: str, count: str, connections: str, path: str) -> None:
    """Send them, all at once, after some to warm up."""
    mailer = SmtpMailer(Server("127.0.0.1", int(port), Tls.NEVER), int(connections))
    mail = Mail("<1@example.com>", "app@example.com", ("ann@example.com",), Path(path).read_bytes())  # noqa: ASYNC240
    board = MemoryBoard()

    async def note() -> None:
        """A note would be a command to Redis; Nodemailer has none."""

    async def send(mails: int) -> None:
        await asyncio.gather(*(mailer.send(mail, note, board) for _ in range(mails)))

    await send(int(connections) * 10)
    began, cpu = time.perf_counter(), time.process_time()
    await send(int(count))
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}))
    await mailer.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
