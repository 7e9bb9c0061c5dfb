"""`python web.py` beside `python worker.py`: a client has its jobs done over HTTP alone."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from redis import Redis

from queue_lib.web import tokens
from queue_lib.web.api import watch
from tests.support.polling import BUSY, PATIENCE
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from tests.support.app import App

WEB = Path(__file__).parents[2] / "web.py"
FUZZING = 1200  # seconds, on a machine that is busy with other tests
SECRET, TOKEN = tokens.make("next-app", may_write=True)


def web(app: App, **env: str) -> tuple[WorkerProcess, str]:
    """The web process of an app, and its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"REDIS_URL": app.env["REDIS_URL"], "API_TOKENS": tokens.entry(TOKEN), "PORT": str(port)}
    return WorkerProcess({**own, **env}, app.folder, WEB), f"http://127.0.0.1:{port}"


async def until(client: httpx.AsyncClient, path: str, **expected: Any) -> dict[str, Any]:
    """Ask until the answer has these fields, for 20 seconds at most."""
    deadline = time.monotonic() + 20
    while True:
        answer = await client.get(path)
        body: dict[str, Any] = answer.json()
        if expected.items() <= body.items():
            return body
        assert time.monotonic() < deadline, body
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_an_image_by_way_of_the_api(app: App, wire: str) -> None:
    """Submitted, done, and its result read, over HTTP alone; then both processes end when they are told to."""
    key = app.upload("cm1")
    process, url = web(app)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with app.worker(), process, httpx.AsyncClient(base_url=url, headers=headers) as client:
        await until(client, "/readyz", outcome="ready")
        data = {"fileId": "cm1", "filePath": key, "userId": "u1"}
        body = {"name": "process-image", "data": data, "options": {"wire": wire}}
        submitted = await client.post("/queue/jobs", json=body, headers={"Idempotency-Key": "cm1"})
        job = await until(client, submitted.headers["location"], state="completed")
        status, _ = await process.terminate(10.0)

    assert job["result"]["compressedUrl"].endswith("/store/cm1-compressed.png")
    assert (1, wire) == (job["attemptsMade"], job["wire"])
    assert job["finishedAt"] >= job["enqueuedAt"] > 1_700_000_000_000
    assert status in {0, -15}


async def test_a_dead_letter_by_way_of_the_api(app: App) -> None:
    """A job fails for good, is replayed, fails again, is retried, fails once more, and its dead letter is dropped."""
    process, url = web(app)
    headers = {"Authorization": f"Bearer {SECRET}"}
    data = {"fileId": "cm1", "filePath": "uploads/none.jpg", "userId": "u1"}
    async with app.worker() as worker, process, httpx.AsyncClient(base_url=url, headers=headers) as client:
        await until(client, "/readyz", outcome="ready")
        body = {"name": "process-image", "data": data, "options": {"jobId": "mine"}}
        where = (await client.post("/queue/jobs", json=body)).headers["location"]
        await worker.logged("job_dead", 1)
        [letter] = (await client.get("/queue/dead-letters")).json()
        whole = (await client.get(f"/queue/dead-letters/{letter['letterId']}")).json()
        replayed = await client.post(f"/queue/dead-letters/{letter['letterId']}/replay")
        await worker.logged("job_dead", 2)
        retried = await client.post(where.replace("?", "/retry?"))
        await worker.logged("job_dead", 3)
        job = await until(client, where, state="failed")
        dropped = await client.delete(f"/queue/dead-letters/{letter['letterId']}")
    [action] = process.lines("letter_replayed")

    assert (None, "", data) == (letter["data"], letter["stack"], whole["data"])
    assert "no file has its fileId" == whole["reason"]
    assert {"outcome": "retried"} == replayed.json() == retried.json()
    assert (1, True) == (job["attemptsMade"], "PermanentError" in job["stack"])
    assert {"outcome": "dropped"} == dropped.json()
    assert ("next-app", "mine") == (action["by"], action["id"])
    assert SECRET not in process.stdout + process.stderr


