"""`backfill` and rebuilds over the double of each engine: the index ends as the rows are."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from processors.search import backfill as backfill_module
from processors.search.backfill import Backfill
from processors.search.index_doc import IndexDoc
from processors.search.rebuilding import Rebuilding
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.outcome import Failure
from storage.errors import StatementRefusedError
from tests.support.fakes import FakeContext, make_job

if TYPE_CHECKING:
    from tests.support.search_fakes import World

DEAD = Failure("it is dead")


async def test_a_backfill_writes_all_rows(world: World) -> None:
    """In pages; those that fail are told, by their ids, and the others are there. Deleted rows go."""
    for number in range(25):
        world.rows.put(f"{number:03}", {"n": number if number != 7 else "words"})
    await world.index(id="gone", document={"n": 1})
    world.rows.rows["gone"] = replace(world.row(), id="gone", is_deleted=True)
    await world.found()

    result = await world.backfill(pageSize=10)

    assert result.model_dump(exclude={"seconds"}) == {
        "index": "t-post",
        "indexed": 24,
        "failed": 1,
        "pages": 3,
        "failed_ids": ["007"],
    }
    found = await world.found()
    assert set(found) == {f"{number:03}" for number in range(25)} - {"007"}
    reports = world.contexts["b"].reports
    assert [each for each in reports if not isinstance(each, str)][-2:] == [99.0, 100]
    assert any("007: " in each for each in reports if isinstance(each, str))


async def test_a_backfill_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In turns, and after a run that was killed: pages that are noted are not read again."""
    for number in range(30):
        world.rows.put(f"{number:03}", {"n": number})
    monkeypatch.setattr(backfill_module, "MARGIN", 1e9)  # then a run has half of its time
    pages = []
    clock = iter(range(0, 10_000, 1))

    class Hurried(FakeContext):
        def remaining(self) -> float:
            """See the protocol."""
            return 120.0 - 45.0 * next(clock) % 120

    context = Hurried(make_job(name="backfill", queue="search", data={"entity": "Post", "pageSize": 5}))
    world.contexts["b"] = context
    for _ in range(20):
        try:
            result = await world.backfill(pageSize=5)
            break
        except SnoozeError:
            pages.append(json.loads(context.kept["position"])["pages"])
    assert pages == sorted(pages)
    assert len(pages) > 1
    assert [result.indexed, result.pages] == [30, 6]
    assert await world.found() == world.wanted()


async def test_a_backfill_gets_on_however_long_the_count_takes(world: World) -> None:
    """Each run writes a page, though its time is over before the first."""
    for number in range(3):
        world.rows.put(str(number), {"n": number})

    class Late(FakeContext):
        def remaining(self) -> float:
            """See the protocol: half of the time is what it keeps for the end."""
            self.seconds /= 4
            return self.seconds

    world.contexts["b"] = context = Late(make_job(id="b", name="backfill", queue="search"))
    for pages in (1, 2):
        with pytest.raises(SnoozeError, match="its time"):
            await world.backfill(pageSize=1)
        assert json.loads(context.kept["position"])["pages"] == pages
    assert (await world.backfill(pageSize=1)).pages == 3
    assert await world.found() == world.wanted()


async def test_rows_that_are_too_many_to_be_counted_are_written(world: World) -> None:
    """The job tells no progress but its end, and compares nothing."""
    world.rows.are_too_many = True
    for number in range(3):
        world.rows.put(str(number), {"n": number})

    assert (await world.backfill(pageSize=1)).indexed == 3
    assert await world.found() == world.wanted()
    assert [100] == world.contexts["b"].reports


async def test_rows_that_come_during_a_backfill_are_not_missing(world: World) -> None:
    """Their own jobs may still wait."""
    for number in range(5):
        world.rows.put(f"b{number}", {"n": number})

    async def come() -> None:
        world.rows.put("a", {"n": 1})  # before the page that was read

    world.rows.hook = come
    assert (await world.backfill(rebuild=True)).indexed == 5


async def test_a_row_that_the_database_can_t_read_harms_no_other(world: World) -> None:
    """Jobs that run together share a query; where it is refused, each job reads its own row."""
    world.rows.put("1", {"n": 1})
    world.rows.put("2", {"n": 2})
    world.rows.unreadable = {"2"}

    processor = IndexDoc(world.dependencies)
    jobs = (world.index(processor, id=row_id) for row_id in (1, 2, 1))
    first, refused, second = await asyncio.gather(*jobs, return_exceptions=True)

    assert isinstance(refused, StatementRefusedError)
    assert [getattr(done, "result", done) for done in (first, second)] == ["indexed", "indexed"]


