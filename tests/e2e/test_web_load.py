"""What many clients cost the web process, above all those without a token: while they are there, and afterwards."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from queue_lib.web import tokens
from queue_lib.web.body_limit import LARGEST, MOST_BYTES
from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.polling import PATIENCE, until
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.worker_process import WorkerProcess

SECRET, TOKEN = tokens.make("app", may_write=True)
AUTHORIZATION = f"Authorization: Bearer {SECRET}\r\n"
JSON = "Content-Type: application/json\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://web\r\n"
CLIENTS = 150
HALF = LARGEST // 2  # bytes; CLIENTS of them are 300 MiB
STREAMS = 450  # of the 500 clients that may wait
MIB = 1024 * 1024
RESET = 0  # in place of a status
SPARE = 48 * MIB  # for what 450 connections cost, and for what the allocator keeps

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def web(redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[WorkerProcess, int]]:
    """The web process and its port, once it has answered."""
    process, url = web_process(redis_url, tmp_path, TOKEN)
    port = int(url.rsplit(":", 1)[1])
    async with process, clients(port, 1) as [client]:
        assert 200 == await status(client, head("GET", "/readyz"))
        yield process, port


@asynccontextmanager
async def clients(port: int, count: int) -> AsyncIterator[list[Client]]:
    """Open this many connections, and close them at the end."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


def head(method: str, path: str, *headers: str) -> bytes:
    """The head of a request."""
    return f"{method} {path} HTTP/1.1\r\nHost: web\r\n{''.join(headers)}\r\n".encode()


async def status(client: Client, request: bytes) -> int:
    """Send it; returns the status of the answer, or RESET: who still sends when the server is done may not see it."""
    reader, writer = client
    try:
        writer.write(request)
        await writer.drain()
        return int((await reader.readline()).split()[1])
    except ConnectionError:
        return RESET


def memory(process: WorkerProcess) -> int:
    """The process's memory in bytes."""
    return int(psutil.Process(process.pid).memory_info().rss)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/queue/jobs", JSON, 401),
        ("/queue/jobs/batch", JSON, 401),
        (f"{PREFIX}/login", FORM, 413),
        (f"{PREFIX}/queue/file-processing/pause", FORM, 303),
    ],
)
async def test_bodies_without_a_token_are_not_kept(
    web: tuple[WorkerProcess, int], path: str, headers: str, expected: int
) -> None:
    """150 clients send half of four megabytes: each has its answer, and the process has not grown by the bodies."""
    process, port = web
    before = memory(process)
    start = head("POST", path, headers, f"Content-Length: {LARGEST}\r\n")
    async with clients(port, CLIENTS) as opened:
        told = await asyncio.gather(*(status(client, start + bytes(HALF)) for client in opened))
        grown = memory(process) - before

    assert {expected} <= set(told) <= {expected, 503, RESET}  # 503: so many strangers are let sign in at once
    assert grown < SPARE
    assert [] == process.lines("api_fault")


async def test_the_bodies_of_clients_are_bounded(web: tuple[WorkerProcess, int]) -> None:
    """150 with a token send half a body: the process holds 32 MiB, answers 'come back' to the rest, and lives."""
    process, port = web
    before = memory(process)
    start = head("POST", "/queue/jobs", JSON, AUTHORIZATION, f"Content-Length: {LARGEST}\r\n")
    async with clients(port, CLIENTS) as opened, clients(port, 1) as [other]:
        sending = [asyncio.create_task(status(client, start + bytes(HALF))) for client in opened]
        await until(lambda: sum(task.done() for task in sending) >= CLIENTS - MOST_BYTES // HALF)
        grown = memory(process) - before
        alive = await status(other, head("GET", "/healthz"))
        told = {task.result() for task in sending if task.done()}
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)

    assert {503} <= told <= {503, 408, RESET}  # 408: on a slow machine a body takes longer than it may
    assert grown < 2 * MOST_BYTES + SPARE
    assert 200 == alive


async def test_clients_that_wait_leave_no_memory_behind(web: tuple[WorkerProcess, int]) -> None:
    """450 event streams, three times over: their memory is given back, and the next ones use no more."""
    process, port = web
    before = memory(process)
    where = await held_job(port)
    files = psutil.Process(process.pid).num_fds()
    for _ in range(3):
        async with clients(port, STREAMS) as opened:
            told = await asyncio.gather(*(status(client, head("GET", where, AUTHORIZATION)) for client in opened))
            assert {200} == set(told)
        # They are noticed to be gone; what is left are connections to Redis.
        await until(lambda: psutil.Process(process.pid).num_fds() < files + 10)

    await until(lambda: memory(process) - before < SPARE, why=lambda: memory(process) - before)


async def held_job(port: int) -> str:
    """The path of the events of a job that will not end soon."""
    upload = {"fileId": "x", "filePath": "x", "userId": "u"}
    data = json.dumps({"name": "process-image", "data": upload, "options": {"delay": 60_000}}).encode()
    async with clients(port, 1) as [client]:
        start = head("POST", "/queue/jobs", JSON, AUTHORIZATION, f"Content-Length: {len(data)}\r\n")
        assert 202 == await status(client, start + data)
        while not (line := await client[0].readline()).lower().startswith(b"location: "):
            assert line.strip()
    return line.decode().split()[1].replace("?", "/events?")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_amid_its_clients(web: tuple[WorkerProcess, int], number: signal.Signals) -> None:
    """Streams, long polls, scrapes and half requests: no stack trace is logged, and none is waited for."""
    process, port = web
    where = await held_job(port)
    async with clients(port, 40) as opened:
        for place, (_, writer) in enumerate(opened):
            requests = [
                head("GET", where, AUTHORIZATION),
                head("GET", f"{where.replace('/events', '')}&wait=25", AUTHORIZATION),
                head("GET", "/metrics", AUTHORIZATION),
                head("GET", "/healthz")[:-4],
            ]
            writer.write(requests[place % len(requests)])
        await opened[0][0].readline()
        process.signal(number)
        ended = await process.wait(PATIENCE)

    assert ended in {0, -number}
    assert "" == process.stderr
    assert not {"error", "warning"} & {line["level"] for line in process.log if line["event"] != "redis_may_forget"}
