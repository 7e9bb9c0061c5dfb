"""RQ's bookkeeping, sent in one go.

RQ's methods write into a synchronous pipeline; here they write into one that is never executed. What it has noted
goes to the server as the argument of one script: one round trip and one answer instead of thirty, and the same step
checks that the job is still ours. An asyncio pipeline would spend more time on its thirty answers than RQ spends on
everything else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, cast

import msgpack

from queue_lib.broker.rq.lanes import intermediate_key, started_key
from queue_lib.broker.rq.scripts import source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis
    import redis.asyncio
    from redis.client import Pipeline

    from queue_lib.broker.rq.job import GuardedJob

Verdict = Literal["ok", "lost", "dependents"]


class Batch:
    """Sends what RQ writes about jobs of ours."""

    def __init__(self, client: redis.asyncio.Redis, notebook: redis.Redis) -> None:
        """`client` sends; of `notebook`, which is RQ's own client, only the pipelines are used."""
        self._script = client.register_script(source("batch"))
        self._beat = client.register_script(source("beat"))
        self._notebook = notebook

    async def send(
        self,
        job: GuardedJob,
        fill: Callable[[Pipeline], None],
        *,
        holder: str = "",
        unless_dependents: bool = False,
        kept: tuple[str, int | None] = ("", None),
    ) -> tuple[Verdict, int]:
        """Have `fill` write and send it; `holder` is the execution that must have the job, none for one just claimed.

        `kept` are the list of executions that have finished jobs, and how many of them are kept. Returns what happened
        and how many dependents the job has; unless that is "ok", nothing was written.
        Raises redis-py's errors.
        """
        then, commands = self._noted(fill)
        verdict, dependents = await self._script(
            keys=[started_key(job.origin), job.dependents_key, intermediate_key(job.origin), job.key, kept[0]],
            args=[
                *(_packed(commands), then, holder, "1" if unless_dependents else "", job.id),
                "" if kept[1] is None else kept[1],
            ],
        )
        return cast("Verdict", verdict.decode()), dependents

    async def beat(
        self,
        worker: tuple[str, str],
        renew: Callable[[Pipeline], None],
        leases: Sequence[tuple[str, str, Callable[[Pipeline], None]]],
    ) -> tuple[bool, set[str]]:
        """Renew a registration, and leases: of each its sorted set, its member there, and what renews it.

        `worker` are the set of the workers' keys and the key of this one. Returns whether it is registered, and the
        members of the leases that are lost. Raises redis-py's errors.
        """
        then, commands = self._noted(renew)
        noted = [commands, *(self._noted(fill)[1] for _, _, fill in leases)]
        keys = [*worker, *(key for key, _, _ in leases)]
        registered, lost = await self._beat(
            keys=keys, args=[then, _packed(noted), *(member for _, member, _ in leases)]
        )
        return bool(registered), {member.decode() for member in lost}

    def _noted(self, fill: Callable[[Pipeline], None]) -> tuple[float, list[Any]]:
        """What `fill` writes, and when."""
        pipe, then = self._notebook.pipeline(), time.time()
        fill(pipe)
        return then, [[_word(word) for word in words] for words, _ in pipe.command_stack]


def _packed(commands: list[Any]) -> bytes:
    """For Redis's msgpack, whose format is older than the difference between strings and bytes."""
    packed: bytes = msgpack.packb(commands, use_bin_type=False)
    return packed


def _word(word: object) -> object:
    """As redis-py would encode it: Lua would write a float with other digits."""
    return repr(word) if isinstance(word, float) else word
