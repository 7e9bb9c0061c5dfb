"""What autoscalers ask: how long jobs have waited for the processes of each WORKER_TYPE."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from queue_lib.queues import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.queues import QueueStats

ALL = "all"
TYPES: tuple[str, ...] = (ALL, *get_args(Profile))


def loads(stats: Sequence[QueueStats]) -> dict[str, float]:
    """For each WORKER_TYPE that has queues, the greatest load of them, in seconds; `all` has every queue."""
    found = {kind: [each.load for each in stats if kind in {ALL, each.profile}] for kind in TYPES}
    return {kind: max(of_queues) for kind, of_queues in found.items() if of_queues}
