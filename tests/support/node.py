"""The stock Node bullmq package, driven from Python: the app's side of the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

SCRIPTS = Path(__file__).parents[1] / "node"
# The majors of bullmq that apps may have, each with its packages.
KITS = {"bullmq5": SCRIPTS / "bullmq5", "bullmq6": SCRIPTS}
NEXT = SCRIPTS.parent / "next"  # what a Next.js app has, with bullmq 6 and the newest ioredis
FOLDER = "NODE_KIT"  # the variable in which the scripts find the major that a test is run with
STOCK = "stock"  # the queue of the Node worker that is the yardstick


class NodeError(Exception):
    """An operation was refused, or Node itself failed. `results` are those of the operations before it."""

    def __init__(self, message: str, results: Sequence[Any], stderr: str) -> None:
        """Show what Node wrote to stderr below the message."""
        super().__init__(f"{message}\n{stderr}".rstrip())
        self.message = message
        self.results = results


async def node(
    url: str,
    *operations: Sequence[Any],
    prefix: str = "bull",
    cluster: bool = False,
    timeout: float = 30.0,  # noqa: ASYNC109 -- the child has to be ended with it
) -> list[Any]:
    """Perform `operations` in one run of tests/node/producer.mjs and return their results, in order.

    An operation is (method, queue, *arguments); the script's head and its table of methods say which there are:

        job, result = await node(
            redis_url,
            ("add", "push-notifications", "push-notification", payload, {"attempts": 3}),
            ("waitUntilFinished", "push-notifications", None, 5000),
        )

    In a `cluster` the URL is that of one node. Raises NodeError where bullmq does, and TimeoutError after `timeout`
    seconds.
    """
    request = [{"url": url, "prefix": prefix, "cluster": cluster}, *operations]
    process = await _start("producer.mjs")
    deadline = asyncio.get_running_loop().call_later(timeout, process.kill)
    try:
        stdout, stderr = await process.communicate("".join(map(_line, request)).encode())
    finally:
        deadline.cancel()
        if process.returncode is None:
            process.kill()
    if process.returncode == -signal.SIGKILL:
        msg = f"Node did not finish in {timeout} s; it had written:\n{stdout.decode()}{stderr.decode()}"
        raise TimeoutError(msg)
    return _results(stdout.decode(), stderr.decode(), len(operations))


def _line(value: Any) -> str:
    return json.dumps(value) + "\n"


class Session:
    """A run of tests/node/producer.mjs that gets operations one by one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """`process` has its first line."""
        self._process = process

    async def __call__(self, *operation: Any) -> Any:
        """Perform one operation. Raises NodeError."""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None
        assert writer is not None
        writer.write(_line(operation).encode())
        async with asyncio.timeout(PATIENCE):
            answer = await reader.readline()
        return _results(answer.decode(), "", 1)[0]


@contextlib.asynccontextmanager
async def node_session(url: str, kit: str, prefix: str = "bull") -> AsyncIterator[Session]:
    """Operations one by one, with the major of bullmq that `kit` names."""
    process = await _start("producer.mjs", kit=KITS[kit])
    assert process.stdin is not None
    try:
        process.stdin.write(_line({"url": url, "prefix": prefix}).encode())
        yield Session(process)
        async with asyncio.timeout(PATIENCE):
            await process.communicate(b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@contextlib.asynccontextmanager
async def node_worker(url: str, queue: str, *, prefix: str = "bull", **options: Any) -> AsyncIterator[None]:
    """Run a stock Node worker (tests/node/worker.mjs) with bullmq's own `options`; it is closed gracefully."""
    async with _serving("worker.mjs", url, prefix, queue, json.dumps(options)):
        yield


@contextlib.asynccontextmanager
async def bull_board(url: str, *queues: str, prefix: str = "bull") -> AsyncIterator[str]:
    """Run Bull Board (tests/node/board.mjs) over these queues; yields its address."""
    async with _serving("board.mjs", url, prefix, *queues) as (port, _):
        yield f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def node_mailbox(certificate: Path, key: Path) -> AsyncIterator[tuple[int, Callable[[], Awaitable[Any]]]]:
    """Run Nodemailer's mail server (tests/node/mailbox.mjs); yields its port, and what waits for the next mail."""
    async with _serving("mailbox.mjs", str(certificate), str(key)) as (port, lines):

        async def next_mail() -> Any:
            async with asyncio.timeout(PATIENCE):
                return json.loads(await lines.readline())

        yield int(port), next_mail


@contextlib.asynccontextmanager
async def _serving(script: str, *arguments: str) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    """Run a script that prints one line when it serves, and ends when its input does. Yields it, and what follows."""
    process = await _start(script, *arguments)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            began = await process.stdout.readline()
        if not began:
            _, stderr = await process.communicate(b"")
            msg = f"{script} did not start"
            raise NodeError(msg, [], stderr.decode())
        yield began.decode().strip(), process.stdout
        async with asyncio.timeout(PATIENCE):
            await process.communicate(b"")  # the end of its input makes it close
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _start(script: str, *arguments: str, kit: Path | None = None) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    env = {**os.environ, **({FOLDER: str(kit)} if kit else {})}  # noqa: TID251 -- the child's, with one more
    return await asyncio.create_subprocess_exec(
        "node", SCRIPTS / script, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=env
    )


def _results(stdout: str, stderr: str, expected: int) -> list[Any]:
    results: list[Any] = []
    for line in map(json.loads, stdout.split("\n")[:-1]):  # not splitlines: JSON may have U+2028
        if "error" in line:
            raise NodeError(line["error"], results, stderr)
        results.append(line["result"])
    if len(results) != expected:
        msg = "Node ended early"
        raise NodeError(msg, results, stderr)
    return results


@pytest.fixture(params=sorted(KITS))
def node_modules(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Node and the packages of each kit in turn. Without them a test is skipped at home and fails in CI."""
    return use(request.param, monkeypatch)


def use(kit: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the test run with this kit; returns the folder of its packages."""
    require(kit)
    monkeypatch.setenv(FOLDER, str(KITS[kit]))
    return KITS[kit] / "node_modules"


def require(kit: str) -> None:
    """Skip the test, or let it fail in CI, if a kit is not installed."""
    folder = NEXT if kit == "next" else KITS[kit]
    if shutil.which("node") is None:
        _missing("node is not installed")
    if not (folder / "node_modules" / "bullmq").is_dir():
        _missing(f"{folder}/node_modules is not installed; `make setup` does it")


def _missing(reason: str) -> None:
    if os.environ.get("CI"):  # noqa: TID251 -- whether this is CI is no setting of the worker's
        pytest.fail(reason)
    pytest.skip(reason)
