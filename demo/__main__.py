"""`make demo`: both wires, one worker, real results, on this machine only. Exit status 1 if any result is missing.

The demo plays the Next.js app: a database, a bucket, two users' browsers, and the jobs that the app and a Python
program enqueue. The real `worker.py` runs as a process of its own.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from demo import checks, producers
from demo.clock import say, seconds
from demo.failure import DemoError
from demo.output import output
from demo.plan import Plan
from demo.stage import Stage, build

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 45.0  # seconds, for all jobs together


async def play() -> list[str]:
    """Build, enqueue, stop, check. Returns what is missing. Raises DemoError if the demo can't continue."""
    async with AsyncExitStack() as cleanup:
        stage = await build(cleanup, cleanup.enter_context(output()))
        await stage.worker.until_started()
        plan, before = Plan.draw(), stage.app.subscription_ids()
        await stage.worker.outlive(_enqueue(stage, plan), PATIENCE)
        ended = await stage.worker.stop()
        missing = await _report(stage, plan, before, ended)
        say(f"\nThe images and worker.log are in {stage.app.store}")
        return missing


async def _enqueue(stage: Stage, plan: Plan) -> None:
    """Enqueue on both wires at once, and wait until the producers know how each job ended."""
    url = stage.redis.url
    await asyncio.gather(producers.by_bullmq(url, plan.by_bullmq()), producers.by_rq(url, plan.by_rq()))


async def _report(stage: Stage, plan: Plan, before: list[str], ended: tuple[int, float]) -> list[str]:
    """Print the results. Returns those that are missing."""
    sections: list[tuple[str, Callable[[], Awaitable[list[str]]]]] = [
        ("pushes", lambda: checks.pushed(stage, plan)),
        ("pruned", lambda: checks.pruned(stage, before)),
        ("mail", lambda: checks.mailed(stage, plan)),
        ("images", lambda: checks.images(stage.app)),
        ("dead letter", lambda: checks.dead_letter(stage.redis.url)),
        ("worker", lambda: checks.exited(*ended)),
    ]
    missing: list[str] = []
    say("\nResults")
    for title, look in sections:
        try:
            lines = await look()
        except DemoError as error:
            missing.append(f"{title}: {error}")
            lines = ["MISSING, see below"]
        for number, line in enumerate(lines):
            say(f"  {'' if number else title:12}  {line}")
    return missing


def main() -> int:
    """Run the demo. Returns the exit status."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        missing = asyncio.run(play())
    except DemoError as error:
        missing = [str(error)]
    except KeyboardInterrupt:
        missing = ["interrupted"]
    for line in missing:
        say(f"FAILED: {line}")
    if not missing:
        say(f"\nDone in {seconds():.1f} s.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
