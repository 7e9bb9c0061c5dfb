"""One of our processes, until it is ended: `python -m benchmarks.scale.ours URL`."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.harness import Counter, launcher


async def main(url: str) -> None:
    """Work for ever."""
    counter = Counter(sys.maxsize)
    await launcher(url, "bullmq", counter).start()
    await counter.all_done.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
