"""What operators see of a notification: what users were told, and how many of them, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.notifications.payload import NotificationPayload, NotificationResult
from queue_lib.shown import Facts, Showing, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.shown import Part, Seen

WORDS = {
    "created": "added as rows",
    "published": "users had a page open that heard it",
    "emails": "e-mails are enqueued",
    "duplicates": "users have an unread one with its dedupeKey",
    "muted": "users do not want it in the app",
    "unknown": "users are not in the database",
    "without_address": "users get no e-mail, for want of an address",
}


def showing() -> Showing:
    """What is shown."""
    return Showing(parts=lambda seen: [*_of_result(seen), *_of_payload(seen)])


def _of_result(seen: Seen) -> Iterator[Part]:
    if not isinstance(result := seen.result, NotificationResult):
        return
    parts = [f"{count:,} {words}" for name, words in WORDS.items() if (count := getattr(result, name))]
    yield Words(f"{'; '.join(parts)}." if parts else "Nobody was told.")
    if result.collapsed is not None:
        yield Words(f"It is for {result.collapsed:,} events." if result.collapsed else "Another job tells the user.")
    if result.cancelled:
        yield Words("Its cancelKey was cancelled before all were told.")


def _of_payload(seen: Seen) -> Iterator[Part]:
    if isinstance(payload := seen.payload, NotificationPayload):
        facts = {"Title": payload.title, "Body": payload.body, "Channels": ", ".join(payload.channels)}
        yield Facts({name: value for name, value in facts.items() if value})
