"""The manifest of search. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.search.counting import METRIC, RESULTS
from processors.search.payload import BackfillPayload, BackfillResult, IndexPayload, IndexResult
from processors.search.settings import SearchSettings
from queue_lib.feature import Counter, Feature
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema
from queue_lib.queues import DAY, Queue, Retention
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from fastapi import APIRouter

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served
    from queue_lib.shown import Find, Showing

QUEUE = "search"


def _by_result(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[tuple[str, ...], int]]:
    """`{"documents": {result: n}}`."""
    return [((result,), count) for kinds in counts.values() for result, count in kinds.items()]


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.search.opening import opened

    return opened(served, tools)


def _routes() -> APIRouter:
    from processors.search.api import router

    return router


def _shows(_find: Find) -> Showing:
    from processors.search.shown import showing

    return showing()


SEARCH = Feature(
    name="search",
    queues=(
        Queue(
            name=QUEUE,
            profile="light",
            needs=("database",),
            concurrency=5,
            rate_max=100,
            attempts=5,
            backoff=Backoff((2.0,), exponential=True),
            timeout=120.0,
            keep_completed=Retention(age=DAY, count=1000),
        ),
    ),
    jobs=(
        JobSchema("index_doc", QUEUE, IndexPayload, IndexResult),
        JobSchema("backfill", QUEUE, BackfillPayload, BackfillResult, attempts=3, backoff=Backoff((30.0,))),
    ),
    settings=(SearchSettings,),
    shared_settings=(DatabaseSettings,),
    counters=(
        Counter(
            metric=METRIC,
            name="search_documents",
            meaning="What became of documents for the search engine.",
            queue=QUEUE,
            labels={"result": RESULTS},
            samples=_by_result,
        ),
    ),
    open=_open,
    shows=_shows,
    routes=_routes,
)
