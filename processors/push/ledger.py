"""What the runs of one job have settled, so that a later run does not send it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Self

from queue_lib.errors import BrokerUnavailableError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from queue_lib.processor import Context
    from storage.ports import Subscription

# Seconds between two writes while messages are under way. What was answered since the last write is sent again if the
# process is killed. A job that ends sooner writes nothing: its completion says the same.
WRITE_EVERY = 0.01
# While Redis is slow or away, no more messages are sent than these and those in flight.
MAX_UNWRITTEN = 50
_SETTLED = "1"
_SUBSCRIPTION = "s:"  # before a subscription's id, to tell it from other notes


class Ledger:
    """The subscriptions that this job must not send to (again): settled, handed over to a follow-up job, or excluded.

    They are in the job's notes: `s:<subscription id>` is `1` if settled, else the follow-up's due time (epoch seconds).
    """

    def __init__(self, context: Context, notes: Mapping[str, str], excluded: str | None = None) -> None:
        """Continue from the `notes` of earlier runs. `excluded` is an endpoint."""
        self._context = context
        self._excluded = excluded
        self._known = {key.removeprefix(_SUBSCRIPTION): value for key, value in notes.items() if _is_entry(key)}
        self._unwritten: dict[str, str] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self.others = {key: value for key, value in notes.items() if not _is_entry(key)}

    def fixed(self, key: str, number: float) -> float:
        """The number that the first run chose for all: `number`, unless an earlier run has noted another."""
        if key in self.others:
            return float(self.others[key])
        self._unwritten[key] = repr(number)
        return number

    @classmethod
    async def open(cls, context: Context, excluded: str | None = None) -> Self:
        """Read what earlier runs have noted. `excluded` is an endpoint to which nothing is sent."""
        return cls(context, await context.notes(), excluded)

    def __contains__(self, subscription: Subscription) -> bool:
        """Whether an earlier run has settled this subscription or handed it over, or it is excluded."""
        return subscription.id in self._known or subscription.endpoint == self._excluded

    def handed_over(self) -> dict[float, list[str]]:
        """The subscriptions that earlier runs handed over: due time -> ids, one group a follow-up job."""
        groups: dict[float, list[str]] = defaultdict(list)
        for subscription_id, value in self._known.items():
            if value != _SETTLED:
                groups[float(value)].append(subscription_id)
        return dict(groups)

    async def settle(self, subscription: Subscription) -> None:
        """Note that this subscription's message has ended for good. It is written within 10 ms.

        Once MAX_UNWRITTEN are unwritten, this waits until they are written: call it while holding the permit.
        Raises BrokerUnavailableError when much is unwritten and Redis stays away.
        """
        self._unwritten[_SUBSCRIPTION + subscription.id] = _SETTLED
        if len(self._unwritten) >= MAX_UNWRITTEN:
            await self.write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_EVERY, self._write_soon)

    async def hand_over(self, ids: Iterable[str], due: float) -> None:
        """Write that these go to the follow-up job that is due at `due` (epoch seconds), with all that is settled."""
        self._unwritten.update({_SUBSCRIPTION + subscription_id: repr(due) for subscription_id in ids})
        await self.write()

    def enqueued(self, ids: Iterable[str]) -> None:
        """The follow-up job for these is in its queue. From the next write on, no later run enqueues it again."""
        self._unwritten.update(dict.fromkeys((_SUBSCRIPTION + each for each in ids), _SETTLED))

    async def write(self, notes: Mapping[str, str] | None = None, forget: Collection[Subscription] = ()) -> None:
        """Write what is not written yet, and other `notes`; forget subscriptions that no later run reads.

        Raises BrokerUnavailableError.
        """
        async with self._writing:  # one at a time: nothing is written after it was forgotten
            gone = {_SUBSCRIPTION + subscription.id for subscription in forget}
            unwritten = dict(self._unwritten)
            entries = {key: value for key, value in unwritten.items() if key not in gone} | dict(notes or {})
            if entries or gone:
                await self._context.note(entries, gone)
            for key in unwritten:
                del self._unwritten[key]

    async def close(self) -> None:
        """Stop writing. What is unwritten stays so unless `write` is called: the end of the job says the same."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    def _write_soon(self) -> None:
        self._timer = None  # what is settled from here on sets another
        self._writer = asyncio.create_task(self._write_or_leave())

    async def _write_or_leave(self) -> None:
        # What can't be written stays unwritten: the next `settle`, or the end of the job, raises the same.
        with contextlib.suppress(BrokerUnavailableError, LeaseLostError):
            await self.write()


def _is_entry(key: str) -> bool:
    return key.startswith(_SUBSCRIPTION)
