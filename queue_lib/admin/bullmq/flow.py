"""The flow that a BullMQ job belongs to, read level by level, and the parents that wait for a dead child."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from queue_lib.admin.bullmq.view import ref
from queue_lib.admin.flows import FlowNode
from queue_lib.admin.ports import JobRef
from queue_lib.broker.trouble import answers
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from queue_lib.broker.bullmq.library import SharedQueue

MOST = 100  # jobs of a flow that are shown, children of one job, parents that are looked at
DEEPEST = 10  # levels
LOOKED_AT = 1000  # children of all parents that are asked for at once
STATES = ("completed", "failed", "delayed", "active", "wait", "paused", "waiting-children", "prioritized")
FIELDS = ("name", "failedReason", "timestamp")


@dataclass(frozen=True, slots=True)
class Read:
    """What is known of a job: `children` are their keys, and `open` those that it still waits for."""

    fields: Sequence[str | None]
    state: State | None
    open: frozenset[str]
    children: tuple[str, ...]
    total: int


async def flow_of(source: SharedQueue, job_id: str) -> FlowNode | None:
    """The whole flow of a job, from its root; None if it has neither parent nor children. Raises redis-py's errors.

    The job itself and those above it are always there, also where a parent has more children than are shown.
    """
    path = await _path(source, source.toKey(job_id))
    found, below = dict[str, Read](), dict(pairwise(path))
    level = [root := path[0]]
    for _ in range(DEEPEST):
        level = [key for key in dict.fromkeys(level) if key not in found]
        level = sorted(level, key=lambda key: key not in path)[: MOST - len(found)]
        if not level:
            break
        reads = zip(level, await _read(source, level), strict=True)
        found |= {key: _with(below.get(key), read) for key, read in reads}
        level = [child for key in level for child in found[key].children]
    made = _node(source, dict(found), root, None)
    return made if made.children or made.more or root != source.toKey(job_id) else None


async def _path(source: SharedQueue, key: str) -> list[str]:
    """The job's key, behind those of the jobs above it that are still there."""
    path = [key]
    while len(path) < DEEPEST:
        async with source.backend.conn.pipeline(transaction=False) as pipe:
            pipe.hget(path[0], "parentKey")
            [parent] = await answers(pipe)
            pipe.exists(parent or "")
            [is_there] = await answers(pipe)
        if not is_there or parent in path:
            break
        path.insert(0, str(parent))
    return path


def _with(child: str | None, read: Read) -> Read:
    """With this child in front."""
    return read if child is None else replace(read, children=tuple(dict.fromkeys([child, *read.children]))[:MOST])


async def _read(source: SharedQueue, keys: Sequence[str]) -> list[Read]:
    """Jobs, in one round trip."""
    async with source.backend.conn.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hmget(key, FIELDS)
            pipe.srandmember(f"{key}:dependencies", MOST)
            pipe.hrandfield(f"{key}:processed", MOST)
            pipe.hrandfield(f"{key}:failed", MOST)
            pipe.zrange(f"{key}:unsuccessful", 0, MOST - 1)
            for kind, count in (("dependencies", pipe.scard), ("processed", pipe.hlen), ("failed", pipe.hlen)):
                count(f"{key}:{kind}")
            pipe.zcard(f"{key}:unsuccessful")
            job, script = ref(key, source), source.scripts.commands["getStateV2"]
            lists = [f"{key.removesuffix(job.id)}{name}" for name in STATES]
            await script(keys=lists, args=[job.id, key], client=pipe)
        told = await answers(pipe)
    size = len(told) // len(keys)
    return [_of(told[start : start + size]) for start in range(0, len(told), size)]


def _of(told: Sequence[Any]) -> Read:
    fields, waited, *ended = told[:5]
    fields = fields or [None] * len(FIELDS)
    children = dict.fromkeys([*sorted(waited or ()), *sorted({key for keys in ended for key in keys or ()})])
    state = _state(told[-1]) if any(fields) else None
    total = sum(count or 0 for count in told[5:-1])
    return Read(fields, state, frozenset(waited or ()), tuple(children)[:MOST], total)


def _state(told: str | None) -> State:
    """A job in no list is probably being moved right now."""
    return State(told) if told in set(State) else State.WAITING


def _node(source: SharedQueue, left: dict[str, Read], key: str, parent: Read | None) -> FlowNode:
    """The job with all below it, which are taken out of what is `left`: keys that name each other end there."""
    read = left.pop(key)
    waits = parent is not None and parent.state is State.WAITING_CHILDREN and key in parent.open
    children = tuple(_node(source, left, child, read) for child in read.children if child in left)
    return FlowNode(
        ref=ref(key, source),
        name=read.fields[0] or "",
        state=read.state,
        reason=read.fields[1] if read.state is State.FAILED else None,
        blocks=waits and read.state in {State.FAILED, None},
        children=children,
        more=max(0, read.total - len(children)),
    )


async def dead_children(source: SharedQueue, job_ids: Collection[str]) -> dict[str, tuple[JobRef, ...]]:
    """For each parent that waits, the children that will never set it free: failed for good, or gone.

    At most 100 children of each are looked at, and fewer of many parents: when the others have ended, those that will
    never do are left. Raises redis-py's errors.
    """
    if not job_ids:
        return {}
    most = min(MOST, max(1, LOOKED_AT // len(job_ids)))
    async with source.backend.conn.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.srandmember(source.toKey(f"{job_id}:dependencies"), most)
        waited = [sorted(children or ()) for children in await answers(pipe)]
    dead = await _dead(source, list(dict.fromkeys(child for children in waited for child in children)))
    found = {
        job_id: tuple(ref(child, source) for child in children if child in dead)
        for job_id, children in zip(job_ids, waited, strict=True)
    }
    return {job_id: refs for job_id, refs in found.items() if refs}


async def _dead(source: SharedQueue, keys: Sequence[str]) -> set[str]:
    if not keys:
        return set()
    async with source.backend.conn.pipeline(transaction=False) as pipe:
        for key in keys:
            job = ref(key, source)
            pipe.exists(key)
            pipe.zscore(f"{key.removesuffix(job.id)}failed", job.id)
        told = await answers(pipe)
    pairs = zip(keys, told[::2], told[1::2], strict=True)
    return {key for key, is_there, failed in pairs if not is_there or failed is not None}


async def stuck_parents(source: SharedQueue) -> list[JobRef]:
    """The parents of a queue that wait for such children, among the 100 that wait longest. Raises redis-py's errors."""
    waiting = await source.backend.conn.zrange(source.toKey(State.WAITING_CHILDREN.value), 0, MOST - 1)
    return [JobRef(job_id, source.name) for job_id in await dead_children(source, waiting)]
