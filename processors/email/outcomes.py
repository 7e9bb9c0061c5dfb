"""What one run of a mail job has done, for the metrics and the log. No address is in either."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

import structlog

from processors.email.mail import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from queue_lib.processor import Context

METRIC = "mails"
MAX_LINES = 20  # of the log about single recipients; the counts have the rest
PROVIDERS = {
    "gmail": re.compile(r"(gmail|googlemail)\.com"),
    "microsoft": re.compile(r"(outlook|hotmail|live|msn)\.[a-z.]+"),
    "yahoo": re.compile(r"(yahoo\.[a-z.]+|ymail\.com|rocketmail\.com|aol\.com)"),
}
OTHER = "other"
_ANSWER = re.compile(r"\b([245]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?")

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Kind(enum.StrEnum):
    """What became of one recipient in a run."""

    SENT = "sent"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    SUPPRESSED = "suppressed"
    MUTED = "muted"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    COLLAPSED = "collapsed"  # into another job's mail
    ALREADY_SENT = "alreadySent"
    AWAY = "away"  # the server
    REFUSED = "refused"  # it refuses us
    FAILED = "failed"  # the mail
    UNCERTAIN = "uncertain"


def provider(address: str) -> str:
    """Who has the mailbox: gmail, microsoft, yahoo, or other."""
    domain = address.rpartition("@")[2].lower()
    return next((name for name, domains in PROVIDERS.items() if domains.fullmatch(domain)), OTHER)


def line(refusal: Refusal) -> str:
    """What the server said, in one line."""
    return " ".join(filter(None, [str(refusal.code or ""), refusal.enhanced, refusal.message]))


def as_refusal(address: str, error: Exception) -> Refusal:
    """What ended a mail, as the refusal of one recipient; the code is 0 if it was no answer of the server's."""
    text = str(error)
    found = _ANSWER.search(text)
    return Refusal(address, int(found[1]) if found else 0, (found[2] or "") if found else "", text)


class Outcomes:
    """Counts the recipients of a run, and tells the log of those that were refused."""

    def __init__(self, context: Context, template: str | None) -> None:
        """`template` is the name of the mail's template, if it has one."""
        self._context = context
        self._template = template
        self._lines = 0

    def count(self, kind: Kind, addresses: Iterable[str]) -> None:
        """So many recipients ended so."""
        for address in addresses:
            self._context.count(METRIC, {provider(address): {kind.value: 1}})

    def refused(self, kind: Kind, refusals: Iterable[Refusal]) -> None:
        """The server refused these, for now or for good."""
        for refusal in refusals:
            self.count(kind, [refusal.address])
            self._lines += 1
            if self._lines <= MAX_LINES:
                _log.warning(
                    "mail_recipient_refused",
                    id=self._context.job.id[:200],
                    template=self._template,
                    provider=provider(refusal.address),
                    kind=kind.value,
                    reason=line(refusal)[:300],
                )
