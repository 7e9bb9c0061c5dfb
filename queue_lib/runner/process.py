"""The process: the main thread only waits, so that no job can keep a signal from being noticed.

The loop runs in a thread. A processor that blocks it blocks neither the signal handlers, which Python runs in the
main thread, nor the deadline after which the process ends, whatever hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import structlog

from queue_lib.errors import PushmillError
from queue_lib.observe.events import InternalFault
from queue_lib.outcome import Failure, reason_of
from queue_lib.runner.launcher import LoopEndedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from queue_lib.runner.launcher import Launcher

T = TypeVar("T")
SLACK = 0.5  # seconds before the end of the grace time at which the process stops waiting


class WakeUp:
    """Wakes the main thread when a signal comes, or when the loop asks for it. Only the main thread can make one.

    It uses a pipe, into which Python writes in the signal's own context. If the main thread waited on anything of
    `threading` or `queue`, it could miss a signal that comes with others, or wait for a lock that it holds itself.
    """

    def __init__(self) -> None:
        self.has_come = False
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)

    def wake(self) -> None:
        """Wake the main thread; from any thread or signal handler, any number of times."""
        self.has_come = True
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes it, too
            os.write(self._mouth, b"!")

    def wait(self) -> None:
        """Wait until something has woken it."""
        while not self.has_come:
            os.read(self._ear, 4096)


class Stop:
    """The request to stop: made by a signal handler or by the loop, awaited in the loop."""

    def __init__(self, wake_up: WakeUp) -> None:
        """`wake_up` wakes the main thread, whose clock of the grace time starts then."""
        self._wake_up = wake_up
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def request(self) -> None:
        """Make it; from any thread, any number of times. The grace time starts with the first."""
        self._wake_up.wake()
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait for it."""
        await self._event.wait()


def run(main: Callable[[Stop], Awaitable[int]], grace: float) -> NoReturn:
    """Run `main` in a loop until it ends; its answer is the exit status.

    On SIGTERM or SIGINT `main` is asked to stop, and has `grace` seconds for it; then the process ends as it is, with
    status 0. The same holds, with status 1, when `main` itself asks to stop. Further signals change nothing. If `main`
    raises, the error is printed on standard error, one of ours without a traceback; the status is 1.
    """
    loop_thread = _LoopThread(main)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, loop_thread.heed)
    loop_thread.start()
    loop_thread.wait()
    loop_thread.join(_patience(grace))
    if loop_thread.is_alive():
        structlog.get_logger().error("stop_overdue", reason="something hangs; its jobs are recovered by their leases")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(loop_thread.status)  # not sys.exit: it would wait for threads that hang


def _patience(grace: float) -> float:
    """Seconds for stopping: jobs must be given back before the process ends as it is."""
    return max(grace - SLACK, grace / 2)


class _LoopThread(threading.Thread):
    def __init__(self, main: Callable[[Stop], Awaitable[int]]) -> None:
        super().__init__(name="loop", daemon=True)
        self.status = 1
        self._main = main
        self._stop_request: Stop | None = None
        self._wake_up = WakeUp()

    def run(self) -> None:
        try:
            self.status = asyncio.run(self._work())
        except PushmillError as error:
            self.status = 1
            sys.stderr.write(f"{error}\n")
        finally:
            self._wake_up.wake()

    async def _work(self) -> int:
        self._stop_request = Stop(self._wake_up)
        if self._wake_up.has_come:  # a signal came before the loop
            self._stop_request.request()
        return await self._main(self._stop_request)

    def heed(self, *_: object) -> None:
        """Take note of a signal."""
        self.status = 0
        self._wake_up.wake()

    def wait(self) -> None:
        """Wait for a signal, a request to stop, or the end of the loop; ask the loop to stop."""
        self._wake_up.wait()
        if self._stop_request is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._stop_request.request()


async def unless_stopped(opening: Coroutine[Any, Any, T], stop: Stop) -> T | None:
    """Return what `opening` returns; None if a stop is requested before it has ended, and cancels it."""
    task, stopping = asyncio.create_task(opening), asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    while not task.done():
        task.cancel()  # again and again: redis-py swallows a cancellation that comes while it connects
        await asyncio.wait([task], timeout=0.2)
    return None if task.cancelled() else task.result()


async def serve(launcher: Launcher, stop: Stop, grace: float) -> int:
    """Run until a stop is requested (status 0) or a loop ends by itself (status 1).

    Raises BrokerUnavailableError if the broker can't be reached at the start.
    """
    log = structlog.get_logger()
    await launcher.start()
    log.info("started")
    watching, stopping = asyncio.ensure_future(launcher.watch()), asyncio.ensure_future(stop.wait())
    await asyncio.wait([watching, stopping], return_when=asyncio.FIRST_COMPLETED)
    status = 0
    if watching.done():
        error = watching.exception() or LoopEndedError("a loop ended")
        log.error("loop_ended", reason=reason_of(error))
        launcher.observe(InternalFault("loop_ended", Failure.of(error.__cause__ or error)))
        stop.request()  # the clock of the grace time runs
        status = 1
    log.info("stopping", grace=grace)
    await launcher.stop(_patience(grace))
    watching.cancel()
    stopping.cancel()
    log.info("stopped")
    return status
