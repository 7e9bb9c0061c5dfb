"""The verdict on top of the overview: whether all is well, and if not what is wrong, the most important first."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.job import State
from queue_lib.web.dashboard import formats
from queue_lib.web.dashboard.alarms import unserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from queue_lib.admin.outbox import OutboxView
    from queue_lib.admin.queues import QueueStats
    from queue_lib.errors import Trouble
    from queue_lib.observe.worker_stats import WorkerView

LONG = 300.0  # seconds that the next job of a queue has waited, from when on the alert speaks of it, too


class Weight(enum.IntEnum):
    """How much a finding matters: the lowest first. From DEAD on nothing that is to run stands still unmeant."""

    LOST = 0
    UNSERVED = 1
    BROKEN = 2
    LATE = 3
    STOPPED = 4
    DEAD = 5
    MEANT = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, in a few words, and where to act: the page's path, and the state of its list."""

    weight: Weight
    text: str
    path: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings, the most important first, and what their `kind` is: good, warn or bad.

    `text` says that all is well, if there are none.
    """

    kind: str
    text: str
    findings: Sequence[Finding]


def verdict_of(
    queues: Sequence[QueueStats],
    workers: Sequence[WorkerView],
    letters: int | None,
    outbox: OutboxView | None,
    *,
    lost: bool,
    unread: Trouble | None = None,
) -> Verdict:
    """The verdict on what the overview shows. `letters` is None if the dead letters can't be read.

    `unread` says why what the workers have told can't be read.
    """
    found = [*_everywhere(workers, letters, outbox, lost=lost)]
    if unread:
        found.append(Finding(Weight.BROKEN, f"What the workers did can't be read: {unread.value}", "/workers"))
    for stats in queues:
        found += _of_queue(stats, workers)
    found.sort(key=lambda finding: finding.weight)
    if not found:
        return Verdict("good", _well(queues), ())
    return Verdict("bad" if found[0].weight < Weight.DEAD else "warn", "", found)


def _well(queues: Sequence[QueueStats]) -> str:
    waiting = sum(stats.total(State.WAITING) for stats in queues)
    if not waiting:
        return "All is served, and nothing waits."
    oldest = max((stats.oldest for stats in queues if stats.oldest is not None), default=0.0)
    jobs = "1 job waits" if waiting == 1 else f"{formats.number(waiting)} jobs wait"
    return f"All is served; {jobs}, the next for {formats.duration(oldest)}."


def _everywhere(
    workers: Sequence[WorkerView], letters: int | None, outbox: OutboxView | None, *, lost: bool
) -> Iterator[Finding]:
    if lost:
        yield Finding(Weight.LOST, "Redis lost data", "/#lost")
    if not workers:
        yield Finding(Weight.UNSERVED, "No worker runs", "/workers")
    if outbox and outbox.is_late:
        yield Finding(Weight.LATE, f"The outbox has stood still for {formats.duration(outbox.lag)}", "/outbox")
    if outbox and outbox.bad:
        yield Finding(Weight.STOPPED, _count(outbox.bad, "bad row of the outbox", "bad rows of the outbox"), "/outbox")
    if letters is None:
        yield Finding(Weight.BROKEN, "The dead letters can't be read", "/letters")
    elif letters:
        yield Finding(Weight.DEAD, _count(letters, "dead letter", "dead letters"), "/letters/groups")


def _of_queue(stats: QueueStats, workers: Sequence[WorkerView]) -> Iterator[Finding]:
    name, path = stats.queue, f"/queue/{stats.queue}"
    waiting = stats.total(State.WAITING)
    if stats.trouble:
        yield Finding(Weight.BROKEN, f"{name} can't be read: {stats.trouble.value}", path)
    for alarm in unserved(stats, workers) if workers else ():
        yield Finding(Weight.UNSERVED, f"{name}: {alarm.removesuffix('.')}", path)
    if stats.paused:
        meant = f"{name} is paused" + (f", and {_count(waiting, 'job waits', 'jobs wait')}" if waiting else "")
        yield Finding(Weight.MEANT, meant, path)
    elif stats.oldest is not None and stats.oldest > LONG:
        yield Finding(Weight.LATE, f"{name} has kept its next job waiting for {formats.duration(stats.oldest)}", path)
    if stats.stopped:
        stopped = _count(len(stats.stopped), "schedule has stopped", "schedules have stopped")
        yield Finding(Weight.STOPPED, f"{name}: {stopped}", "/schedules")
    if stats.stuck:
        stuck = _count(len(stats.stuck), "job waits for a dead child", "jobs wait for a dead child")
        yield Finding(Weight.STOPPED, f"{name}: {stuck}", path, State.WAITING_CHILDREN.value)


def _count(count: int, one: str, many: str) -> str:
    return f"{formats.number(count)} {one if count == 1 else many}"
