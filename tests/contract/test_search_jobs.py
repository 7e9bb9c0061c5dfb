"""`index_doc` over the double of each engine: the index ends as the rows are."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from embedded.search_server import Fault
from processors.search.index_doc import IndexDoc
from processors.search.payload import IndexPayload
from queue_lib.errors import PermanentError, SnoozeError
from storage.errors import StorageAwayError

if TYPE_CHECKING:
    from tests.support.search_fakes import World


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
        world.rows.rows[row_id] = replace(world.row(), id=row_id, document=text, size=len(text))

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
    world.rows.rows["3"] = replace(world.row(), id="3", document=None, size=world.engine.longest + 1)
    with pytest.raises(PermanentError, match="the search engine takes"):
        await world.index(id="3")


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
