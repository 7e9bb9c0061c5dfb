"""Addresses whose mailbox is not there: they are recorded, so that nobody writes to them again for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.email.outcomes import line
from processors.outage import outages_put_off

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.email.mail import Refusal
    from storage.ports import Suppressions

# The mailbox is not there, or has been closed (RFC 3463, section 3.2 and 3.3; RFC 7505).
BOUNCES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})


async def record_bounces(suppressions: Suppressions, rejected: Iterable[Refusal]) -> None:
    """Add those of the rejected that bounced; one that is there is renewed. Raises SnoozeError in an outage."""
    for refusal in rejected:
        if refusal.enhanced in BOUNCES:
            with outages_put_off():
                await suppressions.add(refusal.address.lower(), line(refusal))
