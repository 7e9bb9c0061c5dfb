"""The memory that a process reports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from queue_lib.observe import memory


def process(pages: Any) -> Any:
    """A process that hides its maps: `pages` is what it shows, or raises."""

    def denied() -> None:
        raise psutil.AccessDenied

    def shown() -> Any:
        if isinstance(pages, Exception):
            raise pages
        return pages

    return SimpleNamespace(memory_full_info=denied, memory_info=shown)


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (SimpleNamespace(rss=30, shared=10), 20),
        (SimpleNamespace(rss=30), 30),
        (psutil.AccessDenied(), 0),
        (psutil.NoSuchProcess(1), 0),
    ],
)
def test_a_process_that_hides_its_maps(pages: Any, expected: int) -> None:
    """Its own memory counts if only root may read a child's maps; nothing counts if nothing can be read."""
    assert expected == memory.of(process(pages))
