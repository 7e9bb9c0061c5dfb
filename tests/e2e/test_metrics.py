"""A worker with a port: its metrics, and its answers about its health."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from queue_lib import VERSION
from queue_lib.web import tokens
from tests.support.api_client import FULL, SECRET
from tests.support.exposition import Exposition
from tests.support.forked import fork
from tests.support.polling import PATIENCE, until
from tests.support.ports import free_port
from tests.support.push_service import Answer, PushService
from tests.support.redis_server import RedisServer
from tests.support.web_process import web_process
from tests.support.wires import Mess
from tests.support.worker_process import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.app import App

PUSH = {"userId": "user-1", "payload": {"title": "Ada", "body": "Are you there?"}}
PUSHES, FILES = "push-notifications", "file-processing"


async def ask(port: int, path: str) -> httpx.Response:
    """Request a path of the worker."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        return await client.get(path)


@pytest.fixture
async def read(app: App, push_service: PushService) -> Exposition:
    """The metrics of a worker after seven jobs on both wires, of which three are good."""
    port = free_port()
    rows = [push_service.subscribe() for _ in range(2)]
    for row in rows:
        app.subscribe(row)
    push_service.answer(rows[1], Answer(410))
    image = {"fileId": "f1", "filePath": app.upload("f1"), "userId": "u1"}
    async with Mess.at(app.env["REDIS_URL"], app.folder) as mess, app.worker(METRICS_PORT=str(port)) as worker:
        await mess.bullmq("process-image", image, queue=FILES)
        await worker.logged("job_done", 1)
        mess.rq("process-image", image, queue=FILES)
        await mess.bullmq("push-notification", PUSH)
        mess.rq("no-such-job", PUSH)
        await mess.bullmq("y" * 5000, PUSH)
        await worker.logged("job_done", 3)
        await worker.logged("job_dead", 2)
        page = await ask(port, "/metrics")
        status, _ = await worker.terminate(8.0)
    assert (0, 200) == (status, page.status_code)
    assert "yyyy" not in page.text
    return Exposition(page.text)


async def test_a_workers_counters(read: Exposition, app: App) -> None:
    """Jobs of both wires, good and bad, are counted with their pushes and bytes, under bounded labels."""
    for wire in ("bullmq", "rq"):
        assert 1 == read("pushmill_jobs_total", queue=FILES, name="process-image", wire=wire, outcome="done")
        assert 1 == read("pushmill_jobs_total", queue=PUSHES, name="other", wire=wire, outcome="dead")
        assert 1 == read("pushmill_job_wait_seconds_count", queue=FILES, wire=wire)
    assert 0 <= read("pushmill_job_wait_seconds_sum") < 5
    assert 2 == read("pushmill_job_run_seconds_count", queue=FILES, name="process-image")
    assert 0 < read("pushmill_job_run_seconds_sum", queue=FILES) < 10
    for result in ("sent", "gone"):
        assert 1 == read("pushmill_push_results_total", name="push-notification", service="other", result=result)
    assert 1 == read("pushmill_push_pruned_total", name="push-notification")
    store = app.folder / "store"
    for direction, pattern in (("in", "uploads/*"), ("out", "f1-*")):
        size = sum(path.stat().st_size for path in store.glob(pattern))
        assert 2 * size == read("pushmill_media_bytes_total", name="process-image", direction=direction)


async def test_a_workers_state(read: Exposition) -> None:
    """It is ready, holds no job any more, and reports its memory and the delay of its loop."""
    assert (1, 1) == (read("pushmill_ready", queue=PUSHES), read("pushmill_ready", queue=FILES))
    assert 0 == read("pushmill_leases_held")
    servers = ("redis", "database", "database_writes", "storage", "disk")
    assert [1] * len(servers) == [read("pushmill_server_up", server=name) for name in servers]
    assert 50e6 < read("process_resident_memory_bytes") < 400e6
    assert 50e6 < read("pushmill_tree_memory_bytes") < 400e6
    assert read("pushmill_event_loop_lag_seconds_count") >= 0


