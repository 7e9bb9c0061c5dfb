"""Bridges: which jobs follow what happens in the app."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from queue_lib.addition import Deduplication


@dataclass(frozen=True, slots=True)
class AppEvent:
    """What has happened in the app: a row of its outbox.

    `topic` is the channel on which it is published, `epop.<aggregate>.<event>`. `payload` is JSON. `created_at` is in
    seconds since the epoch.
    """

    id: str
    topic: str
    aggregate_type: str
    aggregate_id: str
    payload: Any = field(repr=False)
    created_at: float


@dataclass(frozen=True, slots=True)
class Bridge:
    """Adds the job `job` for each event whose topic matches `topic`, as in `epop.message.*`.

    `*` stands for any text, also with dots in it, and the prefix `epop.` may be left out. `data` makes the job's
    payload of the event; None means: no job for this one. `deduplication` makes BullMQ's option.
    """

    topic: str
    job: str
    data: Callable[[AppEvent], Mapping[str, Any] | None]
    _: KW_ONLY
    deduplication: Callable[[AppEvent], Deduplication | None] | None = None
