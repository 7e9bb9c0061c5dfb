"""What the runs of one mail job have settled with the server, so that a later run does not send it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from processors.email.mail import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from processors.email.mail import Receipt
    from queue_lib.processor import Context

# The notes. Before the message is sent, `data` is written; after the answer it is deleted again. A run that finds it
# does not know whether the server has the mail.
DATA, RESPONSE, REFUSED_SINCE, ENDED = "data", "response", "refusedSince", "ended"
_ACCEPTED, _REJECTED, _SUPPRESSED = "a:", "r:", "s:"  # before an address
MAX_WORDS = 300  # characters of a server's line


class Ledger:
    """Who has been accepted and who rejected, in all runs of this job."""

    def __init__(self, context: Context, notes: Mapping[str, str]) -> None:
        """Continue from the `notes` of earlier runs."""
        self._context = context
        self._notes = dict(notes)
        self._unwritten: dict[str, str] = {}
        self.accepted = _named(notes, _ACCEPTED)
        self.suppressed = _named(notes, _SUPPRESSED)
        self.rejected = [
            Refusal(key.removeprefix(_REJECTED), *json.loads(value))
            for key, value in notes.items()
            if key.startswith(_REJECTED)
        ]

    @classmethod
    async def open(cls, context: Context) -> Self:
        """Read what earlier runs have noted. Raises BrokerUnavailableError."""
        return cls(context, await context.notes())

    @property
    def is_uncertain(self) -> bool:
        """Whether the server may have the mail without anybody having noted it."""
        return DATA in self._notes

    @property
    def has_ended(self) -> bool:
        """Whether an earlier run has settled all recipients."""
        return ENDED in self._notes

    @property
    def response(self) -> str:
        """The server's last answer to the message."""
        return self._notes.get(RESPONSE, "")

    def pending(self, recipients: Iterable[str]) -> tuple[str, ...]:
        """Those of the recipients that are not settled."""
        settled = {*self.accepted, *self.suppressed, *(refusal.address for refusal in self.rejected)}
        return tuple(address for address in recipients if address not in settled)

    def suppress(self, addresses: Sequence[str]) -> None:
        """These are not written to. It is noted with what is noted next."""
        self.suppressed += addresses
        self._unwritten |= {_SUPPRESSED + address: "1" for address in addresses}

    async def begin(self) -> None:
        """The message is about to be sent."""
        await self._write({DATA: str(self._context.job.attempt)})

    async def take_back(self) -> None:
        """The server has refused the message: nothing was sent."""
        if self.is_uncertain:
            await self._write({}, DATA)

    async def settle(self, receipt: Receipt, final: Sequence[Refusal], *, is_end: bool) -> None:
        """The server has answered; `final` are the refusals that stay."""
        entries = {_ACCEPTED + address: "1" for address in receipt.accepted}
        entries |= {_REJECTED + each.address: _written(each) for each in final}
        entries |= {RESPONSE: receipt.response[:MAX_WORDS]} if receipt.response else {}
        entries |= {ENDED: "1"} if is_end else {}
        self.accepted += receipt.accepted
        self.rejected += final
        await self._write(entries, DATA, REFUSED_SINCE)

    async def end(self, final: Sequence[Refusal] = ()) -> None:
        """All recipients are settled: those that are left as `final` says."""
        self.rejected += final
        await self._write({ENDED: "1"} | {_REJECTED + each.address: _written(each) for each in final}, DATA)

    async def refused_for(self, now: float) -> float:
        """The server refuses us, or this mail: for how many seconds by now. `now` is in seconds since the epoch."""
        since = float(self._notes.get(REFUSED_SINCE, now))
        await self._write({REFUSED_SINCE: repr(since)})  # again each time: notes are kept for a day from the last one
        return now - since

    async def forget_refusals(self) -> None:
        """The day is over: a replay has another one."""
        await self._write({}, REFUSED_SINCE)

    async def clear(self) -> None:
        """Forget all: nobody has the mail."""
        await self._write({}, *self._notes)

    async def _write(self, new: Mapping[str, str], *forget: str) -> None:
        entries = {**self._unwritten, **new}
        known = [key for key in forget if key in self._notes]
        if entries or known:
            await self._context.note(entries, known)
        self._unwritten = {}
        self._notes = {key: value for key, value in self._notes.items() if key not in known} | dict(entries)


def _named(notes: Iterable[str], prefix: str) -> list[str]:
    return [key.removeprefix(prefix) for key in notes if key.startswith(prefix)]


def _written(refusal: Refusal) -> str:
    return json.dumps([refusal.code, refusal.enhanced, refusal.message[:MAX_WORDS]])
