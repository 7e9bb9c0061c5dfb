"""The manifest of exports. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from processors.exports.payload import ExportPayload, ExportResult, ExportType
from processors.exports.settings import ExportSettings
from processors.reach.settings import AddressSettings
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from queue_lib.feature import Counter, Feature
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema
from queue_lib.queues import DAY, HOUR, Queue, Retention
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served
    from queue_lib.shown import Find, Showing

QUEUE = "exports"
NAMES = ("data-export", "DATA_EXPORT")
ROWS, BYTES = "export_rows", "export_bytes"


def _by_type(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[tuple[str, ...], int]]:
    """`{"files": {type: n}}`."""
    return [((kind,), count) for kinds in counts.values() for kind, count in kinds.items()]


def _counter(name: str, meaning: str) -> Counter:
    labels = {"type": get_args(ExportType)}
    return Counter(metric=name, name=name, meaning=meaning, queue=QUEUE, labels=labels, samples=_by_type)


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.exports.opening import opened

    return opened(served, tools)


def _shows(find: Find) -> Showing:
    from processors.exports.shown import showing

    return showing(find(ObjectsSettings))


EXPORTS = Feature(
    name="exports",
    queues=(
        Queue(
            name=QUEUE,
            profile="medium",
            needs=("export_database", "storage", "disk"),
            concurrency=2,
            rate_max=0,
            attempts=2,
            backoff=Backoff((30.0,), exponential=True),
            timeout=HOUR,
            keep_completed=Retention(age=DAY, count=1000),
        ),
    ),
    jobs=tuple(JobSchema(name, QUEUE, ExportPayload, ExportResult) for name in NAMES),
    settings=(ExportSettings, ObjectsSettings),
    shared_settings=(DatabaseSettings, AddressSettings, PlatformSettings, SandboxSettings),
    counters=(
        _counter(ROWS, "Rows of exports that were stored."),
        _counter(BYTES, "Bytes of exports that were stored."),
    ),
    open=_open,
    shows=_shows,
)
