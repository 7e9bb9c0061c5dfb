"""`push-notification`: one notification to all devices of a user."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

import structlog

from processors.outage import outages_put_off
from processors.push.delivery import Delivery, Failed, Gone, Message, Sender, Sent
from processors.push.endpoints import log_fields
from processors.push.payload import PushPayload, PushResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from queue_lib.processor import Context
    from storage.ports import Subscription, Subscriptions

# Of one job. More gains nothing and less is slow: at 20 to 50 ms an answer, 50 keep one core busy with encryption.
CONCURRENCY = 50

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class PushNotification:
    """Sends to every subscription of the user, and deletes those that are gone."""

    def __init__(self, subscriptions: Subscriptions, sender: Sender) -> None:
        """Take where subscriptions are read and who sends."""
        self._subscriptions = subscriptions
        self._sender = sender

    async def __call__(self, payload: PushPayload, _context: Context, /) -> PushResult:
        """Run one job. Raises PermanentError for a message that no push service takes."""
        message = payload.message()
        with outages_put_off():
            subscriptions = await self._subscriptions.of_user(payload.user_id)
        deliveries = await self._send_all(subscriptions, message)
        sent, gone = _sort(deliveries)
        pruned = await self._prune(gone)
        # The retry of single subscriptions goes here: for now a job ends well whatever failed, because a second run
        # of it would send again to those that did receive the message.
        total = len(deliveries)
        return PushResult(sent=sent, failed=total - sent - pruned, pruned=pruned, total=total)

    async def _send_all(
        self, subscriptions: Sequence[Subscription], message: Message
    ) -> list[tuple[Subscription, Delivery]]:
        waiting = iter(subscriptions)
        workers = [self._work(waiting, message) for _ in range(min(CONCURRENCY, len(subscriptions)))]
        return [delivery for worker in await asyncio.gather(*workers) for delivery in worker]

    async def _work(self, waiting: Iterator[Subscription], message: Message) -> list[tuple[Subscription, Delivery]]:
        return [(subscription, await self._send(subscription, message)) for subscription in waiting]

    async def _send(self, subscription: Subscription, message: Message) -> Delivery:
        # Even a fault that nobody thought of stays with its subscription: the others must not be sent to twice.
        [end] = await asyncio.gather(self._sender.send(subscription, message), return_exceptions=True)
        return Failed(f"unexpected {type(end).__name__}") if isinstance(end, BaseException) else end

    async def _prune(self, gone: list[Subscription]) -> int:
        """Delete the rows; returns how many. A database that is away is no reason to send everything again."""
        if not gone:
            return 0
        [deleted] = await asyncio.gather(self._subscriptions.prune(gone), return_exceptions=True)
        if isinstance(deleted, BaseException):
            _log.warning("prune_failed", subscriptions=len(gone), error=type(deleted).__name__)
            return 0
        return deleted


def _sort(deliveries: Sequence[tuple[Subscription, Delivery]]) -> tuple[int, list[Subscription]]:
    """How many were sent, and the subscriptions that are gone; the others are logged only."""
    sent, gone = 0, []
    for subscription, delivery in deliveries:
        match delivery:
            case Sent():
                sent += 1
            case Gone(reason):
                gone.append(subscription)
                _log.info("push_gone", **log_fields(subscription.endpoint), reason=reason)
            case Failed(reason):
                _log.warning("push_failed", **log_fields(subscription.endpoint), reason=reason)
            case _:
                assert_never(delivery)
    return sent, gone
