"""The worker's side of the sandbox: what happens to a child takes only its own job with it."""

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

from processors.media.sandbox import kernel, shortage
from processors.media.sandbox.folders import Folders
from processors.media.sandbox.limits import MEBIBYTE, Limits
from processors.media.sandbox.memory_budget import MemoryBudget, Share
from processors.media.sandbox.protocol import one_line
from processors.media.sandbox.shortage import NoRoomError
from queue_lib.errors import FaultError, PermanentError, SnoozeError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Tell = Callable[[float], Awaitable[None]]

PROJECT = Path(__file__).resolve().parents[3]  # where `python -m processors...` finds the modules
# A child is born without memory of its own: large pages spare it thousands of page faults, 5 % of an image's time.
# And libvips would have a thread for each core, with memory for each.
TUNED = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "VIPS_CONCURRENCY": "1"}
LONGEST_MESSAGE = 2 * MEBIBYTE  # bytes: the text of a document comes as a file, not as a message
ANOTHER_TIME = (20.0, 30.0)  # seconds until a task that has waited in vain comes again; memory.RETURN is longer
PATIENCE = 10.0  # seconds that the end of a killed child is waited for

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """One thing for a child to do, in `folder`, where it finds its input and leaves its results."""

    name: str
    folder: Path
    arguments: dict[str, Any]
    limits: Limits

    def request(self) -> bytes:
        """The line that the child reads."""
        told = {"cpu": self.limits.cpu, "file": self.limits.file, "folder": str(self.folder)}
        return json.dumps({"task": self.name, "arguments": self.arguments, **told}).encode() + b"\n"


class Sandbox:
    """Runs tasks in child processes. `env` is all of the environment that they see: keep credentials out of it.

    What this process has in its own environment and memory no child can read, nor any process of the same user: see
    `kernel.hide`.
    """

    server = "processors.media.sandbox.fork_server"  # the module of the server's process

    def __init__(self, env: Mapping[str, str] | None = None, memory: int = 350 * MEBIBYTE) -> None:
        """Nothing runs yet. `memory` is what all tasks together may reserve, in bytes."""
        kernel.hide()
        self._env = dict(env or {})
        self._memory = MemoryBudget(memory)
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._folders = Folders()
        self._making = asyncio.Lock()

    async def folder(self) -> Path:
        """An empty folder for a task. Whoever asks removes it; if this process is killed, the next one does."""
        async with self._making:
            return await asyncio.to_thread(self._folders.new)

    async def check(self) -> None:
        """Raise NoRoomError if there is no room to work in."""
        await asyncio.to_thread(shortage.check, self._folders.root)

    @asynccontextmanager
    async def room_told(self) -> AsyncIterator[None]:
        """Where a job works: what the machine lacks is NoRoomError.

        TransientError where the disk has room again, and no other task had taken it: the job is too large for it.
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

    async def run(self, task: Task, tell: Tell | None = None) -> dict[str, Any]:
        """Do the task; returns what it returned. `tell` gets its progress, in percent.

        Raises NoRoomError where there is no room to work in, PermanentError where it refuses its input or goes beyond a
        limit, FaultError where its code is wrong, TransientError where the system fails it, it is killed or has not
        ended within `limits.wall` seconds, SnoozeError where others keep the memory that it needs. A run that is
        cancelled kills the child first, with all that it has started.
        """
        run = await self._start(task)
        try:
            async with (
                self._memory.share(task.limits.patience) as share,
                asyncio.timeout(task.limits.wall) as limit,
            ):
                report = await run.listen(share, limit, tell)
                status = await run.ended()
        except TimeoutError as error:
            if not limit.expired():
                raise
            msg = f"the {task.name} task has not ended within {task.limits.wall:g} s"
            raise TransientError(msg) from error
        finally:
            await run.end()
        if "done" not in report:  # whatever it says: a full disk has many words
            await self.check()
        return _verdict(task, report, status)

    async def close(self) -> None:
        """End the server, and with it all children; remove all folders."""
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
            undone.pop_all()
        run = Run(
            await asyncio.open_connection(sock=ours, limit=LONGEST_MESSAGE),
            await asyncio.open_connection(sock=ours_ending),
        )
        run.say(task.request())
        return run

    async def _hand_over(self, *sockets: int) -> None:
        async with self._starting:
            for last in (False, True):
                control = self._control or await self._start_server()
                try:
                    socket.send_fds(control, [b"!"], sockets)
                except OSError:  # the server was killed
                    control.close()
                    self._control = None
                    if last:
                        raise
                else:
                    return

    async def _start_server(self) -> socket.socket:
        theirs, ours = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.server, str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd=PROJECT,
                env=TUNED | self._env,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            await _until_ready(ours, self._process)
        except BaseException:
            ours.close()
            raise
        self._control = ours
        return ours


async def _until_ready(control: socket.socket, server: asyncio.subprocess.Process) -> None:
    """Wait until the server serves. Raises TransientError with its last words if it ends instead."""
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
    """One child: what it says, and how it ends."""

    def __init__(self, channel: Streams, ending: Streams) -> None:
        """Take the sockets to the child and to the server."""
        self._said, self._mouth = channel
        self._ended, self._life = ending
        self._status: int | None = None
        self._told = False

    def say(self, line: bytes) -> None:
        """Say something to the child."""
        self._mouth.write(line)

    async def listen(self, share: Share, limit: asyncio.Timeout, tell: Tell | None) -> dict[str, Any]:
        """Serve the child until it ends; returns its report, empty if there was none."""
        report: dict[str, Any] = {}
        async for message in self._messages():
            match message:
                case {"reserve": int(need)}:
                    await self._grant(need, share, limit)
                case {"progress": int(percent) | float(percent)}:
                    if tell is not None:
                        await tell(percent)
                case _:
                    report = message
        return report

    async def _grant(self, need: int, share: Share, limit: asyncio.Timeout) -> None:
        """Answer a wish for memory. The time in which a child stands in line is not its own."""
        left = (limit.when() or 0.0) - asyncio.get_running_loop().time()
        limit.reschedule(None)
        try:
            refusal = {} if await share.take(need) else {"refused": _too_much(need)}
        except TimeoutError as error:
            msg = f"others have the {need // MEBIBYTE} MiB of memory that it needs (MEDIA_MEMORY)"
            raise SnoozeError(msg, random.uniform(*ANOTHER_TIME)) from error  # noqa: S311 -- not all at once
        limit.reschedule(asyncio.get_running_loop().time() + left)
        self.say(json.dumps(refusal).encode() + b"\n")

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        # Whatever a child that was taken over may write: what is not a JSON object ends the conversation.
        with suppress(ValueError, ConnectionError):
            while line := await self._said.readline():
                message = json.loads(line)
                if not isinstance(message, dict):
                    return
                yield message

    async def ended(self) -> int | None:
        """How the child has ended: its exit status, or minus the signal; None if the server is gone as well."""
        if not self._told:
            line = await self._ended.readline()
            self._status = json.loads(line)["status"] if line else None
            self._told = True
        return self._status

    async def end(self) -> None:
        """Kill the child if it still runs, and wait until it is gone."""
        if not self._told:
            self._life.write_eof()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self.ended()
        for writer in (self._mouth, self._life):
            writer.close()


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
    if words := _own_end(task, -status):
        raise PermanentError(words)
    raise TransientError(_crash(task, status))


def _own_end(task: Task, number: int) -> str | None:
    """Why, where it is the upload that makes a child end by this signal, each time."""
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
