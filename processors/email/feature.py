"""The manifest of e-mail: mails over SMTP. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.email.delivery_settings import DeliverySettings
from processors.email.outcomes import METRIC, Kind
from processors.email.payload import EmailPayload
from processors.email.result import EmailResult
from processors.email.settings import EmailSettings
from processors.email.smtp.settings import SmtpSettings
from processors.reach.settings import ReachSettings
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from queue_lib.feature import Counter, Feature
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema
from queue_lib.queues import DAY, Queue, Retention
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served
    from queue_lib.shown import Find, Showing

QUEUE = "email"
NAMES = ("password_reset", "generic", "send-email", "EMAIL_SEND")
ATTEMPTS = {"password_reset": 5}  # of the others: the queue's


def _by_result(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[tuple[str, ...], int]]:
    """`{provider: {result: n}}`; the results are those of `Kind`."""
    return [((kind,), count) for kinds in counts.values() for kind, count in kinds.items()]


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.email.opening import opened

    return opened(served, tools)


def _shows(_find: Find) -> Showing:
    from processors.email.shown import showing

    return showing()


EMAIL = Feature(
    name="email",
    queues=(
        Queue(
            name=QUEUE,
            profile="light",
            concurrency=5,
            rate_max=10,
            attempts=3,
            backoff=Backoff((5.0,), exponential=True),
            timeout=900.0,  # the answer to the final dot may take ten minutes (RFC 5321, section 4.5.3.2.6)
            keep_completed=Retention(age=DAY, count=1000),
        ),
    ),
    jobs=tuple(JobSchema(name, QUEUE, EmailPayload, EmailResult, attempts=ATTEMPTS.get(name)) for name in NAMES),
    settings=(SmtpSettings, EmailSettings, DeliverySettings),
    shared_settings=(ReachSettings, PlatformSettings, SandboxSettings),
    optional_settings=(DatabaseSettings, ObjectsSettings),
    counters=(
        Counter(
            metric=METRIC,
            name="mail_results",
            meaning="What became of the recipients of mails.",
            queue=QUEUE,
            labels={"result": tuple(Kind)},
            samples=_by_result,
        ),
    ),
    open=_open,
    shows=_shows,
)