async def test_it_is_ready_while_its_servers_answer(app: App) -> None:
    """While Redis or the store is away `/readyz` names loop and server, and `/healthz` still answers."""
    port = free_port()

    async def ready(status: int) -> dict[str, Any]:
        async def look() -> list[httpx.Response]:
            answer = await ask(port, "/readyz")
            return [answer] if answer.status_code == status else []

        answers: list[httpx.Response] = await until(look, 25.0)
        report: dict[str, Any] = answers[0].json()
        return report

    with RedisServer(appendonly=True) as server:
        async with app.worker(METRICS_PORT=str(port), REDIS_URL=server.url):
            well = await ready(200)
            server.stop()
            ill = await ready(503)
            alive = await ask(port, "/healthz")
            server.start()
            await ready(200)
            shutil.rmtree(app.folder / "store")
            (app.folder / "store").touch()
            without_store = await ready(503)

    assert {(wire, queue) for wire in ("bullmq", "rq") for queue in (PUSHES, FILES, "exports")} == {
        (loop["wire"], loop["queue"]) for loop in well["loops"]
    }
    servers = ("redis", "database", "database_writes", "export_database", "storage", "push_services", "disk")
    assert dict.fromkeys(servers) == well["servers"]
    assert any("Redis can't be reached, for" in (loop["trouble"] or "") for loop in ill["loops"])
    assert (200, {"outcome": "alive"}) == (alive.status_code, alive.json())
    assert "STORAGE_URL: there is no directory" in without_store["servers"]["storage"]


async def test_metrics_are_served_while_redis_hangs(app: App) -> None:
    """Within two seconds, by the worker and by the web process alike."""
    port = free_port()

    async def told(url: str) -> Exposition:
        async with httpx.AsyncClient(timeout=4.0) as client:  # two, and two more on a machine that is busy
            answer = await client.get(url, headers={"Authorization": f"Bearer {SECRET}"})
        return Exposition(answer.text)

    with RedisServer() as server, server_that_hangs(server) as hang:
        web, web_url = web_process(server.url, app.folder, FULL)
        async with app.worker(METRICS_PORT=str(port), REDIS_URL=server.url), web:
            worker_url = f"http://127.0.0.1:{port}/metrics"
            well = [await told(worker_url), await told(f"{web_url}/metrics")]
            hang()

            async def ill() -> list[Exposition]:
                pages = [await told(worker_url), await told(f"{web_url}/metrics")]
                return [] if pages[0]("pushmill_server_up", server="redis") else pages

            ill_pages: list[Exposition] = await until(ill, 60.0)

    assert (1, 1) == (well[0]("pushmill_server_up", server="redis"), well[1]("pushmill_redis_up"))
    assert 0 == ill_pages[0]("pushmill_ready", queue=PUSHES)


@contextlib.contextmanager
def server_that_hangs(server: RedisServer) -> Iterator[Callable[[], None]]:
    """Stop it as a machine that swaps would hang; it can be ended afterwards."""
    assert server._process is not None
    pid = server._process.pid
    try:
        yield partial(os.kill, pid, signal.SIGSTOP)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_port_that_is_taken(app: App) -> None:
    """The worker does not start, and names the variable to change."""
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with taken:
        port = taken.sockets[0].getsockname()[1]
        worker = app.worker(METRICS_PORT=str(port))
        await worker.start()
        try:
            assert 1 == await worker.wait(40.0)  # it takes one, but not on a machine that is busy
        finally:
            await worker.kill()
    assert f"METRICS_PORT: can't listen on 127.0.0.1:{port} (" in worker.stderr
    assert "Traceback" not in worker.stderr


@pytest.mark.parametrize("script", ["worker.py", "web.py"])
async def test_sentry_is_not_imported_by_default(script: str) -> None:
    """It is an extra: neither process imports what it does not use."""
    code = f"import sys, {script.removesuffix('.py')}; print('sentry_sdk' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert b"False" == out.strip()


@pytest.mark.parametrize("script", ["worker.py", "web.py"])
@pytest.mark.parametrize(
    ("word", "status", "text"),
    [
        ("--help", 0, b"environment variables"),
        ("--version", 0, f"Pushmill {VERSION}".encode()),
        ("--concurrency=5", 2, b"unrecognized arguments: --concurrency=5"),
    ],
)
async def test_arguments_start_nothing(script: str, word: str, status: int, text: bytes, app: App) -> None:
    """They are answered, and no process takes jobs."""
    env = {"API_TOKENS": tokens.entry(FULL), **app.env}
    process = await fork(PROJECT / script, word, env=env, folder=app.folder)
    async with asyncio.timeout(PATIENCE):
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        ended = await process.wait()

    assert status == ended
    assert text in out + err
