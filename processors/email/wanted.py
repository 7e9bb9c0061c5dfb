"""Whether the user wants a mail, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.reach.choice import MUTED, Channel, Occasion

if TYPE_CHECKING:
    from processors.email.payload import EmailPayload
    from processors.reach.reach import Reach

URGENT = "password_reset"  # nobody can do without it


async def is_wanted(payload: EmailPayload, name: str, reach: Reach | None) -> bool:
    """Whether the user of this job wants it now. Raises SnoozeError until quiet hours end.

    Mails without a user, and those that reset a password, are always wanted.
    """
    if reach is None or payload.user_id is None or name == URGENT:
        return True
    return await reach.is_wanted(payload.user_id, _occasion(payload))


async def quiet_for(payload: EmailPayload, name: str, reach: Reach | None) -> float:
    """Seconds until the user's quiet hours end; 0 if the mail does not wait for them."""
    if reach is None or payload.user_id is None or name == URGENT:
        return 0.0
    wait = await reach.wait(payload.user_id, _occasion(payload))
    return wait if wait < MUTED else 0.0


def _occasion(payload: EmailPayload) -> Occasion:
    return Occasion(Channel.EMAIL, payload.type, payload.quiet)
