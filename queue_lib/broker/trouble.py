"""What is wrong when a command of Redis fails: each answer names its trouble, and no answer is an outage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    import redis.asyncio
    import redis.client

T = TypeVar("T")
# By the first word of the answer (redis.io, "Redis serialization protocol": simple errors).
TROUBLES = {
    "LOADING": Trouble.LOADING,
    "OOM": Trouble.FULL,
    "READONLY": Trouble.REPLICA,
    "MASTERDOWN": Trouble.REPLICA,
    "UNBLOCKED": Trouble.REPLICA,
    "MISCONF": Trouble.UNSAVED,
    "NOREPLICAS": Trouble.LONELY,
    "BUSY": Trouble.BUSY,
    "UNKILLABLE": Trouble.BUSY,
    "NOAUTH": Trouble.LOCKED,
    "WRONGPASS": Trouble.LOCKED,
    "NOPERM": Trouble.FORBIDDEN,
    "CROSSSLOT": Trouble.CLUSTER,
    "MOVED": Trouble.MOVING,
    "ASK": Trouble.MOVING,
    "TRYAGAIN": Trouble.MOVING,
    "CLUSTERDOWN": Trouble.MOVING,
    "WRONGTYPE": Trouble.WRONG_TYPE,
    "OUTDATED": Trouble.OUTDATED,  # a script's of ours
}
CROWDED = "max number of clients reached"  # an answer without a word of its own
DENIED = ("ACL failure in script", "The user executing the script can't")  # of Redis 7, of Redis 6: without one, too
# About the command, and not about the server's state.
FINAL = frozenset({Trouble.WRONG_TYPE, Trouble.OUTDATED, Trouble.REFUSED})
# Redis 6 puts what a command in a script has answered behind the script's name and line, and every Redis puts why a
# transaction was discarded behind that it was. redis-py puts a pipeline's answer behind the command, which may hold a
# payload.
CODE = re.compile(r"(?:^|@user_script: ?\d+: |because of: )-?([A-Z]{3,})\b")
PIPELINED = re.compile(r"^Command # \d+ .* of pipeline caused error: (?:\(['\"](.*)['\"],\)$)?", re.DOTALL)


class _Translated:
    """A class, since every command goes through it: a generator takes four times as long."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RedisError | OSError):
            trouble = trouble_of(error)
            # redis-py's own kinds of answers, such as an aborted transaction, are about the moment.
            is_final = trouble in FINAL and type(error) is ResponseError
            raise (BrokerRefusedError if is_final else BrokerUnavailableError)(describe(error), trouble) from error


_TRANSLATED = _Translated()


def outages_translated() -> _Translated:
    """Turn redis-py's errors into BrokerUnavailableError, or into BrokerRefusedError if waiting does not help."""
    return _TRANSLATED


async def for_each(whats: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    """Do it for each, such as a queue: a queue with broken keys does not stop the others.

    Raises the first BrokerRefusedError when all are done, and BrokerUnavailableError at once.
    """
    refusal: BrokerRefusedError | None = None
    for what in whats:
        try:
            await do(what)
        except BrokerRefusedError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


async def run(step: Callable[[], Awaitable[object]]) -> None:
    """Run one of several steps: for `for_each`."""
    await step()


async def answers(pipe: redis.asyncio.client.Pipeline) -> list[Any]:
    """The answers to a pipeline of reads; None for a key of a wrong type.

    Any client of Redis may write anything anywhere: a key of a wrong type hides only itself. Raises redis-py's other
    errors.
    """
    return _without_strangers(await pipe.execute(raise_on_error=False))


async def hashes(client: redis.asyncio.Redis, keys: Iterable[str]) -> list[dict[str, str]]:
    """The hashes at these keys, of a client that decodes; an empty one for a key that holds none."""
    keys = list(keys)
    if len(keys) == 1:  # a pipeline has a connection of its own, which a worker should not open for a dead letter
        return [await _hash(client, keys[0])]
    async with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hgetall(key)
        return [fields if isinstance(fields, dict) else {} for fields in await answers(pipe)]


async def _hash(client: redis.asyncio.Redis, key: str) -> dict[str, str]:
    try:
        fields: Any = await client.hgetall(key)
    except ResponseError as error:
        if trouble_of(error) is not Trouble.WRONG_TYPE:
            raise
        return {}
    return dict(fields)


def synchronous_answers(pipe: redis.client.Pipeline) -> list[Any]:
    """The same of a synchronous pipeline."""
    return _without_strangers(pipe.execute(raise_on_error=False))


def _without_strangers(found: list[Any]) -> list[Any]:
    for answer in found:
        if isinstance(answer, Exception) and trouble_of(answer) is not Trouble.WRONG_TYPE:
            raise answer
    return [None if isinstance(answer, Exception) else answer for answer in found]


def trouble_of(error: Exception) -> Trouble:
    """What is wrong."""
    code = code_of(error)
    if code in TROUBLES:
        return TROUBLES[code]
    if CROWDED in str(error):
        return Trouble.CROWDED
    if any(words in str(error) for words in DENIED):
        return Trouble.FORBIDDEN
    return Trouble.AWAY if isinstance(error, OSError | RedisConnectionError | RedisTimeoutError) else Trouble.REFUSED


def code_of(error: Exception) -> str | None:
    """The first word of the server's answer, such as WRONGTYPE; None if there is none."""
    status = getattr(error, "status_code", None)  # redis-py has cut it off from those that it knows
    if status in TROUBLES:
        return str(status)
    found = CODE.search(_without_command(error))
    return found[1] if found else None


def describe(error: Exception) -> str:
    """One line for an error of Redis; redis-py's messages carry no password."""
    status = getattr(error, "status_code", None)
    code = f"{status} " if status in TROUBLES and not str(error).startswith(str(status)) else ""
    return " ".join(f"{type(error).__name__}: {code}{_without_command(error)}".split())[:300]


def _without_command(error: Exception) -> str:
    return PIPELINED.sub(r"\1", str(error))
