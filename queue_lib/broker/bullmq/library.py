"""The package's scripts and queues, made fit for apps with bullmq 5 and with bullmq 6; the Lua files say how."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bullmq import Queue
from bullmq.backends import RedisBackend
from bullmq.redis_connection import SCRIPT_DEFINITIONS, RedisConnection, loadScript

if TYPE_CHECKING:
    import redis.asyncio

HERE = Path(__file__).parent
NOT_LOADED = {"moveJobFromActiveToWait": "moveJobFromActiveToWait-9.lua"}  # though the package has it
OPTIONS_OF_CLAIM, OPTIONS_OF_FINISH = 3, 8  # which ARGV the scripts take their options in
CLAIMING = {"moveToActive-11.lua": OPTIONS_OF_CLAIM, "moveToFinished-14.lua": OPTIONS_OF_FINISH}
# What an app with too old a bullmq is not served with, and which of the KEYS is the queue's `meta`.
ADDING = {
    "standard": "addStandardJob-9.lua",
    "delayed": "addDelayedJob-6.lua",
    "prioritized": "addPrioritizedJob-9.lua",
}
REFUSED = {"moveToActive-11.lua": 9, "addStandardJob-9.lua": 3, "addDelayedJob-6.lua": 2, "addPrioritizedJob-9.lua": 2}
FUNCTION = re.compile(r"^local function .*?^end\n", re.MULTILINE | re.DOTALL)

# A parent that waits for a failed job runs when that is deleted, as where the package's worker deletes old jobs. The
# package's `clean` would delete the parent, too, if it is of the same queue.
LEAVE_PARENTS = (
    "if isFinished then\n                removeJob(job, true,",
    "if isFinished then\n removeJob(job, false,",
)


@cache
def script(file: str) -> str:
    """One of the package's scripts, with what is put in front of it."""
    parts = [_own("around.lua")]
    if file in REFUSED:
        parts += [f"local refused = refusal(KEYS[{REFUSED[file]}])", "if refused then return refused end"]
    if file in CLAIMING:
        parts += [f"local OPTIONS = {CLAIMING[file]}", _own("before_claim.lua")]
    if file == "pause-7.lua":
        parts += [_own("before_pause.lua")]
    return "\n".join([*parts, loadScript(file).replace(*LEAVE_PARENTS)])


@cache
def adding_many() -> str:
    """The script that adds many jobs to a queue; the package's pipeline takes four times the processor time.

    The package's functions stand once in front of its scripts: to make them anew for each job took a quarter of the
    server's time.
    """
    refusing = f"local refused = refusal(KEYS[{REFUSED[ADDING['standard']]}])\nif refused then return refused end"
    scripts = {kind: loadScript(file) for kind, file in ADDING.items()}
    functions = dict.fromkeys(found for text in scripts.values() for found in FUNCTION.findall(text))
    each = [f"local function add_{kind}(KEYS, ARGV)\n{FUNCTION.sub('', text)}\nend" for kind, text in scripts.items()]
    parts = [_own("around.lua"), refusing, "local rcall = redis.call", *functions, *each, _own("add_many.lua")]
    return "\n".join(parts)


def _own(file: str) -> str:
    return (HERE / file).read_text()


class Connection(RedisConnection):  # type: ignore[misc]  # the package has no types
    """The package's connection, with these scripts."""

    def loadCommands(self) -> None:  # noqa: N802 -- the package's name
        """Register them; nothing is sent yet."""
        for name, file in (SCRIPT_DEFINITIONS | NOT_LOADED).items():
            self.commands[name] = self.conn.register_script(script(file))
        self.commands["check"] = self.conn.register_script(_own("around.lua") + "return refusal(KEYS[1])")


class SharedQueue(Queue):  # type: ignore[misc]
    """The package's Queue over such a connection."""

    def __init__(self, name: str, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close."""
        super().__init__(name, {"connection": client, "prefix": prefix})
        self.backend = RedisBackend(name, Connection(client), None, prefix, owns_connection=False)
        self.redisConnection, self.scripts = self.backend.connection, self.backend.scripts

    async def check(self) -> None:
        """Raise a ResponseError, OUTDATED, if the app's bullmq is too old."""
        await self.scripts.commands["check"](keys=[self.keys["meta"]])

    async def resume(self) -> None:
        """Hand out jobs again: the script moves up to 7,000 jobs that were set aside, and says how many are left."""
        while await self.backend.pause(paused=False):
            pass
