"""The worker's side of the sandbox. If a child crashes, only its own job fails."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import sys
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from processors.sandbox import kernel, shortage
from processors.sandbox.folders import Folders
from processors.sandbox.limits import MEBIBYTE, Limits
from processors.sandbox.memory_budget import MemoryBudget, Share
from processors.sandbox.protocol import one_line
from processors.sandbox.shortage import NoRoomError
from queue_lib.errors import FaultError, PermanentError, SnoozeError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    OnProgress = Callable[[float], Awaitable[None]]

PROJECT = Path(__file__).resolve().parents[2]  # where `python -m processors...` finds the modules
# A forked child has no memory of its own yet: large pages avoid thousands of page faults, 5 % of the time of an image.
# libvips would start a thread for each core, each with its own memory.
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "VIPS_CONCURRENCY": "1"}
LONGEST_MESSAGE = 2 * MEBIBYTE  # bytes; texts of documents are files, not messages
RETRY_IN = (20.0, 30.0)  # seconds until a task that got no memory tries again; memory_budget.RETURN is longer
PATIENCE = 10.0  # seconds to wait for the end of a killed child

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """Work for a child, in `folder`, which has its input and gets its results."""

    name: str
    folder: Path
    arguments: dict[str, Any]
    limits: Limits

    def request(self) -> bytes:
        """The request as the child reads it: a line of JSON."""
        limits = {"cpu": self.limits.cpu, "file": self.limits.file, "folder": str(self.folder)}
        return json.dumps({"task": self.name, "arguments": self.arguments, **limits}).encode() + b"\n"


class Sandbox:
    """Runs tasks in child processes. `env` is their whole environment: keep credentials out of it.

    Neither children nor other processes of the same user can read this process's environment and memory: see
    `kernel.hide`.
    """

    server = "processors.sandbox.fork_server"  # the module that the fork server runs

    def __init__(self, env: Mapping[str, str] | None = None, memory: int = 350 * MEBIBYTE) -> None:
        """Nothing runs yet. `memory`: bytes that all tasks together may reserve."""
        kernel.hide()
        self._env = dict(env or {})
        self._memory = MemoryBudget(memory)
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._preloaded: dict[str, None] = {}
        self._folders = Folders()
        self._making = asyncio.Lock()

    def preload(self, *tasks: str) -> None:
        """Have what these tasks import loaded in the fork server: a child is then there in a few milliseconds.

        It has no effect on a fork server that runs already.
        """
        self._preloaded.update(dict.fromkeys(tasks))

    async def folder(self) -> Path:
        """An empty folder for a task. The caller removes it; if this process is killed, the next one does."""
        async with self._making:
            return await asyncio.to_thread(self._folders.new)

    async def check(self) -> None:
        """Raise NoRoomError if the machine has no room for a task."""
        await asyncio.to_thread(shortage.check, self._folders.root)

    @asynccontextmanager
    async def detect_shortage(self) -> AsyncIterator[None]:
        """Around a job: raises NoRoomError if the machine lacks something.

        Raises TransientError if the disk has room again and no other task had used it: this job is too large for it.
        """
        try:
            yield
        except NoRoomError as error:
            await self._blame(error)
        except OSError as error:
            if (trouble := shortage.trouble(error, self._folders.root)) is None:
                raise
            await self._blame(NoRoomError(trouble))

    async def _blame(self, error: NoRoomError) -> NoReturn:
        if self._folders.are_empty:
            with suppress(NoRoomError):
                await self.check()
                msg = f"it needs more room than there is: {error}"
                raise TransientError(msg)
        raise error

    async def run(self, task: Task, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Run the task in a child; returns its report. `on_progress` gets its progress, in percent.

        Raises PermanentError if the task refuses its input or exceeds a limit; FaultError if its code is wrong;
        TransientError if the system fails it, or if it is killed or takes more than `limits.wall` seconds; SnoozeError
        if others hold the memory that it needs; NoRoomError if the machine has no room. Cancelling it kills the child
        with all that it has started.
        """
        run = await self._start(task)
        try:
            async with (
                self._memory.share(task.limits.patience) as share,
                asyncio.timeout(task.limits.wall) as limit,
            ):
                report = await run.listen(share, limit, on_progress)
                status = await run.ended()
        except TimeoutError as error:
            if not limit.expired():
                raise
            msg = f"the {task.name} task has not ended within {task.limits.wall:g} s"
            raise TransientError(msg) from error
        finally:
            await run.end()
        if "done" not in report:  # whatever the report says: a full disk causes many errors
            await self.check()
        return _verdict(task, report, status)

    @asynccontextmanager
    async def reserved(self, need: int, patience: float = 10.0) -> AsyncIterator[None]:
        """Reserve `need` bytes for work in this process itself, from the budget of the tasks.

        It waits at most `patience` seconds. Raises as `run` does if the memory is not to be had.
        """
        async with self._memory.share(patience) as share:
            try:
                fits = await share.take(need)
            except TimeoutError as error:
                raise _taken(need) from error
            if not fits:
                raise PermanentError(_too_much(need))
            yield

    async def close(self) -> None:
        """End the fork server with all children, and remove all folders."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            await self._process.wait()
        await asyncio.to_thread(self._folders.close)

    async def _start(self, task: Task) -> Run:
        channel, ours = socket.socketpair()
        ending, ours_ending = socket.socketpair()
        with ExitStack() as undone:
            for each in (ours, ours_ending):
                undone.enter_context(each)
            with channel, ending:
                await self._hand_over(channel.fileno(), ending.fileno())
            to_child = await asyncio.open_connection(sock=ours, limit=LONGEST_MESSAGE)
            undone.callback(to_child[1].close)
            run = Run(to_child, await asyncio.open_connection(sock=ours_ending))
            undone.pop_all()
        run.say(task.request())
        return run

    async def _hand_over(self, *sockets: int) -> None:
        async with self._starting:
            for last in (False, True):
                control = self._control or await self._start_server()
                try:
                    socket.send_fds(control, [b"!"], sockets)
                except OSError:  # the fork server was killed
                    control.close()
                    self._control = None
                    if last:
                        raise
                else:
                    return

    async def _start_server(self) -> socket.socket:
        theirs, ours = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", self.server, str(theirs.fileno()), *self._preloaded),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    cwd=PROJECT,
                    env=TUNED | self._env,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            await _until_ready(ours, self._process)
        except BaseException:
            ours.close()
            raise
        self._control = ours
        return ours


async def _until_ready(control: socket.socket, server: asyncio.subprocess.Process) -> None:
    """Wait until the fork server is ready. Raises TransientError with its last line if it exits instead."""
    control.setblocking(False)  # noqa: FBT003 -- the socket's own signature
    ready = await asyncio.get_running_loop().sock_recv(control, 100)
    if not ready:
        said = await server.stderr.read() if server.stderr is not None else b""
        msg = f"the sandbox can't start: {one_line(said.decode(errors='replace').strip().rpartition(chr(10))[2])}"
        raise TransientError(msg)
    control.setblocking(True)  # noqa: FBT003
    _log.debug("sandbox_started", **json.loads(ready))


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Run:
    """A running child: its messages and its end."""

    def __init__(self, channel: Streams, ending: Streams) -> None:
        """`channel` leads to the child; on `ending` the fork server reports its end."""
        self._from_child, self._to_child = channel
        self._end_report, self._end_request = ending
        self._status: int | None = None
        self._has_ended = False

    def say(self, line: bytes) -> None:
        """Send a line to the child."""
        self._to_child.write(line)

    async def listen(self, share: Share, limit: asyncio.Timeout, on_progress: OnProgress | None) -> dict[str, Any]:
        """Answer the child until it ends; returns its report, empty if there was none."""
        report: dict[str, Any] = {}
        async for message in self._messages():
            match message:
                case {"reserve": int(need)}:
                    await self._grant(need, share, limit)
                case {"progress": int(percent) | float(percent)}:
                    if on_progress is not None:
                        await on_progress(percent)
                case _:
                    report = message
        return report

    async def _grant(self, need: int, share: Share, limit: asyncio.Timeout) -> None:
        """Answer a request for memory. The time of waiting does not count towards the child's limit."""
        left = (limit.when() or 0.0) - asyncio.get_running_loop().time()
        limit.reschedule(None)
        try:
            refusal = {} if await share.take(need) else {"refused": _too_much(need)}
        except TimeoutError as error:
            raise _taken(need) from error
        limit.reschedule(asyncio.get_running_loop().time() + left)
        self.say(json.dumps(refusal).encode() + b"\n")

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        # A child that was taken over may write anything. All that is no JSON object ends the conversation.
        with suppress(ValueError, ConnectionError):
            while line := await self._from_child.readline():
                message = json.loads(line)
                if not isinstance(message, dict):
                    return
                yield message

    async def ended(self) -> int | None:
        """The child's exit status, or minus the signal that ended it; None if the fork server is gone as well."""
        if not self._has_ended:
            line = await self._end_report.readline()
            self._status = json.loads(line)["status"] if line else None
            self._has_ended = True
        return self._status

    async def end(self) -> None:
        """Kill the child if it still runs, and wait for its end."""
        try:
            if not self._has_ended:
                self._end_request.write_eof()
                with suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        await self.ended()
        finally:
            for writer in (self._to_child, self._end_request):
                writer.close()


