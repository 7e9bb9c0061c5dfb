"""Opens search: its processors over the engine, the views and the shared cache."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.search.backfill import Backfill
from processors.search.dependencies import SearchDependencies
from processors.search.elastic import Elastic
from processors.search.http_api import Api, Location
from processors.search.index_doc import IndexDoc
from processors.search.rebuilds import Rebuilds
from processors.search.settings import SearchSettings
from processors.search.writer import Writer
from processors.search.zinc import ES, Zinc
from queue_lib.feature import Opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.outbound import HttpClient
    from processors.search.engine import Engine
    from processors.tools import Tools
    from queue_lib.feature import Served


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """Search, until the worker ends. The caller closes the tools."""
    settings = served.of(SearchSettings)
    engine = engine_of(settings, tools.http)
    dependencies = SearchDependencies(
        rows=tools.storage.search_rows(),
        engine=engine,
        writer=(writer := Writer(engine)),
        rebuilds=Rebuilds(tools.cache),
        prefix=settings.search_index_prefix,
    )
    backfill = Backfill(dependencies)
    yield Opened(
        processors={"index_doc": IndexDoc(dependencies), "backfill": backfill},
        on_dead={"backfill": backfill.on_dead},
        checks={"search_engine": writer.rest.check},
    )


def engine_of(settings: SearchSettings, http: HttpClient) -> Engine:
    """The engine that the settings name. ZincSearch's URL may end with `/es` or not."""
    url = settings.search_url.get_secret_value().rstrip("/")
    if settings.search_engine == "zincsearch":
        return Zinc(Api(http, Location.parse(url.removesuffix(ES))))
    return Elastic(Api(http, Location.parse(url)))
