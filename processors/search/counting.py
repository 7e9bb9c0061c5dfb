"""What the metrics and the reasons say of documents."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from processors.search.engine import EngineAwayError, EngineRefusesError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.processor import Context

METRIC = "search"
RESULTS = ("indexed", "deleted", "stale", "missing", "failed", "busy", "away", "refused", "lost")


@contextmanager
def counting(context: Context) -> Iterator[None]:
    """Count that the engine is away, or refuses this worker."""
    try:
        yield
    except EngineRefusesError:
        context.count(METRIC, {"documents": {"refused": 1}})
        raise
    except EngineAwayError:
        context.count(METRIC, {"documents": {"away": 1}})
        raise


def failed(index: str, reason: str) -> str:
    """Why a document is not in the index."""
    return f"{index} does not take the document: {reason}"