def _taken(need: int) -> SnoozeError:
    msg = f"others have the {need // MEBIBYTE} MiB of memory that it needs (MEDIA_MEMORY)"
    return SnoozeError(msg, random.uniform(*RETRY_IN))  # noqa: S311 -- spreads them


def _too_much(need: int) -> str:
    return f"it needs about {need // MEBIBYTE} MiB of memory, more than MEDIA_MEMORY allows"


def _verdict(task: Task, report: dict[str, Any], status: int | None) -> dict[str, Any]:
    if status == 0 and isinstance(done := report.get("done"), dict):
        return done
    if status == 0 and "refused" in report:
        raise PermanentError(str(report["refused"]))
    if status == 0 and "failed" in report:
        msg = f"the {task.name} task failed: {report['failed']}"
        raise TransientError(msg)
    if status == 0 and "broken" in report:
        msg = f"a fault of Pushmill's own in the {task.name} task: {report['broken']}"
        raise FaultError(msg)
    if status is None:
        msg = "the sandbox was killed, and its children with it, or it could start no child"
        raise TransientError(msg)
    if words := _permanent_reason(task, -status):
        raise PermanentError(words)
    raise TransientError(_crash(task, status))


def _permanent_reason(task: Task, number: int) -> str | None:
    """The reason, if the upload makes a child end by this signal each time; None otherwise."""
    reasons: dict[int, str] = {
        signal.SIGXCPU: f"it takes more than {task.limits.cpu} s of processor time",
        signal.SIGXFSZ: f"a result is larger than {task.limits.file // MEBIBYTE} MiB",
        signal.SIGABRT: "a decoder gave up on it (SIGABRT): mostly, as it takes far more memory than its kind does",
    }
    return reasons.get(number)


def _crash(task: Task, status: int) -> str:
    if status == -signal.SIGKILL:
        return f"the {task.name} task was killed (SIGKILL): by hand, or because the machine was out of memory"
    if status < 0:
        return f"the {task.name} task crashed with {_signal_name(-status)}"
    return f"the {task.name} task ended with status {status} and no result"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
