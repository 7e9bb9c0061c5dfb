"""`cleanup`: objects, files and rows that are old are deleted, within what settings allow."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processors.maintenance.payload import SHOWN, CleanupPayload, CleanupResult
from processors.maintenance.places import Places
from processors.outage import outages_put_off
from queue_lib.errors import PermanentError, TransientError
from storage.errors import InvalidKeyError, SchemaError, StatementRefusedError, StorageRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from processors.maintenance.places import Place
    from queue_lib.processor import Context
    from storage.objects.base import Listed
    from storage.ports import OldRows

BATCH = 1000  # rows of a statement
PAUSE = 0.05  # seconds between batches, for the app's own statements
MARGIN = 30.0  # seconds before the deadline from which on nothing new begins
VARIABLES = {"old_logs": "CLEANUP_LOGS", "expired_sessions": "CLEANUP_SESSIONS"}


@dataclass(frozen=True, slots=True)
class CleanupDependencies:
    """What may be cleaned: `places` with files, and `rows` by their target type. `most` is CLEANUP_MAX.

    `clock` gives seconds since the epoch.
    """

    places: Places = field(default_factory=Places)
    rows: Mapping[str, OldRows] = field(default_factory=dict)
    most: int = 100_000
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(slots=True)
class _Count:
    """What a run has found so far."""

    matched: int = 0
    deleted: int = 0
    size: int = 0
    samples: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False

    def tell(self) -> None:
        """Raise PermanentError for what was refused, else TransientError for what has failed."""
        if kept := self.refused or self.failed:
            key, why = next(iter(kept.items()))
            msg = f"{len(kept)} of {self.matched} could not be deleted, such as {key}: {why}"
            raise (PermanentError if self.refused else TransientError)(msg)

    def result(self, *, dry_run: bool) -> CleanupResult:
        return CleanupResult(
            matched=self.matched,
            deleted=self.deleted,
            bytes=self.size,
            dry_run=dry_run,
            samples=self.samples,
            truncated=self.is_cut,
        )


class Cleanup:
    """Deletes page by page, and batch by batch: a run that is cut off has deleted what it had come to."""

    def __init__(self, dependencies: CleanupDependencies) -> None:
        self._shared = dependencies

    async def __call__(self, payload: CleanupPayload, context: Context, /) -> CleanupResult:
        """Run one job. Raises PermanentError for what settings do not allow, and for what is refused.

        Raises TransientError if single objects could not be deleted this time: all others were.
        """
        with faults_told():
            if payload.target_type == "temp_files":
                place = self._shared.places.of(payload.path, payload.pattern)
                return await self.files(place, payload.age, context, dry_run=payload.dry_run)
            return await self._old_rows(payload, context)

    async def files(self, place: Place, age: float, context: Context, *, dry_run: bool) -> CleanupResult:
        """Delete what a place has that was not changed for `age` seconds. The caller tells of faults."""
        count, before = _Count(), self._shared.clock() - age
        async with aclosing(place.store.list(place.folder)) as pages:
            async for page in pages:
                await self._page([each for each in page if each.modified <= before], place, count, dry_run=dry_run)
                await context.progress({"matched": count.matched, "deleted": count.deleted})
                if count.is_cut or context.remaining() < MARGIN:
                    count.is_cut = True
                    break
        count.tell()
        return count.result(dry_run=dry_run)

    async def _page(self, old: Sequence[Listed], place: Place, count: _Count, *, dry_run: bool) -> None:
        found = [each for each in old if place.has(each.key)]
        room = self._shared.most - count.matched
        count.is_cut, found = len(found) > room, found[:room]
        count.matched += len(found)
        count.samples += [each.key for each in found[: SHOWN - len(count.samples)]]
        gone = frozenset(each.key for each in found)
        if not dry_run and found:
            done = await place.store.delete(found)
            gone = done.keys
            count.deleted += len(gone)
            count.refused |= done.refused
            count.failed |= done.failed
        count.size += sum(each.size for each in found if each.key in gone)

    async def _old_rows(self, payload: CleanupPayload, context: Context) -> CleanupResult:
        rows = self._shared.rows.get(payload.target_type)
        if rows is None:
            variable = VARIABLES[payload.target_type]
            msg = f"{variable} is not set: name there the table of {payload.target_type}, and its column with the time"
            raise PermanentError(msg)
        count = _Count(samples=await rows.first(payload.age, SHOWN))
        if payload.dry_run:
            found = await rows.count(payload.age, self._shared.most + 1)
            count.matched, count.is_cut = min(found, self._shared.most), found > self._shared.most
        else:
            count.is_cut = await self._delete(rows, payload.age, context, count)
            count.matched = count.deleted
        return count.result(dry_run=payload.dry_run)

    async def _delete(self, rows: OldRows, age: float, context: Context, count: _Count) -> bool:
        """Whether there are more."""
        while room := min(BATCH, self._shared.most - count.deleted):
            deleted = await rows.delete(age, room)
            count.deleted += deleted
            await context.progress({"deleted": count.deleted})
            if deleted < room:
                return False
            if context.remaining() < MARGIN:
                break
            await self._shared.sleep(PAUSE)
        return await rows.count(age, 1) > 0


@contextmanager
def faults_told() -> Iterator[None]:
    """Put a job off while a server is away, and turn what is refused into PermanentError."""
    try:
        with outages_put_off():
            yield
    except StatementRefusedError as error:
        msg = f"{error}; has the column with the time an index?"
        raise PermanentError(msg) from error
    except StorageRefusedError as error:
        msg = f"{error}; the worker must be allowed to list and delete there (s3:ListBucket, s3:DeleteObject)"
        raise PermanentError(msg) from error
    except (InvalidKeyError, SchemaError) as error:
        raise PermanentError(str(error)) from error
