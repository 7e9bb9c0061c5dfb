"""What the publisher makes of the outbox's rows."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from processors.outbox.metrics import BridgeMetrics
from processors.outbox.pace import Pace
from processors.outbox.publisher import PORTION
from processors.outbox.subscriber import Subscriber
from processors.outbox.upkeep import Upkeep
from queue_lib.addition import Deduplication
from queue_lib.admin.outbox import reported
from queue_lib.bridge import AppEvent, Bridge
from queue_lib.errors import BrokerUnavailableError, Trouble
from storage.errors import StorageAwayError
from tests.support.outbox_fakes import FakePost, World, additions, bridging, row

if TYPE_CHECKING:
    from typing import Any

TIME = "1a3185c5000"  # of a row, in its jobs' ids
INDEX = Bridge("message.*", "index_doc", lambda event: {"id": event.aggregate_id})
COUNT = Bridge("epop.*", "count", lambda event: {"id": event.id})


async def test_an_event_is_published_with_the_jobs_of_its_bridges() -> None:
    """A pattern may have the prefix or not; the ids of the jobs are the row's own."""
    world = World(INDEX, COUNT, rows=[row(17), row(18, "epop.order.paid")])

    await world.publisher.turn()

    assert [
        ("search", "index_doc", {"id": "42"}, f"outbox-17-{TIME}-index_doc"),
        ("reports", "count", {"id": "17"}, f"outbox-17-{TIME}-count"),
        ("reports", "count", {"id": "18"}, f"outbox-18-{TIME}-count"),
    ] == [
        (job.queue, added.name, added.data, added.job_id)
        for job, added in zip(world.post.jobs, additions(world.post.jobs), strict=True)
    ]
    [(channel, text), (other, _)] = world.post.board.published
    assert ("epop.message.created", "epop.order.paid") == (channel, other)
    assert {
        "id": "17",
        "topic": "epop.message.created",
        "aggregateType": "message",
        "aggregateId": "42",
        "createdAt": "2027-01-15T08:00:00.000Z",
        "payload": {"n": 1},
    } == json.loads(text)
    assert [17, 18] == world.outbox.published


async def test_a_bridge_may_add_no_job_or_several_of_one_name() -> None:
    """And say what BullMQ takes for the same job."""
    once = Bridge("*", "count", INDEX.data, deduplication=lambda event: Deduplication(id=event.aggregate_id))
    world = World(Bridge("*", "count", lambda _: None), once, once, rows=[row(1)])

    await world.publisher.turn()

    assert [f"outbox-1-{TIME}-count", f"outbox-1-{TIME}-count-1"] == world.ids
    assert Deduplication(id="42") == additions(world.post.jobs)[0].deduplication


async def test_a_row_may_be_a_job() -> None:
    """It goes onto no channel. Its options are those of `queue.add`, an id included."""
    payload = {"name": "index_doc", "data": {"id": "7"}, "options": {"delay": 1500, "attempts": 2}}
    rows = [row(1, "job", json.dumps(payload)), row(2, "job", json.dumps({**payload, "options": {"jobId": "mine"}}))]
    world = World(COUNT, rows=rows)

    await world.publisher.turn()

    [first, second] = additions(world.post.jobs)
    assert (f"outbox-1-{TIME}", 1.5, 2) == (first.job_id, first.delay, first.attempts)
    assert "mine" == second.job_id
    assert [] == world.post.board.published


def job(**fields: Any) -> str:
    """The payload of a row that is a job."""
    return json.dumps({"name": "index_doc", "data": {"id": "7"}, **fields})


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("job", job(name="nothing"), "no such job: 'nothing'"),
        ("job", job(name="own"), "no such job: 'own'"),
        ("job", job(name=7), "name"),
        ("job", job(data={}), "bad payload for index_doc: id: Field required"),
        ("job", job(options={"dalay": 1}), "options.dalay: Extra inputs"),
        ("job", job(options={"jobId": "a:b"}), "a job's id has letters"),
        ("job", job(options={"lifo": True, "priority": 1}), "lifo: BullMQ ignores it"),
        ("job", job(options={"priority": "high"}), "priority: BullMQ takes a number"),
        ("job", job(extra=1), "extra: Extra inputs"),
        ("job", "[]", "Input should be"),
        ("job", '{"name": "index_doc", "data": {"id": "7", "x": 1e400}}', "can't be written as JSON"),
        ("job", '{"name": "index_doc", "data": {"id": "\\ud800"}}', "can't be written as JSON"),
        ("message.created", "{", "payload: it can't be read as JSON"),
        ("message.created", "NaN", "payload: it can't be read as JSON"),
        ("message.created", "[" * 100_000 + "]" * 100_000, "payload: it can't be read as JSON"),
        ("message.created", "9" * 5000, "payload: it can't be read as JSON"),
        ("message.created", None, "payload: it has more than 512 KiB"),
        ("message created", "{}", "topic: write <aggregate>.<event>"),
        ("a" * 201, "{}", "topic: write <aggregate>.<event>"),
        ("", "{}", "topic: write <aggregate>.<event>"),
        ("order.paid", "{}", "the bridge of order.* to index_doc: KeyError: 'id'"),
        ("user.new", "{}", "the bridge of user.* to index_doc: the payload can't be written as JSON"),
    ],
)
async def test_a_bad_row_stands_in_nobodys_way(topic: str, payload: str | None, reason: str) -> None:
    """Nothing of it is sent, its reason is told, and the rows behind it go on."""
    wrong = Bridge("order.*", "index_doc", lambda event: {"id": event.payload["id"]})
    unfit = Bridge("user.*", "index_doc", lambda event: {"id": event})
    world = World(COUNT, wrong, unfit, rows=[row(1, topic, payload), row(2)])

    with capture_logs() as logs:
        await world.publisher.turn()

    assert reason in world.outbox.bad[1]
    assert ["outbox_row_bad"] == [line["event"] for line in logs]
    assert [2] == world.outbox.published
    assert [f"outbox-2-{TIME}-count"] == world.ids