async def test_results_and_progress_are_waited_for(app: App) -> None:
    """One client waits in one request; another reads events as they come, and has left by the end."""
    process, url = web(app)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with process, httpx.AsyncClient(base_url=url, headers=headers, timeout=40) as client:
        await until(client, "/readyz", outcome="ready")
        data = {"fileId": "cm1", "filePath": app.upload("cm1"), "userId": "u1"}
        where = (await client.post("/queue/jobs", json={"name": "process-image", "data": data})).headers["location"]
        waiting = asyncio.create_task(client.get(f"{where}&wait=25"))
        async with client.stream("GET", where.replace("?", "/events?")) as stream:
            lines = stream.aiter_lines()
            first = [await anext(lines) for _ in range(5)]
            async with app.worker():
                rest = [line async for line in lines]
        job = (await waiting).json()
        async with client.stream("GET", (await held(client)).replace("?", "/events?")) as endless:
            assert 200 == endless.status_code
            status, seconds = await process.terminate(10.0)

    assert ["retry: 1000", "event: progress"] == [first[0], first[3]]
    assert "event: completed" in rest
    assert '"state":"completed"' in rest[-2]
    assert ("completed", 1) == (job["state"], job["attemptsMade"])
    assert job["worker"]
    assert (True, True) == (status in {0, -15}, seconds < 3)


async def held(client: httpx.AsyncClient) -> str:
    """A job that will not end soon."""
    body = {"name": "process-image", "data": {"fileId": "x", "filePath": "x", "userId": "u"}}
    return str((await client.post("/queue/jobs", json=body | {"options": {"delay": 60_000}})).headers["location"])


async def test_clients_that_go_away_leave_nothing_behind(app: App) -> None:
    """A hundred clients that hang up are not watched for any more."""
    process, url = web(app)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with process, httpx.AsyncClient(base_url=url, headers=headers, timeout=40) as client:
        await until(client, "/readyz", outcome="ready")
        where = await held(client)
        for path in [f"{where}&wait=25", where.replace("?", "/events?")] * 50:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n\r\n"
            writer.write(request.encode())
            await writer.drain()
            if "events" in path:
                await reader.readline()
            writer.close()
        await asyncio.sleep(2 * watch.PATIENCE)
        with Redis.from_url(app.env["REDIS_URL"]) as server:
            before = server.info("stats")["total_commands_processed"]
            await asyncio.sleep(1)
            spent = server.info("stats")["total_commands_processed"] - before

    assert spent < 3 + BUSY
    assert [] == process.lines("api_fault")


@pytest.mark.parametrize(
    ("phases", "examples"),
    [("examples,fuzzing", "3"), pytest.param("examples,coverage,fuzzing,stateful", "15", marks=pytest.mark.matrix)],
    ids=["some", "all"],
)
async def test_the_openapi_document_is_true(app: App, phases: str, examples: str) -> None:
    """Requests made from the document, valid or not, get no server fault, and only answers that it names."""
    process, url = web(app, API_RATE="1000000")
    conformance = "status_code_conformance,content_type_conformance,response_schema_conformance"
    options = {
        "-H": f"Authorization: Bearer {SECRET}",
        "--checks": f"not_a_server_error,ignored_auth,{conformance}",
        "--phases": phases,
        "--max-examples": examples,
        "--seed": "1",
        "--exclude-path": "/queue/jobs/{job_id}/events",  # it may last five minutes
    }
    async with process:
        fuzzer = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--no-color"),
            *(word for option in options.items() for word in option),
            cwd=app.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await asyncio.wait_for(fuzzer.communicate(), FUZZING)
    assert 0 == fuzzer.returncode, told.decode()
    counts = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", told.decode())
    assert counts, told.decode()
    selected, there, tested = map(int, counts.groups())
    assert there - 1 == selected == tested
    assert [] == process.lines("api_fault")


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"API_TOKENS": ""}, "API_TOKENS: not set, and required"),
        ({"API_TOKENS": SECRET}, "API_TOKENS: an entry is not of the form"),
        ({"REDIS_URL": ""}, "REDIS_URL: not set"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "REDIS_URL: "),
        ({"PORT": "http"}, "PORT: "),
    ],
)
async def test_faults_at_the_start_are_named(app: App, env: dict[str, str], reason: str) -> None:
    """In one line, with status 1, and without the token."""
    process, _ = web(app, **env)
    await process.start()
    try:
        status = await process.wait(PATIENCE)
    finally:
        await process.kill()

    assert 1 == status
    assert reason in process.stderr
    assert "Traceback" not in process.stderr
    assert SECRET not in process.stderr


async def test_a_port_that_is_taken(app: App) -> None:
    """It is a fault of PORT, in one line beside the others, before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process, _ = web(app, PORT=str(port), REDIS_URL="redis://127.0.0.1:1")
        await process.start()
        status = await asyncio.wait_for(process.process.wait(), 20)
        await process.kill()

    redis, listening = process.stderr.splitlines()
    assert (1, True) == (status, redis.startswith("REDIS_URL: can't reach Redis"))
    assert f"PORT: can't listen on port {port} (Address already in use); set it to one that is free" == listening
