"""Adds the jobs of bridges for events that the app publishes in Redis. What is published while none listens is lost."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from queue_lib.bridge import AppEvent
from queue_lib.errors import BrokerUnavailableError, PermanentError
from queue_lib.outcome import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.outbox.bridging import Bridging
    from processors.outbox.metrics import BridgeMetrics
    from queue_lib.chore import Post

LONGEST = 512 * 1024  # characters of a message
MAX_TEXT = 200  # characters of a name in it

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Subscriber:
    """Listens, if no other process does."""

    def __init__(
        self,
        post: Post,
        bridging: Bridging,
        pattern: str,
        metrics: BridgeMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds."""
        self._post = post
        self._bridging = bridging
        self._pattern = pattern
        self._metrics = metrics
        self._clock = clock
        self._deaf_since: float | None = None

    async def listen(self) -> None:
        """Until the connection is cut, or another process listens."""
        try:
            async with self._post.listen(self._pattern) as heard:
                self._hears()
                if heard is None:
                    return
                _log.info("bridges_listen", pattern=self._pattern)
                async for channel, text in heard:
                    await self._take(channel, text)
        except BrokerUnavailableError as error:
            if self._deaf_since is None:
                _log.warning("bridges_deaf", reason=reason_of(error))
            self._count_deaf()
            self._deaf_since = self._clock()

    def _hears(self) -> None:
        self._count_deaf()
        self._deaf_since = None

    def _count_deaf(self) -> None:
        """With each attempt, so that it grows while an outage lasts."""
        if self._deaf_since is not None:
            self._metrics.deaf_seconds += self._clock() - self._deaf_since

    async def _take(self, channel: str, text: str) -> None:
        self._metrics.heard += 1
        try:
            jobs = self._bridging.jobs(event_of(channel, text), f"event-{uuid4().hex}")
            refused = await self._post.add(jobs)
        except PermanentError as error:
            self._lose("bad", channel, reason_of(error))
        except BrokerUnavailableError:
            self._metrics.lost["away"] += 1
            raise
        else:
            for queue, reason in refused.items():
                self._lose("refused", channel, f"queue {queue}: {reason}")

    def _lose(self, why: str, channel: str, reason: str) -> None:
        self._metrics.lost[why] += 1
        _log.error("bridge_message_bad", channel=channel[:100], reason=reason)


def event_of(channel: str, text: str) -> AppEvent:
    """A message as an event. Raises PermanentError for one that is no JSON.

    An object may have the fields of a published event. Without `payload` the message itself is the payload; without
    the others, `aggregateType` is the channel's part behind the prefix, and `aggregateId` the message's `id`.
    """
    if len(text) > LONGEST:
        msg = "it has more than 512 KiB"
        raise PermanentError(msg)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"it can't be read as JSON ({type(error).__name__})"
        raise PermanentError(msg) from None
    fields = found if isinstance(found, dict) else {}
    parts = channel.split(".")
    return AppEvent(
        id=_text(fields.get("id")),
        topic=channel,
        aggregate_type=_text(fields.get("aggregateType")) or (parts[1] if len(parts) > 1 else ""),
        aggregate_id=_text(fields.get("aggregateId")) or _text(fields.get("id")),
        payload=fields.get("payload", found),
        created_at=time.time(),
    )


def _text(value: Any) -> str:
    return str(value)[:MAX_TEXT] if isinstance(value, str | int) and not isinstance(value, bool) else ""
