"""Which jobs are in a state: RQ's lists and sorted sets, lane after lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.registry import DeferredJobRegistry, FailedJobRegistry, FinishedJobRegistry

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
        # An execution is known as `<job id>:<execution id>`.
        ids += [_text(raw) for raw in (read(key, start, last, **desc) if start < size else [])]
        start = max(0, start - size)
    return [job_id.partition(":")[0] for job_id in ids] if state is State.ACTIVE else ids


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
