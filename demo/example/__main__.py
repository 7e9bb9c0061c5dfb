"""Run the example app until Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from contextlib import AsyncExitStack

from demo.clock import say, show
from demo.example import site
from demo.example.parts import USERS
from demo.failure import DemoError
from demo.output import output
from embedded.firefox import firefox_profile


async def serve() -> None:
    """Build, start, print where to look, and wait. Raises DemoError if a part does not start, or ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _serve_until(stop)
    except DemoError:
        if not stop.is_set():  # else Ctrl-C has ended what was being started
            raise
    say("Stopped.")


async def _serve_until(stop: asyncio.Event) -> None:
    async with AsyncExitStack() as cleanup:
        folder = cleanup.enter_context(output())
        show("example", "building", "the app, unless nothing has changed (the first time takes a minute)")
        running = await cleanup.enter_async_context(site.running(folder))
        say(_welcome(running))
        await running.until(stop)


def _welcome(running: site.Site) -> str:
    first, second = USERS
    firefox = firefox_profile(running.parts.folder / "firefox", running.push.url)
    return f"""
{running.url}
Sign in as {first}, and in a private window or another browser as {second}: they write to each other.
{first} may open the dashboard of the queues: {running.url}/admin/queues

Push: your browser uses its own push service, which the worker must reach. A Firefox that needs no internet:
  {shlex.join([*firefox, running.url])}
Logs: {running.logs}
Ctrl-C stops everything
"""


def main() -> int:
    """Serve. Returns the exit status."""
    try:
        asyncio.run(serve())
    except DemoError as error:
        say(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
