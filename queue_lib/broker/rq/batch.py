"""RQ's bookkeeping, sent in one go.

RQ's methods write into a synchronous pipeline; here they write into one that is never executed. What it has noted
goes to the server as the argument of one script: one round trip and one answer instead of thirty, and the question
whether the job is still ours is asked in the same step. An asyncio pipeline would spend more time on its thirty
answers than RQ spends on everything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import msgpack

from queue_lib.broker.rq.lanes import intermediate_key, started_key

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    import redis.asyncio
    from redis.client import Pipeline

    from queue_lib.broker.rq.job import GuardedJob

SCRIPT = (Path(__file__).parent / "batch.lua").read_text()
Verdict = Literal["ok", "lost", "dependents"]


class Batch:
    """Sends what RQ writes about one job."""

    def __init__(self, client: redis.asyncio.Redis, notebook: redis.Redis) -> None:
        """`client` sends; of `notebook`, which is RQ's own client, only the pipelines are used."""
        self._script = client.register_script(SCRIPT)
        self._notebook = notebook

    async def send(
        self, job: GuardedJob, fill: Callable[[Pipeline], None], *, holder: str = "", unless_dependents: bool = False
    ) -> tuple[Verdict, int]:
        """Have `fill` write and send it; `holder` is the execution that must have the job, none for one just claimed.

        Returns what happened and how many dependents the job has; unless that is "ok", nothing was written.
        Raises redis-py's errors.
        """
        pipe = self._notebook.pipeline()
        fill(pipe)
        commands = [[_word(word) for word in words] for words, _ in pipe.command_stack]
        verdict, dependents = await self._script(
            keys=[started_key(job.origin), job.dependents_key, intermediate_key(job.origin), job.key],
            # Redis's msgpack is of the time before strings and bytes were told apart.
            args=[msgpack.packb(commands, use_bin_type=False), holder, "1" if unless_dependents else "", job.id],
        )
        return cast("Verdict", verdict.decode()), dependents


def _word(word: object) -> object:
    """As redis-py would encode it: Lua would write a float with other digits."""
    return repr(word) if isinstance(word, float) else word
