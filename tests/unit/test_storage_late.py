"""A database that is opened when it becomes available."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from storage.errors import SchemaError, StorageAwayError, StorageUnavailableError
from storage.late import PAUSE, Late, LateEngine
from storage.late_ports import LateFiles
from storage.models import File
from storage.tables import AppTable, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping


class Opening:
    """Fails as a test says, and then opens."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.tries = 0
        self.now = 100.0

    async def __call__(self, wanted: Mapping[AppTable, Wanted]) -> Any:
        """Try."""
        self.tries += 1
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        return self

    def clock(self) -> float:
        """Seconds."""
        return self.now


@pytest.mark.parametrize("error", [StorageAwayError, StorageUnavailableError, SchemaError])
async def test_the_start_gets_the_error(error: type[Exception]) -> None:
    """It decides whether to go on."""
    with pytest.raises(error, match="why"):
        await Late(Opening(error("why"))).open()


@pytest.mark.parametrize("error", [StorageAwayError, StorageUnavailableError, SchemaError])
async def test_a_job_is_put_off_whatever_is_wrong(error: type[Exception]) -> None:
    """Many jobs share one try in five seconds; the first job after the database has come succeeds."""
    opening = Opening(StorageAwayError("away"), error("why"))
    late = Late(opening, opening.clock)
    files = LateFiles(late.want(AppTable.FILE, Wanted.usual(File, "File"), lambda database: cast("Any", database)))
    with pytest.raises(StorageAwayError):
        await late.open()
    ends = await asyncio.gather(*(files.mark_processed("1", {}) for _ in range(20)), return_exceptions=True)
    assert {"away"} == {str(end) for end in ends if isinstance(end, StorageAwayError)}
    assert 1 == opening.tries

    opening.now += PAUSE
    others = await asyncio.gather(*(late.get() for _ in range(20)), return_exceptions=True)
    assert {"why"} == {str(end) for end in others if isinstance(end, StorageAwayError)}
    assert 2 == opening.tries

    opening.now += PAUSE
    opened = await asyncio.gather(*(late.get() for _ in range(20)))
    assert {id(opening)} == {id(each) for each in opened}
    assert 3 == opening.tries


async def test_a_database_for_any_statement_is_opened_by_the_first_one() -> None:
    """Without declared tables; while it is away the caller gets the reason."""
    opening = Opening(StorageAwayError("away"))
    late = Late(opening, opening.clock)
    assert not late.is_wanted
    with pytest.raises(StorageAwayError, match="away"):
        async with LateEngine(late).begin():
            pass
    assert 1 == opening.tries
