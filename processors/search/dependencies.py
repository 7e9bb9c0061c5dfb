"""What the jobs of search work with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from processors.search.engine import Engine
    from processors.search.rebuilds import Rebuilds
    from processors.search.writer import Writer
    from storage.ports import SearchRows


@dataclass(frozen=True, slots=True)
class SearchDependencies:
    """What all jobs of a process share. `clock` gives seconds since the epoch."""

    rows: SearchRows
    engine: Engine
    writer: Writer
    rebuilds: Rebuilds
    prefix: str = ""
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
