"""`index_doc` and `backfill` over the double of each engine: the index ends as the rows are."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from embedded.search_server import Fault
from processors.search import backfill as backfill_module
from processors.search.backfill import Backfill
from processors.search.index_doc import IndexDoc
from processors.search.payload import IndexPayload
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.outcome import Failure
from storage.errors import StatementRefusedError, StorageAwayError
from tests.support.fakes import FakeContext, make_job
from tests.support.search_fakes import World, search_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEAD = Failure("it is dead")


@pytest.fixture(params=["elasticsearch", "zincsearch"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """An engine and rows."""
    async with search_world(request.param) as world:
        yield world


async def test_a_document_is_as_its_row_when_the_job_runs(world: World) -> None:
    """A row that is gone, or marked as deleted, deletes it; then there is none."""
    world.rows.put("1", {"title": "Zoë"})
    assert (await world.index(id=1)).model_dump() == {"index": "t-post", "id": "1", "result": "indexed"}
    assert await world.found() == {"1": {"title": "Zoë"}}
    world.rows.rows["1"] = replace(world.rows.rows["1"], is_deleted=True)
    assert (await world.index(id="1")).result == "deleted"
    await world.found()
    assert (await world.index(id="1")).result == "missing"
    world.rows.put("1", {"title": "again"})
    await world.index(id="1")
    await world.found()
    del world.rows.rows["1"]
    assert (await world.index(id="1", action="upsert")).result == "deleted"
    assert await world.found() == {}


async def test_a_row_that_is_deleted_at_once_is_not_raised_from_the_dead(world: World) -> None:
    """ZincSearch finds no document that it has just taken: the delete comes again."""
    world.rows.put("1", {"n": 1})
    await world.index(id="1")
    del world.rows.rows["1"]
    assert (await world.index(id="1")).result == "deleted"
    assert await world.found() == {}


async def test_a_row_that_comes_back_as_it_was_is_there_again(world: World) -> None:
    """A view may hide a row for a while: its delete has no version, and counts as one more than the row's."""
    world.rows.put("1", {"n": 1}, 5)
    await world.index(id="1")
    hidden = world.rows.rows.pop("1")
    await world.found()
    await world.index(id="1")
    assert await world.found() == {}
    world.rows.rows["1"] = hidden

    assert (await world.index(id="1")).result == "indexed"

    assert await world.found() == {"1": {"n": 1}}
    world.rows.put("1", {"n": 2}, 6)
    await world.index(id="1")
    assert await world.found() == {"1": {"n": 2}}


@pytest.mark.parametrize("has_versions", [True, False])
async def test_a_thousand_updates_of_one_row_in_any_order(world: World, *, has_versions: bool) -> None:
    """The index is as the row at the end, though jobs read and write beside each other in two processes."""
    chance = random.Random(7)

    async def wander() -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)

    world.rows.hook = wander
    world.rows.put("1", {"n": 0}, 0 if has_versions else None)
    processes = [IndexDoc(world.dependencies), IndexDoc(world.worker())]
    gate = asyncio.Semaphore(5)

    async def job(processor: IndexDoc) -> None:
        async with gate:
            await world.index(processor, id="1")

    async def updates() -> list[asyncio.Task[None]]:
        jobs = []
        for number in range(1, 1001):
            world.rows.put("1", {"n": number}, number if has_versions else None)
            jobs.append(asyncio.create_task(job(chance.choice(processes))))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        return jobs

    await asyncio.gather(*await updates())

    assert await world.found() == {"1": {"n": 1000}}


async def test_given_documents_in_any_order_end_as_the_newest(world: World) -> None:
    """With versions the engine refuses to go back. ZincSearch takes the last that comes, as the docs say."""
    versions = list(range(100))
    random.Random(3).shuffle(versions)
    results = [(await world.index(id="1", version=n, document={"n": n})).result for n in versions]

    newest = 99 if world.engine.has_versions else versions[-1]
    assert await world.found() == {"1": {"n": newest}}
    assert ("stale" in results) is world.engine.has_versions


