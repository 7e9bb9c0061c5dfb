"""Pushes to users who do not want them, or not yet."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.push.batch import PAGE, PushBatch
from processors.push.delivery import Kind
from processors.push.fan_out import FanOut
from processors.push.payload import FOLLOW_UP, BatchPayload, FollowUpPayload, PushPayload
from processors.push.processor import PushFollowUp, PushNotification
from processors.reach.reach import SPREAD
from queue_lib.errors import SnoozeError
from storage.errors import StorageAwayError
from storage.ports import Preference
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import (
    NOW,
    Clock,
    FakePreferences,
    FakeSender,
    FakeSubscriptions,
    make_dependencies,
    make_row,
)
from tests.support.push_mortal import Killed, MortalContext
from tests.support.push_run import job

if TYPE_CHECKING:
    from processors.push.dependencies import PushDependencies
    from processors.push.result import PushResult

HOUR = 3600
MORNING = Preference(quiet_from="06:00", quiet_to="12:00")  # NOW is 08:00
END = NOW + 4 * HOUR


class World:
    """Three devices of user 1 and one of user 2, with preferences of user 1."""

    def __init__(self, *rows: Preference) -> None:
        self.clock, self.sender = Clock(), FakeSender()
        self.preferences = FakePreferences({"1": rows})
        self.subscriptions = FakeSubscriptions([make_row(0), make_row(1), make_row(2), make_row(3, user_id="2")])
        self.context = FakeContext()

    @property
    def dependencies(self) -> PushDependencies:
        """Those of the jobs."""
        return make_dependencies(self.subscriptions, self.sender, self.clock, self.preferences)

    async def push(self, payload: PushPayload | None = None) -> PushResult:
        """Run a job for user 1."""
        return await PushNotification(self.dependencies)(payload or job(), self.context)

    async def follow(self) -> PushResult:
        """Run its only follow-up, when it is due."""
        [follow_up] = self.context.enqueued.values()
        assert follow_up.name == FOLLOW_UP
        self.clock.now += follow_up.delay
        payload = FollowUpPayload.model_validate(follow_up.data)
        self.context = FakeContext(make_job(id=follow_up.job_id, data=follow_up.data))
        return await PushFollowUp(self.dependencies)(payload, self.context)


async def test_a_type_that_is_switched_off_is_not_sent() -> None:
    """The result says so. Other types are sent."""
    world = World(Preference("push", "mention", enabled=False))

    result = await world.push(job(type="mention"))
    assert (result.muted, result.sent, result.total) == (3, 0, 3)
    assert (await world.push(job(type="like"))).sent == 3
    assert (await world.push(job())).sent == 3


async def test_quiet_hours_end_before_the_push() -> None:
    """One follow-up for the user's devices, within a minute of the end; it is the first attempt."""
    world = World(MORNING)

    result = await world.push()
    assert (result.waiting, result.sent, result.total) == (3, 0, 3)
    [follow_up] = world.context.enqueued.values()
    assert result.follow_ups == (follow_up.job_id,)
    assert END <= NOW + follow_up.delay < END + SPREAD
    assert follow_up.data["attempt"] == 1
    assert (await world.follow()).sent == 3
    assert world.sender.taken == ["000000", "000001", "000002"]


async def test_a_follow_up_asks_again() -> None:
    """The user may have changed the quiet hours, and then switched the type off."""
    world = World(MORNING)
    await world.push(job(type="mention", ttl=5 * HOUR))

    world.preferences.rows["1"] = [Preference(quiet_from="06:00", quiet_to="12:30")]
    assert (await world.follow()).waiting == 3
    world.preferences.rows["1"] = [Preference(type="mention", enabled=False)]
    assert (await world.follow()).muted == 3
    assert world.sender.tried == []


async def test_a_retry_does_not_wake_anybody() -> None:
    """What could not be sent in the evening waits for the morning, without using up an attempt."""
    world = World(Preference(quiet_from="08:00", quiet_to="12:00"))
    world.clock.now, world.sender = NOW - 1, FakeSender({1: [Kind.TRANSIENT, Kind.SENT]})
    assert (await world.push()).retrying == 1

    assert (await world.follow()).waiting == 1
    [later] = world.context.enqueued.values()
    assert later.data["attempt"] == 2
    assert (await world.follow()).sent == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"quiet": "drop"}, {"muted": 3}),
        ({"urgency": "high"}, {"sent": 3}),
        ({"urgency": "high", "quiet": "drop"}, {"sent": 3}),
        ({"ttl": 3 * HOUR}, {"expired": 3}),
        ({"ttl": 0}, {"expired": 3}),
        ({"expiresAt": (NOW + HOUR) * 1000}, {"expired": 3}),
        ({"quiet": None, "urgency": None}, {"waiting": 3}),
    ],
    ids=str,
)
async def test_what_a_job_says_of_quiet_hours(options: dict[str, Any], told: dict[str, int]) -> None:
    """Drop it, pass, or be over before they end."""
    world = World(MORNING)

    result = await world.push(job(**options))

    assert {name: getattr(result, name) for name in told} == told
    assert len(world.context.enqueued) == ("waiting" in told)


async def test_urgent_messages_reach_nobody_who_has_switched_them_off() -> None:
    """Only quiet hours are passed."""
    assert (await World(Preference(enabled=False)).push(job(urgency="high"))).muted == 3


