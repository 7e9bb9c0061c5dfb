"""What the metrics make of what the processors count: one line a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from processors.public_hosts import is_within
from processors.push.delivery import Kind
from queue_lib.processor import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Counts = Mapping[str, Mapping[str, int]]
    Samples = Iterable[tuple[tuple[str, ...], int]]

SERVICES = {
    "fcm.googleapis.com": "google",
    "jmt17.google.com": "google",
    "android.googleapis.com": "google",
    "push.services.mozilla.com": "mozilla",
    "push.apple.com": "apple",
    "notify.windows.com": "microsoft",
}
OTHER, REFUSED = "other", "refused"
PUSHES, FILES = "push-notifications", "file-processing"
OF_DELIVERIES = {"service": (*sorted(set(SERVICES.values())), OTHER, REFUSED), "result": tuple(Kind)}


def service(origin: str) -> str:
    """Whose push service it is; `refused` where nobody was called, `other` for any that is not known by name."""
    if origin == REFUSED:
        return REFUSED
    host = urlsplit(origin).hostname or ""
    return next((name for domain, name in SERVICES.items() if is_within(host, domain)), OTHER)


def by_service_and_result(counts: Counts) -> Samples:
    """`{origin: {result: n}}`; the results are those of `Kind`."""
    return [((service(origin), kind), count) for origin, kinds in counts.items() for kind, count in kinds.items()]


def by_key(counts: Counts) -> Samples:
    """`{key: {...: n}}`, where the processor's own words are the keys."""
    return [((key,), sum(kinds.values())) for key, kinds in counts.items()]


def in_all(counts: Counts) -> Samples:
    """`{...: {...: n}}`, added up."""
    return [((), sum(sum(kinds.values()) for kinds in counts.values()))]


TALLIES: tuple[Tally, ...] = (
    Tally(
        "push_deliveries", "push_results", "Messages to subscriptions.", PUSHES, OF_DELIVERIES, by_service_and_result
    ),
    Tally("push_pruned", "push_pruned", "Subscriptions that were deleted or switched off.", PUSHES, {}, in_all),
    Tally(
        "media_bytes",
        "media_bytes",
        "Bytes of uploads, and of what was made of them.",
        FILES,
        {"direction": ("in", "out")},
        by_key,
    ),
)
