"""What is wrong with Redis, by its answers."""

from __future__ import annotations

import asyncio

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from queue_lib.broker.trouble import describe, for_each, outages_translated, trouble_of
from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, Trouble

# As Redis 6.2 (in scripts: with their name and line) and later ones word them.
ANSWERS = [
    ("LOADING Redis is loading the dataset in memory", Trouble.LOADING),
    ("OOM command not allowed when used memory > 'maxmemory'.", Trouble.FULL),
    ("OOM command not allowed when used memory > 'maxmemory'. script: 5d9d, on @user_script:1.", Trouble.FULL),
    ("ERR Error running script (call to f_5d): @user_script:1: @user_script: 1: -OOM not allowed", Trouble.FULL),
    ("READONLY You can't write against a read only replica.", Trouble.REPLICA),
    ("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", Trouble.REPLICA),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Trouble.REPLICA),
    ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist", Trouble.UNSAVED),
    ("NOREPLICAS Not enough good replicas to write.", Trouble.LONELY),
    ("EXECABORT Transaction discarded because of: OOM command not allowed", Trouble.FULL),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Trouble.BUSY),
    ("ERR max number of clients reached", Trouble.CROWDED),
    ("NOAUTH Authentication required.", Trouble.LOCKED),
    ("WRONGPASS invalid username-password pair or user is disabled.", Trouble.LOCKED),
    ("NOPERM this user has no permissions to run the 'evalsha' command", Trouble.FORBIDDEN),
    ("CROSSSLOT Keys in request don't hash to the same slot", Trouble.CLUSTER),
    ("MOVED 3999 127.0.0.1:6381", Trouble.MOVING),
    ("CLUSTERDOWN Hash slot not served", Trouble.MOVING),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Trouble.WRONG_TYPE),
    ("ERR Error running script (call to f_5d): @user_script:9: WRONGTYPE Operation against a key", Trouble.WRONG_TYPE),
    ("ERR unknown command 'FROB'", Trouble.REFUSED),
    ("ERR value is not an integer or out of range", Trouble.REFUSED),
]


def _parsed(answer: str) -> Exception:
    error: Exception = BaseParser.parse_error(answer)  # type: ignore[no-untyped-call]
    return error


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_every_answer_has_words_of_its_own(answer: str, expected: Trouble) -> None:
    """A Redis that answers is never reported as away; errors of its state may be tried again."""
    error = _parsed(answer)
    with pytest.raises(BrokerUnavailableError) as caught, outages_translated():
        raise error

    assert expected is caught.value.trouble
    assert (expected in {Trouble.WRONG_TYPE, Trouble.REFUSED}) == isinstance(caught.value, BrokerRefusedError)
    assert str(caught.value).startswith(f"{expected.value} (")
    assert answer.removeprefix("ERR ").removeprefix("EXECABORT ") in str(caught.value)


@pytest.mark.parametrize(
    "error", [RedisConnectionError("Connection refused"), RedisTimeoutError("Timeout"), OSError("reset")]
)
def test_no_answer_is_an_outage(error: Exception) -> None:
    """Redis can't be reached."""
    assert Trouble.AWAY is trouble_of(error)


@pytest.mark.parametrize("shown", ["{}", "('{}',)"], ids=["the answer", "its asyncio client's tuple of it"])
def test_a_pipeline_shows_no_payload(shown: str) -> None:
    """redis-py puts the refused command before the answer."""
    error = _parsed("WRONGTYPE Operation against a key")
    answer = shown.format(error.args[0])
    error.args = (f"Command # 2 (HSET bull:q:1 data secret\n) of pipeline caused error: {answer}",)

    assert Trouble.WRONG_TYPE is trouble_of(error)
    assert "ResponseError: WRONGTYPE Operation against a key" == describe(error)


async def test_a_broken_queue_keeps_no_other_from_its_chores() -> None:
    """Its error is raised when all are done; while Redis is away nothing more is tried."""
    done: list[str] = []

    async def do(queue: str) -> None:
        if queue == "broken":
            raise BrokerRefusedError(trouble=Trouble.WRONG_TYPE)
        if queue == "away":
            raise BrokerUnavailableError
        await asyncio.sleep(0)
        done.append(queue)

    with pytest.raises(BrokerRefusedError, match="wrong type"):
        await for_each(["a", "broken", "b"], do)
    with pytest.raises(BrokerUnavailableError, match="can't be reached"):
        await for_each(["c", "away", "d"], do)

    assert ["a", "b", "c"] == done