async def test_a_row_of_the_year_10000_stands_in_nobodys_way() -> None:
    """Postgres takes the year; the event's time could not be written."""
    world = World(COUNT, rows=[row(1, created_at=253_402_300_799.0), row(2, created_at=253_402_300_800.0), row(3)])

    await world.publisher.turn()

    assert {2: "createdAt: it is after the year 9999"} == world.outbox.bad
    assert [1, 3] == world.outbox.published


@pytest.mark.parametrize("payload", ["null", "[1, 2]", '"text"', "7"])
async def test_an_events_payload_may_be_any_json(payload: str) -> None:
    """It is published as it stands."""
    seen: list[AppEvent] = []
    world = World(Bridge("*", "count", seen.append), rows=[row(1, payload=payload)])

    await world.publisher.turn()

    assert [json.loads(payload)] == [event.payload for event in seen]
    assert json.loads(payload) == json.loads(world.post.board.published[0][1])["payload"]


async def test_an_outage_marks_nothing_and_is_told_once() -> None:
    """Whichever server is away, the same rows are published when it is back."""
    world = World(COUNT, rows=[row(1)])
    with capture_logs() as logs:
        world.post.fault = BrokerUnavailableError("down")
        await world.publisher.turn()
        await world.publisher.turn()
        world.post.fault, world.outbox.fault = None, StorageAwayError("down")
        await world.publisher.turn()
        assert [] == world.outbox.published
        world.outbox.fault = None
        await world.publisher.turn()

    assert [1] == world.outbox.published
    assert ["outbox_waits", "outbox_goes_on"] == [line["event"] for line in logs]
    assert (3, [0.25]) == (world.rested, world.waited)


async def test_jobs_are_added_in_portions_and_in_order() -> None:
    """If one is cut off nothing of a later one is sent, and nothing is marked."""
    rows = [row(number) for number in range(2 * PORTION + 1)]
    world, cut = World(COUNT, rows=rows), World(COUNT, rows=rows)
    ids = [f"outbox-{number}-{TIME}-count" for number in range(2 * PORTION + 1)]

    await world.publisher.turn()
    cut.post.cut_after = PORTION
    await cut.publisher.turn()

    assert (ids, len(ids)) == (world.ids, len(world.outbox.published))
    assert (ids[:PORTION], [], []) == (cut.ids, cut.outbox.published, cut.post.board.published)


