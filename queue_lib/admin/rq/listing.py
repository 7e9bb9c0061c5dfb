"""Which jobs are in a state: RQ's lists and sorted sets, lane after lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rq.registry import DeferredJobRegistry, FailedJobRegistry, FinishedJobRegistry

from queue_lib.admin.ports import Mark
from queue_lib.broker.rq.lanes import intermediate_key, scheduled_key, started_key, waiting_key
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis import Redis

NEWEST_FIRST = frozenset({State.COMPLETED, State.FAILED})


def read_ids(connection: Redis, lanes: Sequence[str], state: State, start: int, count: int) -> list[str]:
    """Up to `count` ids from number `start` on, as if all lanes were one list."""
    ids: list[str] = []
    for key, is_list in (place for lane in lanes for place in _places(connection, lane, state)):
        if len(ids) >= count:
            break
        size = connection.llen(key) if is_list else connection.zcard(key)
        last = start + count - len(ids) - 1
        read: Callable[..., Any] = connection.lrange if is_list else connection.zrange
        desc = {"desc": True} if state in NEWEST_FIRST else {}
        ids += [_text(raw) for raw in (read(key, start, last, **desc) if start < size else [])]
        start = max(0, start - size)
    return [job_of(each) for each in ids] if state is State.ACTIVE else ids


def job_of(execution: str) -> str:
    """The id of the job of an execution, which is known as `<job id>:<execution id>`, or of a job."""
    return execution.partition(":")[0]


def count_lists(connection: Redis, lanes: Sequence[str], state: State) -> int:
    """In how many lists and sorted sets the jobs of a state are."""
    return sum(len(_places(connection, lane, state)) for lane in lanes)


def read_behind(
    connection: Redis, lanes: Sequence[str], state: State, number: int, mark: Mark | None, count: int
) -> list[Mark]:
    """Up to `count` places behind the mark in one of these lists."""
    key, is_list = [place for lane in lanes for place in _places(connection, lane, state)][number]
    desc = state in NEWEST_FIRST
    start = 0 if mark is None else _start(connection, key, mark, is_list=is_list, desc=desc)
    last = start + count - 1
    if is_list:
        return [Mark(_text(raw)) for raw in cast("list[bytes]", connection.lrange(key, start, last))]
    found = cast("list[tuple[bytes, float]]", connection.zrange(key, start, last, desc=desc, withscores=True))
    return [Mark(_text(raw), float(score)) for raw, score in found]


def _start(connection: Redis, key: str, mark: Mark, *, is_list: bool, desc: bool) -> int:
    """The number of the first one behind the mark."""
    if is_list:
        place = cast("int | None", connection.lpos(key, mark.id))
        return 0 if place is None else place + 1
    rank = cast("int | None", connection.zrevrank(key, mark.id) if desc else connection.zrank(key, mark.id))
    if rank is not None:
        return rank + 1
    before = (f"({mark.score!r}", "+inf") if desc else ("-inf", f"({mark.score!r}")
    return connection.zcount(key, *before)


def _places(connection: Redis, lane: str, state: State) -> list[tuple[str, bool]]:
    """The keys of a lane that hold the jobs of a state, and whether each is a list."""
    match state:
        case State.WAITING:
            return [(waiting_key(lane), True)]
        case State.ACTIVE:
            return [(started_key(lane), False), (intermediate_key(lane), True)]
        case State.DELAYED:
            return [(scheduled_key(lane), False)]
        case State.COMPLETED:
            return [(FinishedJobRegistry(lane, connection).key, False)]
        case State.FAILED:
            return [(FailedJobRegistry(lane, connection).key, False)]
        case State.WAITING_CHILDREN:
            return [(DeferredJobRegistry(lane, connection).key, False)]


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
