"""The floor: pushes a second of encryption alone and of HTTPS alone, in one process."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time

import aiohttp

from benchmarks.push_fanout.stage import PAYLOAD, _device
from processors.push.delivery import Message
from processors.push.encrypt import encrypt
from storage.ports import Subscription

PUSHES, IN_FLIGHT = 10_000, 50


def crypto(*, is_batch: bool) -> float:
    """Encryptions a second: of a batch, by our own code; else by pywebpush."""
    rows = [Subscription("1", "1", "https://localhost/", *_device()) for _ in range(100)]
    message = Message(json.dumps(PAYLOAD).encode(), ttl=60, urgency="normal", is_batch=is_batch)
    since = time.perf_counter()
    for number in range(PUSHES):
        encrypt(rows[number % len(rows)], message)
    return PUSHES / (time.perf_counter() - since)


async def posts(endpoint: str, certificate: str) -> float:
    """HTTPS posts a second."""
    body, waiting = os.urandom(400), iter(range(PUSHES))
    context = ssl.create_default_context(cafile=certificate)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=IN_FLIGHT)) as session:

        async def work() -> None:
            for number in waiting:
                async with session.post(f"{endpoint}/floor/{number}", data=body) as answer:
                    await answer.read()

        since = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        return PUSHES / (time.perf_counter() - since)


if __name__ == "__main__":
    figures = {
        "batch": crypto(is_batch=True),
        "pywebpush": crypto(is_batch=False),
        "posts": asyncio.run(posts(*sys.argv[1:3])),
    }
    print(json.dumps(figures), file=sys.stderr)
