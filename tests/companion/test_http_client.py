"""`pushmill/http` against the real `web.py` and worker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from queue_lib.web import tokens
from tests.support.polling import PATIENCE
from tests.support.ports import free_port
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.node_app import NodeApp

SECRET, TOKEN = tokens.make("next-app", may_write=True)
VIEWER, READ_ONLY = tokens.make("viewer", may_write=False)
pytestmark = pytest.mark.matrix  # too slow for `make test`; tests of the package with Node alone show the most of it
OPEN = """
import { createClient } from "pushmill/http";
const client = (token = process.env.TOKEN) => createClient({ url: process.env.URL, token });
const queue = client();
const fault = (error) => [error.name, error.status ?? null, error.detail ?? error.message];
const all = async (events, each = () => {}) => {
  const got = [];
  for await (const event of events) {
    got.push(event);
    each(event);
  }
  return got;
};
"""
IMAGE = {"fileId": "file-1", "filePath": "uploads/file-1.png", "userId": "user-1"}
GIVEN = f"const IMAGE = {json.dumps(IMAGE)};\n"


@pytest.mark.parametrize("wire", ["bullmq", pytest.param("rq", marks=pytest.mark.matrix)])
async def test_a_job_by_way_of_the_client(app: App, newest_app: NodeApp, wire: str) -> None:
    """Submitted twice with a key, followed, waited for, and looked at; on both wires."""
    app.upload("file-1")
    process, url = web_process(app.env["REDIS_URL"], app.folder, TOKEN)
    body = """
        const options = { idempotencyKey: "file-1", wire: process.env.WIRE, attempts: 2 };
        const jobs = [await queue.submit("process-image", IMAGE, options)];
        jobs.push(await queue.submit("process-image", IMAGE, options));
        print(jobs);
        const [job] = jobs;
        print((await all(queue.events(job))).at(-1));
        print(await queue.wait(job));
        print(await queue.status(job));
        print((await all(queue.events({ id: job.id, queue: job.queue }))).map(({ type }) => type));
    """
    async with app.worker(), process:
        jobs, last, result, status, again = await newest_app.run(OPEN + GIVEN + body, URL=url, TOKEN=SECRET, WIRE=wire)
    assert jobs[0] == jobs[1]
    assert {"queue": "file-processing", "wire": wire} == {name: jobs[0][name] for name in ("queue", "wire")}
    assert ("completed", 640) == (last["type"], result["width"])
    assert result == last["job"]["result"] == status["result"]
    assert (IMAGE, "completed") == (status["data"], status["state"])
    assert ["completed"] == again


async def test_faults_have_what_the_api_says(app: App, newest_app: NodeApp) -> None:
    """A bad payload, a bad batch, no token, a token that may only read, jobs that are not there or did not fail."""
    process, url = web_process(app.env["REDIS_URL"], app.folder, TOKEN, READ_ONLY)
    body = """
        print(await queue.submit("process-image", { fileId: 1 }).catch(fault));
        const jobs = [{ name: "process-image", data: IMAGE }, { name: "process-image", data: {} }];
        print(await queue.submitBatch(jobs).catch(({ status, errors }) => [status, errors.map(({ field }) => field)]));
        print(await client("wrong").status({ id: "1", queue: "file-processing" }).catch(fault));
        print(await client(process.env.VIEWER).submit("process-image", IMAGE).catch(fault));
        for (const id of ["nothing", "../..", "meta"]) print(await queue.status({ id, queue: "file-processing" }));
        print(await queue.status({ id: "1", queue: "nobodys" }));
        const [job] = await queue.submitBatch([jobs[0]]);
        print(await queue.retry(job).catch(fault));
        print(await queue.wait(job, { timeout: 100 }).catch((error) => error.name));
        print(await queue.wait({ ...job, id: "nothing" }).catch(fault));
        print(await all(queue.events({ ...job, id: "nothing" })));
    """
    async with process:
        said = await newest_app.run(OPEN + GIVEN + body, URL=url, TOKEN=SECRET, VIEWER=VIEWER)
    [payload, batch, wrong, viewer, *nothing, retried, late, gone, events] = said
    assert ["PushmillError", 422] == payload[:2]
    assert "process-image" in payload[2]
    assert [422, ["body.jobs.1"]] == batch
    assert (["PushmillError", 401], ["PushmillError", 403]) == (wrong[:2], viewer[:2])
    assert [None] * 4 == nothing
    assert ["PushmillError", 409, "the job is waiting, not failed"] == retried
    assert "TimeoutError" == late
    assert ["JobFailedError", None, "job nothing was removed"] == gone
    assert ["gone"] == [event["type"] for event in events]


async def test_a_failed_job_is_told_and_tried_again(app: App, newest_app: NodeApp) -> None:
    """Its reason comes by every way, and a retry runs it."""
    app.sql('INSERT INTO "File" ("id", "name") VALUES (?, ?)', "file-1", "missing")
    process, url = web_process(app.env["REDIS_URL"], app.folder, TOKEN)
    async with app.worker(), process:
        [job, waited, last, seen] = await newest_app.run(
            OPEN
            + GIVEN
            + """
            const job = await queue.submit("process-image", IMAGE);
            print(job);
            print(await queue.wait(job).catch(fault));
            print((await all(queue.events(job))).at(-1));
            print(await queue.status(job));
            """,
            URL=url,
            TOKEN=SECRET,
        )
        app.sql('DELETE FROM "File"')
        app.upload("file-1")
        [width] = await newest_app.run(
            OPEN + f"const job = {json.dumps(job)}; await queue.retry(job); print((await queue.wait(job)).width);",
            URL=url,
            TOKEN=SECRET,
        )
    assert ["JobFailedError", None, seen["reason"]] == waited
    assert ("failed", seen["reason"]) == (last["type"], last["job"]["reason"])
    assert 640 == width


async def test_events_go_on_when_the_web_process_is_restarted(app: App, newest_app: NodeApp) -> None:
    """While a client follows a job, its server is killed and started again."""
    app.upload("file-1")
    port = str(free_port())
    first, url = web_process(app.env["REDIS_URL"], app.folder, TOKEN, PORT=port)
    second, _ = web_process(app.env["REDIS_URL"], app.folder, TOKEN, PORT=port)
    url = f"http://127.0.0.1:{port}"
    body = """
        const job = await queue.submit("process-image", IMAGE);
        print((await all(queue.events(job), ({ type }) => print(type))).at(-1));
    """
    async with first:
        follower = await newest_app.start(OPEN + GIVEN + body, URL=url, TOKEN=SECRET)
        try:
            assert follower.stdout is not None
            async with asyncio.timeout(2 * PATIENCE):
                assert b'"progress"\n' == await follower.stdout.readline()
                await first.kill()
                async with second, app.worker():
                    out, err = await follower.communicate(b"")
        finally:
            if follower.returncode is None:
                follower.kill()
    assert b"" == err
    assert "completed" == json.loads(out.splitlines()[-1])["type"]
