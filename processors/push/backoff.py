"""When a message is sent again. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from processors.push.delivery import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.push.delivery import Delivery

MAX_ATTEMPTS = 5
BASE, FACTOR = 10.0, 4.0  # seconds: at most 10, 40, 160, 640, and at least half of it
MINUTE = 60.0
# Seconds between groups that would be due at the same time: a group is identified by its due time.
APART = 0.001


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait after attempt number `attempt` (the first is 1); `chance` in [0, 1) spreads the jobs."""
    whole = BASE * FACTOR ** (attempt - 1)
    return whole / 2 + whole / 2 * chance


def group_by_delay(
    ends: Sequence[tuple[str, Delivery]], attempt: int, chance: float, at_most: int
) -> Iterator[tuple[float, list[str]]]:
    """When each subscription is sent to again: pairs of a delay (seconds, all different) and up to `at_most` ids.

    `ends` are pairs of a subscription's id and how attempt number `attempt` ended. Subscriptions without a time of
    their own share one delay. A pause that a push service asked for is rounded up to minutes, so that groups are few.
    """
    usual = backoff(attempt, chance)
    groups: dict[float, list[str]] = defaultdict(list)
    for subscription_id, delivery in ends:
        asked = delivery.retry_after if delivery.kind is Kind.THROTTLED else None
        late = asked is not None and asked > usual
        groups[math.ceil((asked or 0.0) / MINUTE) * MINUTE if late else usual].append(subscription_id)
    for delay, ids in groups.items():
        for part, start in enumerate(range(0, len(ids), at_most)):
            yield delay + part * APART, ids[start : start + at_most]
