"""The process: the main thread does nothing but watch, so that no job can keep a signal from being heard.

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
from typing import TYPE_CHECKING, NoReturn

import structlog

from queue_lib.errors import PushmillError
from queue_lib.observe.events import Breakdown
from queue_lib.outcome import Failure, reason_of
from queue_lib.runner.launcher import LoopEndedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.runner.launcher import Launcher

SLACK = 0.5  # seconds before the end of the grace time at which the process stops waiting


class News:
    """What the main thread waits for: a signal, or word from the loop.

    It comes through a pipe, into which Python writes in the signal's own context. Waiting on anything of `threading` or
    `queue`, the main thread may not notice a signal that comes with others, or wait for a lock that it holds itself.
    """

    def __init__(self) -> None:
        """None so far. Only the main thread can make one."""
        self.has_come = False
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._mouth, False)
        signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)

    def bring(self) -> None:
        """Bring it; from any thread or signal handler, any number of times."""
        self.has_come = True
        with contextlib.suppress(BlockingIOError):  # a full pipe is news enough
            os.write(self._mouth, b"!")

    def wait(self) -> None:
        """Wait for it."""
        while not self.has_come:
            os.read(self._ear, 4096)


class Stop:
    """The wish to stop: set from a signal handler or from the loop, awaited in the loop."""

    def __init__(self, news: News) -> None:
        """Not wished yet. `news` is what the main thread waits for."""
        self._news = news
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def request(self) -> None:
        """Wish it; from any thread, any number of times. The grace time starts with the first."""
        self._news.bring()
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait for the wish."""
        await self._event.wait()


def run(main: Callable[[Stop], Awaitable[int]], grace: float) -> NoReturn:
    """Run `main` in a loop until it ends; its answer is the exit status.

    On SIGTERM or SIGINT `main` is told to stop, and has `grace` seconds for it; then the process ends as it is, with
    status 0. The same holds, with status 1, when `main` itself wishes to stop. Further signals change nothing. What
    `main` raises is printed on standard error, in plain words if it is ours; the status is 1.
    """
    loop_thread = _LoopThread(main)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, loop_thread.heed)
    loop_thread.start()
    loop_thread.wait_for_news()
    loop_thread.join(_patience(grace))
    if loop_thread.is_alive():
        structlog.get_logger().error("stop_overdue", reason="something hangs; its jobs are recovered by their leases")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(loop_thread.status)  # not sys.exit: it would wait for threads that hang


def _patience(grace: float) -> float:
    """Seconds that jobs have: what is given back must be given back before the process ends as it is."""
    return max(grace - SLACK, grace / 2)


class _LoopThread(threading.Thread):
    def __init__(self, main: Callable[[Stop], Awaitable[int]]) -> None:
        super().__init__(name="loop", daemon=True)
        self.status = 1
        self._main = main
        self._stop_wish: Stop | None = None
        self._news = News()

    def run(self) -> None:
        try:
            self.status = asyncio.run(self._work())
        except PushmillError as error:
            self.status = 1
            sys.stderr.write(f"{error}\n")
        finally:
            self._news.bring()

    async def _work(self) -> int:
        self._stop_wish = Stop(self._news)
        if self._news.has_come:  # before there was anybody to pass it on to
            self._stop_wish.request()
        return await self._main(self._stop_wish)

    def heed(self, *_: object) -> None:
        """Take note of a signal."""
        self.status = 0
        self._news.bring()

    def wait_for_news(self) -> None:
        """Wait for a signal, for the wish to stop, or for the end of the loop; pass it on to the loop."""
        self._news.wait()
        if self._stop_wish is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._stop_wish.request()


async def serve(launcher: Launcher, stop: Stop, grace: float) -> int:
    """Run until a stop is wished (status 0) or a loop ends by itself (status 1).

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
        launcher.observe(Breakdown("loop_ended", Failure.of(error.__cause__ or error)))
        stop.request()  # the clock of the grace time runs
        status = 1
    log.info("stopping", grace=grace)
    await launcher.stop(_patience(grace))
    watching.cancel()
    stopping.cancel()
    log.info("stopped")
    return status
