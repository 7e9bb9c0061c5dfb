"""The engine is left alone for a while after it has failed: a dead one would take each job's time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from processors.search.engine import EngineAwayError, EngineRefusesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST = 60.0  # seconds of a rest, unless the engine asks for more

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Rest:
    """What this process knows of the engine: whether it is left alone, and until when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._error: EngineAwayError | None = None
        self._until = 0.0
        self._seconds = 0.0

    async def check(self) -> None:
        """Raise why the engine is left alone, if it is."""
        left = self._until - self._clock()
        if self._error is not None and left > 0:
            raise self._again(self._error, left)

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Ask the engine within this block: an error begins a rest, and each further one a rest twice as long."""
        try:
            yield
        except EngineAwayError as error:
            self._begin(error)
            raise self._again(error, self._seconds) from error
        if self._error is not None:
            self._error, self._seconds = None, 0.0
            _log.info("search_engine_back")

    def _begin(self, error: EngineAwayError) -> None:
        is_news, is_refusal = self._error is None, isinstance(error, EngineRefusesError)
        if is_news or self._clock() >= self._until:  # else a request that was under way has failed, too
            self._seconds = max(error.delay, min(2 * self._seconds, LONGEST))
            self._until = self._clock() + self._seconds
            log = _log.error if is_news else _log.warning
            log("search_engine_rests", reason=str(error), refused=is_refusal, delay=self._seconds)
        self._error = error

    @staticmethod
    def _again(error: EngineAwayError, delay: float) -> EngineAwayError:
        copy = type(error).__new__(type(error))
        EngineAwayError.__init__(copy, str(error).removeprefix("the search engine: "), delay)
        return copy