async def test_a_user_who_may_not_publish_adds_jobs_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once."""
    world = World(COUNT, rows=[row(1)])

    async def forbidden(_: object) -> list[int]:
        raise BrokerUnavailableError(trouble=Trouble.FORBIDDEN)

    monkeypatch.setattr(world.post.board, "publish", forbidden)
    with capture_logs() as logs:
        await world.publisher.turn()
        world.outbox.rows.append(row(2))
        await world.publisher.turn()

    assert [1, 2] == world.outbox.published
    assert ["outbox_events_forbidden"] == [line["event"] for line in logs]


async def test_while_another_publishes_this_one_looks_seldom() -> None:
    """Every two seconds, and whoever wakes: the other one is woken, too."""
    world = World(rows=[row(1)])
    world.outbox.is_mine = False

    await world.publisher.turn()

    assert ([], 1, []) == (world.outbox.published, world.rested, world.waited)


async def test_a_queue_that_redis_refuses_stands_in_no_others_way() -> None:
    """Its rows are bad, and wait for an operator; of theirs no event is published."""
    world = World(INDEX, Bridge("order.*", "count", COUNT.data), rows=[row(1), row(2, "order.paid"), row(3)])
    world.post.refused = {"search": "a key in Redis has the wrong type"}

    await world.publisher.turn()

    reason = "queue search: a key in Redis has the wrong type"
    assert ({1: reason, 3: reason}, [2]) == (world.outbox.bad, world.outbox.published)
    assert ["epop.order.paid"] == [channel for channel, _ in world.post.board.published]


async def test_a_round_of_bad_rows_does_not_flood_the_log() -> None:
    """Each of the lines that there are says how many there were."""
    world = World(rows=[row(number, "no topic") for number in range(30)])

    with capture_logs() as logs:
        await world.publisher.turn()

    assert (20, 30) == (len(logs), logs[0]["bad"])
    assert 30 == len(world.outbox.bad)


async def test_a_validator_of_the_teams_may_raise_anything() -> None:
    """The row is bad; the worker goes on."""
    world = World(COUNT, rows=[row(1, "job", job(name="strange")), row(2)])

    await world.publisher.turn()

    assert {1: "the payload of strange: KeyError: 'x'"} == world.outbox.bad
    assert [2] == world.outbox.published


async def test_the_pause_grows_while_there_is_nothing_and_ends_when_woken() -> None:
    """A round that was not the last is followed by the next one at once."""
    pace = Pace()

    assert [0.5, 1.0, 2.0, 2.0] == [pace.next(0, is_last=True) for _ in range(4)]
    assert [0.25, 0.0] == [pace.next(3, is_last=True), pace.next(500, is_last=False)]
    pace.wake()
    await asyncio.wait_for(pace.wait(3600.0), 60)
    pace.begin()
    await pace.wait(0.0)


async def test_operators_see_what_is_in_it() -> None:
    """On the board and in the metrics; nothing while the database is away."""
    world = World(rows=[row(1, error="x")])
    upkeep = Upkeep(world.outbox, "Outbox", world.metrics, clock=lambda: 7.0)

    world.outbox.fault = StorageAwayError("down")
    await upkeep.look(world.post.board)
    assert await reported(world.post.board) is None
    world.outbox.fault = None
    await upkeep.look(world.post.board)

    view = await reported(world.post.board)
    assert view is not None
    assert ("Outbox", 7.0, 1, ["1"]) == (view.table, view.seen_at, view.unpublished, [each.id for each in view.last])
    assert (
        1
        == next(each for each in world.metrics.collect() if each.name == "pushmill_outbox_unpublished").samples[0].value
    )


class Listening:
    """A subscriber over a post, with a clock that is set."""

    def __init__(self) -> None:
        self.post, self.metrics, self.now = FakePost(), BridgeMetrics(), 0.0
        jobs = bridging(INDEX, COUNT)
        self.subscriber = Subscriber(self.post, jobs, "epop.*", self.metrics, clock=lambda: self.now)

    async def listen(self, at: float = 0.0) -> None:
        """Until there are no messages."""
        self.now = at
        await self.subscriber.listen()


async def test_a_message_that_becomes_no_job_is_counted() -> None:
    """By why: it is bad, a queue is refused, Redis is away. The next message is heard nevertheless."""
    world = Listening()
    world.post.refused = {"reports": "a key in Redis has the wrong type"}
    world.post.messages = [("epop.message.created", text) for text in ("{", '{"id": 7}', '{"id": 8}')]
    with capture_logs() as logs:
        await world.listen()
    assert ["7", "8"] == [added.data["id"] for added in additions(world.post.jobs)]
    assert ({"bad": 1, "refused": 2, "away": 0}, 3) == (world.metrics.lost, world.metrics.heard)
    assert 3 == [line["event"] for line in logs].count("bridge_message_bad")

    world.post.fault = BrokerUnavailableError("down")
    await world.listen()
    assert 1 == world.metrics.lost["away"]


async def test_the_seconds_without_an_ear_are_counted_while_they_last() -> None:
    """It is told once, and ends when some process listens."""
    world = Listening()
    world.post.deaf = BrokerUnavailableError("down")
    with capture_logs() as logs:
        await world.listen(at=10.0)
        await world.listen(at=15.0)
        assert 5.0 == world.metrics.deaf_seconds
        world.post.deaf = None
        await world.listen(at=18.0)
        await world.listen(at=30.0)

    assert 8.0 == world.metrics.deaf_seconds
    assert 1 == [line["event"] for line in logs].count("bridges_deaf")


class Postgres:
    """An ear that is cut, and once has heard something."""

    def __init__(self) -> None:
        self.hears = iter((False, False, True, False))

    async def heard(self, channel: str) -> Any:
        """See the port."""
        if next(self.hears):
            yield
        msg = "cut"
        raise StorageAwayError(msg)


async def test_an_ear_that_is_cut_is_told_once() -> None:
    """And again after it has heard."""
    world = World()
    world.outbox.heard = Postgres().heard  # type: ignore[method-assign]
    upkeep = Upkeep(world.outbox, "Outbox", world.metrics)

    with capture_logs() as logs:
        for _ in range(4):
            await upkeep.listen("outbox", world.pace)

    assert ["outbox_unheard", "outbox_unheard"] == [line["event"] for line in logs]
