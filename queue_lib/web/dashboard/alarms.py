"""The alarms of a queue: what is wrong with it, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.web.dashboard import formats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.queues import QueueStats
    from queue_lib.observe.worker_stats import WorkerView

SCHEDULES = 10  # that have stopped, and are shown
STUCK = 5  # parents that are named


def alarms(stats: QueueStats, workers: Sequence[WorkerView]) -> list[str]:
    """What is wrong with a queue: its keys, workers that are missing, schedules that have stopped.

    While any worker runs, a queue that none serves is one that the app does not use, until a job is in it.
    """
    trouble = stats.trouble.value if stats.trouble else ""
    told = [f"{trouble[0].upper()}{trouble[1:]}."] if trouble else []
    stopped = [
        f"The schedule {each.id[:200]} ({each.schedule[:200]}) has stopped: {each.reason}." for each in stats.stopped
    ]
    if more := len(stopped[SCHEDULES:]):
        stopped[SCHEDULES:] = [f"So have {more} more schedules of this queue."]
    return [*told, *unserved(stats, workers), *stopped, *_stuck(stats)]


def _stuck(stats: QueueStats) -> list[str]:
    """Which parents wait for a dead child, and what to do."""
    if not stats.stuck:
        return []
    ids = ", ".join(each.id[:100] for each in stats.stuck[:STUCK])
    more = f" and {len(stats.stuck) - STUCK} more" if len(stats.stuck) > STUCK else ""
    return [f"These jobs wait for a child that has failed for good: {ids}{more}. Retry or remove the child."]


def unserved(stats: QueueStats, workers: Sequence[WorkerView]) -> list[str]:
    """That no worker serves the queue, or one of its wires."""
    serving = [worker for worker in workers if stats.queue in worker.queues]
    if not serving:
        return [] if workers and stats.empty else ["No worker serves this queue."]
    served = {wire for worker in serving for wire in worker.wires}
    return [
        f"No worker serves {formats.WIRES[wire]} jobs of this queue." for wire in stats.counts if wire not in served
    ]
