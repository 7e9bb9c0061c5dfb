"""What the tests of maintenance share: an object store in memory, rows, and ready-made dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.maintenance.cleanup import Cleanup, CleanupDependencies
from processors.maintenance.payload import CleanupPayload, CleanupResult
from processors.maintenance.places import Places
from storage.objects.base import Deleted, Listed
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from storage.objects.base import Clearable

NOW = 1_800_000_000.0  # seconds since the epoch
HOUR = 3600.0


class MemoryStore:
    """Objects in memory: key -> when it was modified. With `is_wrong` it lists all of them, whatever is asked."""

    def __init__(self, objects: Mapping[str, float], *, page: int = 3, is_wrong: bool = False) -> None:
        self.objects = dict(objects)
        self.refuses: dict[str, str] = {}
        self.fails: dict[str, str] = {}
        self.fault: Exception | None = None
        self._page, self._is_wrong = page, is_wrong

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Listed]]:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        found = [
            Listed(key, 10, modified)
            for key, modified in self.objects.items()
            if self._is_wrong or key.startswith(f"{folder}/")
        ]
        for start in range(0, len(found), self._page):
            yield found[start : start + self._page]

    async def delete(self, objects: Sequence[Listed]) -> Deleted:
        """See the port."""
        refused = {each.key: self.refuses[each.key] for each in objects if each.key in self.refuses}
        failed = {each.key: self.fails[each.key] for each in objects if each.key in self.fails}
        gone = [each.key for each in objects if each.key not in refused | failed]
        for key in gone:
            del self.objects[key]
        return Deleted(frozenset(gone), refused, failed)


class MemoryRows:
    """Old rows, as many as a test says."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.batches: list[int] = []
        self.ages: set[float] = set()
        self.fault: Exception | None = None

    async def count(self, age: float, most: int) -> int:
        """See the port."""
        self.ages.add(age)
        return min(self.number, most)

    async def first(self, age: float, limit: int) -> list[str]:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        self.ages.add(age)
        return [f"2026-11-{day + 1:02}" for day in range(min(limit, self.number))]

    async def delete(self, age: float, limit: int) -> int:
        """See the port."""
        self.ages.add(age)
        deleted = min(limit, self.number)
        self.number -= deleted
        self.batches.append(deleted)
        return deleted


async def no_sleep(_: float) -> None:
    """Go on at once."""


def cleanup_of(stores: Mapping[str, Clearable], *, most: int = 100_000, now: float = NOW, **rows: Any) -> Cleanup:
    """The processor over these places, by their folders, and these rows, by their target types."""
    return Cleanup(CleanupDependencies(Places(stores), rows, most, lambda: now, no_sleep))


def files_payload(path: str | None = None, hours: float = 1, **others: Any) -> CleanupPayload:
    """A valid payload for files."""
    data = {"targetType": "temp_files", "olderThan": round(hours * HOUR * 1000), "path": path, **others}
    return CleanupPayload.model_validate(data)


async def clean(cleanup: Cleanup, *args: Any, context: FakeContext | None = None, **others: Any) -> CleanupResult:
    """Run a job."""
    return await cleanup(files_payload(*args, **others), context or FakeContext())


def aged(keys: Iterable[str], hours: float = 2) -> dict[str, float]:
    """Objects of that age."""
    return dict.fromkeys(keys, NOW - hours * HOUR)