async def test_a_hostile_document_is_still_one_document(world: World) -> None:
    """It can't end its line, and holds what UTF-8 and JSON have no word for as something else."""
    deep: Any = "end"
    for _ in range(150):
        deep = [deep]
    odd = {"half": "\ud83c", "nul": "\0", "nan": float("nan"), "float": 1e308, "deep": deep}
    text = 'a\n{"delete":{"_id":"2"}}\n\u2028'
    await world.index(id="2", document={"n": 1})

    await world.index(id='1\n"/', document={"text": text, **odd})

    found = await world.found()
    assert set(found) == {"2", '1\n"/'}
    assert found['1\n"/']["text"] == text
    assert [found['1\n"/'][name] for name in ("half", "nul", "nan")] == ["\ufffd", "\0", None]


async def test_a_number_that_no_float_can_hold_harms_no_other_document(world: World) -> None:
    """Elasticsearch refuses the document; ZincSearch would skip it, and read the next action as a document."""
    for row_id, number in (("1", "1"), ("2", "1e400"), ("3", f"1{'0' * 400}"), ("4", "-1e-400")):
        text = f'{{"x{row_id}": [], "n": {number}}}'
        world.rows.rows[row_id] = replace(_row(world), id=row_id, document=text, size=len(text))

    result = await world.backfill()

    assert result.failed_ids == ["2", "3"]
    assert set(await world.found()) == {"1", "4"}


@pytest.mark.parametrize(
    "data",
    [
        {"entity": 'Post"; --'},
        {"entity": "x" * 57},
        {"entity": "_all"},
        {"id": ""},
        {"id": "x" * 513},
        {"action": "drop"},
        {"version": -1},
        {"version": 2**63},
        {"document": [1]},
    ],
)
def test_a_bad_payload_is_refused(data: dict[str, Any]) -> None:
    """Its job ends dead, with the field."""
    with pytest.raises(ValidationError):
        IndexPayload.model_validate({"entity": "Post", "id": "1", **data})


async def test_what_no_attempt_can_help_is_dead(world: World) -> None:
    """A field that does not fit, a document that is too large, an entity without a view: each with its reason."""
    await world.index(id="1", document={"n": 1})
    with pytest.raises(PermanentError, match=r"t-post does not take the document: .*\[n\]"):
        await world.index(id="2", document={"n": "words"})
    with pytest.raises(PermanentError, match="the search engine takes"):
        await world.index(id="2", document={"text": "z" * (world.engine.longest + 1)})
    with pytest.raises(PermanentError, match="no view"):
        await world.index(entity="nothing", id="2")
    world.rows.rows["3"] = replace(_row(world), id="3", document=None, size=world.engine.longest + 1)
    with pytest.raises(PermanentError, match="the search engine takes"):
        await world.index(id="3")


def _row(world: World) -> Any:
    world.rows.put("any", {})
    return world.rows.rows.pop("any")


async def test_while_the_engine_is_away_jobs_wait(world: World) -> None:
    """No attempt is used: also for an item that it can't take now, and while the database is away."""
    world.rows.put("1", {"n": 1})
    world.server.indexes.busy = {"1"}
    with pytest.raises(SnoozeError):
        await world.index(id="1")
    world.rows.fault = StorageAwayError("away")
    with pytest.raises(SnoozeError):
        await world.index(id="1")
    world.rows.fault = None
    world.server.is_away = True
    with pytest.raises(SnoozeError, match="503"):
        await world.index(id="1")
    with pytest.raises(SnoozeError):
        await world.backfill()
    await world.server.stop()
    with pytest.raises(SnoozeError):
        await world.index(IndexDoc(world.worker()), id="1")

    world.server.is_away = False
    await world.server.start()
    world.dependencies = world.worker()
    await world.index(id="1")
    assert await world.found() == {"1": {"n": 1}}


async def test_a_write_whose_answer_was_lost_is_written_again(world: World) -> None:
    """The id is its own, so there are no two."""
    world.rows.put("1", {"n": 1}, 5)
    world.server.faults.append(Fault(cut=True, done=True))
    with pytest.raises(SnoozeError):
        await world.index(id="1")
    world.dependencies = world.worker()
    assert (await world.index(id="1")).result == "indexed"
    assert await world.found() == {"1": {"n": 1}}


async def test_a_backfill_writes_all_rows(world: World) -> None:
    """In pages; those that fail are told, by their ids, and the others are there. Deleted rows go."""
    for number in range(25):
        world.rows.put(f"{number:03}", {"n": number if number != 7 else "words"})
    await world.index(id="gone", document={"n": 1})
    world.rows.rows["gone"] = replace(_row(world), id="gone", is_deleted=True)
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
