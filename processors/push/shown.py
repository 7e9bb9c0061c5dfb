"""What operators see of a push: its counts in words, and what each push service answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.push.payload import BatchPayload, PushPayload
from processors.push.result import PushResult
from queue_lib.shown import Facts, Showing, Table, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.shown import Part, Seen

WORDS = {
    "sent": "sent",
    "failed": "failed, and their rows are kept",
    "pruned": "gone, and their rows are removed or switched off",
    "retrying": "left to follow-up jobs",
    "skipped": "settled by an earlier run, or left out",
    "expired": "too late to be sent",
    "muted": "not wanted by their users",
    "waiting": "left to follow-up jobs until quiet hours end",
}


def showing() -> Showing:
    """What is shown."""
    return Showing(parts=lambda seen: [*_of_result(seen), *_of_payload(seen)])


def _of_result(seen: Seen) -> Iterator[Part]:
    if not isinstance(result := seen.result, PushResult):
        return
    yield Words(in_words(result))
    if result.collapsed is not None:
        told = f"One message for {result.collapsed:,} events." if result.collapsed else "Another job sends its message."
        yield Words(told)
    if result.cancelled:
        yield Words("Its cancelKey was cancelled before it had sent to all.")
    if result.ignored:
        yield Words(f"The worker does not know these fields of the job: {', '.join(result.ignored)}.")
    rows = [
        (origin, ", ".join(f"{kind} {count:,}" for kind, count in answers.items()))
        for origin, answers in result.origins.items()
    ]
    if rows:
        yield Table("Push services", ("Service", "Answers"), rows)


def in_words(result: PushResult) -> str:
    """Such as `Of 3 subscriptions: 2 sent; 1 gone, and their rows are removed or switched off.`."""
    parts = [f"{count:,} {words}" for name, words in WORDS.items() if (count := getattr(result, name))]
    if not parts:
        return "It had no subscription to send to."
    return f"Of {result.total:,} subscription{'' if result.total == 1 else 's'}: {'; '.join(parts)}."


def _of_payload(seen: Seen) -> Iterator[Part]:
    if isinstance(seen.payload, (PushPayload, BatchPayload)):
        message = seen.payload.payload
        facts = {"Title": message.title, "Body": message.body, "Address": message.url}
        yield Facts({name: str(value) for name, value in facts.items() if value})