async def test_an_outage_of_the_database_wakes_nobody() -> None:
    """The job is put off."""
    world = World(MORNING)
    world.preferences.fault = StorageAwayError("the database does not answer")

    with pytest.raises(SnoozeError):
        await world.push()

    assert world.sender.tried == []


@pytest.mark.slow
async def test_a_batch_asks_once_a_page() -> None:
    """Each page's users, once each; those whose quiet hours end together share a follow-up."""
    users = [f"u{n}" for n in range(PAGE)]
    rows = [make_row(n, user_id=users[n // 2]) for n in range(2 * PAGE)]
    ends = {"u1": "10:00", "u3": "10:00", "u5": "11:00", f"u{PAGE - 1}": "10:00"}
    preferences = FakePreferences({user: [Preference(quiet_from="06:00", quiet_to=end)] for user, end in ends.items()})
    preferences.rows["u7"] = [Preference(enabled=False)]
    sender, context = FakeSender(), FakeContext()

    dependencies = make_dependencies(FakeSubscriptions(rows), sender, preferences=preferences)
    result = await PushBatch(dependencies)(batch(), context)

    assert preferences.asked == [sorted(users[: PAGE // 2]), sorted(users[PAGE // 2 :])]
    assert (result.waiting, result.muted, result.sent) == (8, 2, 2 * PAGE - 10)
    sizes = sorted(len(each.data["subscriptionIds"]) for each in context.enqueued.values())
    assert sizes == [2, 2, 4]


async def test_nobody_is_woken_to_test_a_push_service() -> None:
    """Where the first subscriptions are refused, some of the last are asked before their turn: not in quiet hours."""
    rows = [make_row(n, user_id=str(n)) for n in range(100)]
    preferences = FakePreferences({str(n): [MORNING] for n in range(50, 98)})
    sender = FakeSender(dict.fromkeys(range(50), Kind.CONFIGURATION), learns=True)
    dependencies = make_dependencies(FakeSubscriptions(rows), sender, preferences=preferences)
    fan_out = await FanOut.open(dependencies, batch(), FakeContext())
    fan_out.other_end.read = partial(dependencies.subscriptions.last, 50)

    async with fan_out:
        await fan_out.deliver(rows[:50])

    assert sender.taken == ["000098", "000099"]


def batch(**options: Any) -> BatchPayload:
    """A batch for everybody."""
    return BatchPayload.model_validate({"all": True, "payload": {"title": "t"}, "options": options})


ROWS = st.sampled_from(
    [
        (),
        (MORNING,),
        (Preference(quiet_from="07:00", quiet_to="12:00"), Preference(time_zone="Europe/Berlin")),
        (Preference("push", quiet_from="20:00", quiet_to="19:00"),),
        (Preference("push", enabled=False),),
    ]
)
DEATHS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=5)


@given(st.lists(ROWS, min_size=1, max_size=20), DEATHS)
def test_a_crash_wakes_nobody_and_forgets_nobody(choices: list[tuple[Preference, ...]], deaths: Any) -> None:
    """Wherever the process dies: each push comes, outside of quiet hours; nobody gets it twice but for a crash."""
    preferences = FakePreferences({str(n): rows for n, rows in enumerate(choices)})
    clock, hours = Clock(), dict[str, set[int]]()
    sender = FakeSender()

    taken, died = asyncio.run(all_jobs(len(choices), sender, preferences, clock, deque(deaths), hours))

    wanted = {f"{n:06}" for n, rows in enumerate(choices) if all(row.enabled is not False for row in rows)}
    assert set(taken) == wanted
    assert max(taken.values(), default=0) <= 1 + died
    for number, rows in enumerate(choices):
        at = hours.get(f"{number:06}", set())
        assert not rows or rows[0] is not MORNING or at <= {12}
        assert len(rows) < 2 or at <= {11}  # noon in Berlin
        assert not rows or rows[0].quiet_to != "19:00" or at <= {19}


async def all_jobs(
    count: int,
    sender: FakeSender,
    preferences: FakePreferences,
    clock: Clock,
    life: deque[tuple[int, bool]],
    hours: dict[str, set[int]],
) -> tuple[Counter[str], int]:
    """A batch and all its follow-ups when they are due, run again after each death; `hours` has when each was sent."""
    rows = FakeSubscriptions([make_row(n, user_id=str(n)) for n in range(count)])
    dependencies = make_dependencies(rows, sender, clock, preferences)
    waiting: list[tuple[float, int, Any, Any, MortalContext]] = []
    waiting.append((NOW, 0, PushBatch(dependencies), batch(), MortalContext(make_job(), life)))
    known, died = set[str](), 0
    while waiting:
        waiting.sort(key=lambda each: each[:2])
        due, number, processor, data, context = waiting.pop(0)
        clock.now, before = max(clock.now, due), len(sender.taken)
        try:
            await processor(data, context)
        except Killed:
            died += 1
            context.dead = False
            waiting.append((due, number, processor, data, context))
        for taken in sender.taken[before:]:
            hours.setdefault(taken, set()).add(int(clock.now % 86_400 // HOUR))
        for job_id, each in context.enqueued.items():
            if job_id not in known:
                known.add(job_id)
                parsed = FollowUpPayload.model_validate(each.data)
                again = MortalContext(make_job(id=job_id, data=each.data), life)
                waiting.append((clock.now + each.delay, len(known), PushFollowUp(dependencies), parsed, again))
    return Counter(sender.taken), died