async def test_an_index_that_lacks_documents_is_told(world: World) -> None:
    """What the engine said it took, and has not, is written again by the next attempt."""
    for number in range(5):
        world.rows.put(str(number), {"n": number})
    world.server.indexes.loses = {"3"}
    with pytest.raises(TransientError, match="has 4 documents in t-post, and 5 were written"):
        await world.backfill()
    world.server.indexes.loses = set()
    assert (await world.backfill()).indexed == 5
    assert await world.found() == world.wanted()


async def test_a_rebuild_takes_the_place_of_the_index(world: World) -> None:
    """Searches find the old documents until it is done; then the old index is gone, and so is what was left over."""
    world.rows.put("1", {"n": 1})
    await world.index(id="1")
    await world.index(id="stray", document={"n": 1})
    await world.found()
    await world.engine.create("t-post-20200101000000000")

    async def look() -> None:
        assert set(await world.found()) == {"1", "stray"}

    world.rows.hook = look
    assert (await world.backfill(rebuild=True)).index == "t-post"
    world.rows.hook = None

    assert await world.found() == {"1": {"n": 1}}
    world.now += 1
    world.rows.put("2", {"n": 2})
    await world.index(id="2")
    await world.backfill("second", rebuild=True)
    assert await world.found() == world.wanted()
    assert len(world.server.indexes.all) == 1
    assert await world.rebuilds.of("t-post") is None


async def test_what_changes_during_a_rebuild_is_in_the_new_index(world: World) -> None:
    """Updates and deletes between a page's read and its write: none is lost, and nothing is raised from the dead."""
    for number in range(30):
        world.rows.put(f"{number:03}", {"n": number}, 1)
    await world.backfill("first")
    await world.index(id="000")  # it knows of no rebuild
    chance, changes = random.Random(5), 0

    async def change() -> None:
        nonlocal changes
        world.rows.hook = None
        for row_id in chance.sample(sorted(world.rows.rows), 6):
            changes += 1
            if chance.random() < 0.4:
                del world.rows.rows[row_id]
            else:
                world.rows.put(row_id, {"n": -changes}, 1 + changes)
            await world.index(id=row_id)
        if changes < 40:
            world.rows.hook = change

    world.rows.hook = change
    await world.backfill("second", rebuild=True, pageSize=4)

    assert changes >= 40
    assert await world.found() == world.wanted()
    assert len(world.server.indexes.all) == 1


async def test_of_two_rebuilds_the_later_one_wins(world: World) -> None:
    """The earlier one ends dead, and takes nothing with it."""
    for number in range(10):
        world.rows.put(str(number), {"n": number})

    async def another() -> None:
        world.rows.hook = None
        world.now += 1
        await world.backfill("later", rebuild=True)
        world.rows.put("9", {"n": 99})

    world.rows.hook = another
    with pytest.raises(PermanentError, match="a later rebuild"):
        await world.backfill("earlier", rebuild=True, pageSize=5)
    await Backfill(world.dependencies).on_dead(world.contexts["earlier"].job, DEAD)
    assert len(await world.found()) == 10


@pytest.mark.parametrize("first_is_older", [True, False])
async def test_of_two_rebuilds_that_begin_together_one_has_its_index(world: World, first_is_older: bool) -> None:
    """Both find none under way. Live jobs know the one that has told last; the other one ends, and drops nothing."""
    targets = ["t-post-20261130120000000", "t-post-20261130120000001"]
    if not first_is_older:
        targets.reverse()
    rebuildings = [Rebuilding(world.dependencies, "t-post", job_id) for job_id in ("first", "second")]

    begun = await asyncio.gather(
        *(each.begin(target) for each, target in zip(rebuildings, targets, strict=True)), return_exceptions=True
    )

    told = await world.rebuilds.of("t-post")
    assert told is not None
    assert [told.target] == [target for target, error in zip(targets, begun, strict=True) if error is None]
    assert {PermanentError, type(None)} == set(map(type, begun))
    assert {told.target} == set(world.server.indexes.all)


async def test_a_rebuild_that_is_dead_leaves_the_old_index(world: World) -> None:
    """Its half is removed, and live jobs leave it alone."""
    world.rows.put("1", {"n": 1})
    await world.index(id="1")
    world.server.indexes.loses = {"2"}
    world.rows.put("2", {"n": 2})
    with pytest.raises(TransientError):
        await world.backfill(rebuild=True)
    await Backfill(world.dependencies).on_dead(world.contexts["b"].job, DEAD)

    assert set(world.server.indexes.all) == {"t-post"}
    assert await world.found() == {"1": {"n": 1}}
    assert await world.rebuilds.of("t-post") is None
