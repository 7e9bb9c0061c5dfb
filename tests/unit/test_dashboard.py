"""The parts of the dashboard that need no server: sessions, texts, graphs, alarms, attempts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from itsdangerous import TimestampSigner
from starlette.exceptions import HTTPException

from queue_lib.admin.queues import QueueStats
from queue_lib.broker.bullmq.schedulers import StoppedScheduler
from queue_lib.errors import Trouble
from queue_lib.job import State, Wire
from queue_lib.observe.worker_stats import Minute, WorkerView
from queue_lib.web.dashboard import addresses, formats, sparkline
from queue_lib.web.dashboard.alarms import alarms
from queue_lib.web.dashboard.charts import DAY, Period, graphs_of
from queue_lib.web.dashboard.login_attempts import MOST_ATTEMPTS, LoginAttempts
from queue_lib.web.dashboard.offers import AT_ONCE, Offer, offer
from queue_lib.web.dashboard.sessions import LIFETIME, Sessions
from queue_lib.web.rate_limit import MOST_NAMES, WINDOW
from queue_lib.web.tokens import Token

ADA, BOB = Token("ada", "a" * 64, may_write=True), Token("bob", "b" * 64, may_write=False)
REDIS = "redis://:password@redis.example"


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


def test_another_process_knows_the_session() -> None:
    """It keeps no state: the same tokens and the same Redis are enough."""
    cookie = Sessions([ADA, BOB], REDIS).open(BOB)
    session = Sessions([BOB], REDIS).read(cookie)

    assert session is not None
    assert session.token is BOB
    assert session == Sessions([ADA, BOB], REDIS).read(cookie)
    assert "b" * 64 not in cookie


def test_a_session_ends() -> None:
    """After twelve hours."""
    clock = Clock()
    sessions = Sessions([ADA], REDIS, clock)
    cookie = sessions.open(ADA)
    clock.now += LIFETIME
    assert sessions.read(cookie) is not None
    clock.now += 1
    assert sessions.read(cookie) is None


def test_a_session_ends_with_its_token() -> None:
    """When it is revoked, or replaced under the same name, or when Redis is another one."""
    cookie = Sessions([ADA, BOB], REDIS).open(ADA)
    replaced = Token("ada", "c" * 64, may_write=True)

    assert Sessions([BOB], REDIS).read(cookie) is None
    assert Sessions([replaced], REDIS).read(cookie) is None
    assert Sessions([ADA], "redis://other").read(cookie) is None


def test_a_token_that_is_made_read_only_is_so_at_once() -> None:
    """A session's rights are read from the token each time."""
    session = Sessions([Token("ada", "a" * 64, may_write=False)], REDIS).read(Sessions([ADA], REDIS).open(ADA))
    assert session is not None
    assert not session.token.may_write


@pytest.mark.parametrize("cookie", ["", "ada", "ada.x.y", "ada.x.y.z", "nobody.x.y.z", "ada." + "x" * 9999, "ä.ö"])
def test_a_forged_cookie_is_refused(cookie: str) -> None:
    """Whatever it contains."""
    assert Sessions([ADA], REDIS).read(cookie) is None


def test_a_tokens_hash_forges_no_session() -> None:
    """The hash in the settings is not the key, and a session's signature fits no other name."""
    for key in (ADA.digest, ADA.digest.encode(), bytes.fromhex(ADA.digest)):
        assert Sessions([ADA], REDIS).read(TimestampSigner(key, salt="session").sign("ada.x").decode()) is None
    other = Sessions([ADA, BOB], REDIS).open(BOB)
    assert Sessions([ADA, BOB], REDIS).read(other.replace("bob", "ada")) is None


def test_each_session_has_forms_of_its_own() -> None:
    """Two sessions of one token have different CSRF tokens."""
    sessions = Sessions([ADA], REDIS)
    first, second = sessions.read(sessions.open(ADA)), sessions.read(sessions.open(ADA))
    assert first is not None
    assert second is not None
    assert first.csrf != second.csrf


def test_failed_attempts_are_counted_by_address_and_window() -> None:
    """Beyond the limit the answer says how long to wait; a flood of addresses shares one count."""
    clock = Clock()
    attempts = LoginAttempts(clock)
    for _ in range(MOST_ATTEMPTS):
        attempts.check("a")
        attempts.failed("a")
    attempts.check("b")
    clock.now += WINDOW - 1
    with pytest.raises(HTTPException) as refused:
        attempts.check("a")
    assert {"Retry-After": "2"} == refused.value.headers
    clock.now += 1
    attempts.check("a")

    for number in range(MOST_NAMES + MOST_ATTEMPTS):
        attempts.check(str(number))
        attempts.failed(str(number))
    with pytest.raises(HTTPException):
        attempts.check("one more")


def test_looking_at_an_address_does_not_remember_it() -> None:
    """Otherwise good sign-ins would fill the memory that counts bad ones."""
    attempts = LoginAttempts(Clock())
    for number in range(MOST_NAMES):
        attempts.check(str(number))
    for _ in range(MOST_ATTEMPTS):
        attempts.failed("a")
    attempts.check("b")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((None, formats.NONE), (-3.0, "0 ms"), (0.0004, "0 ms"), (0.34, "340 ms"), (1.44, "1.4 s"), (12.2, "12 s")),
        *((119.0, "119 s"), (120.0, "2 min"), (7199.0, "120 min"), (7200.0, "2 h"), (1e9, "11,574 d")),
    ],
)
def test_durations(seconds: float | None, told: str) -> None:
    """In the unit that fits."""
    assert told == formats.duration(seconds)


def test_moments() -> None:
    """In UTC, and relative to now; a value that is no date is a dash."""
    assert "2026-11-25 02:05:06 UTC" == formats.moment(1_795_572_306.0)
    assert [formats.NONE] * 4 == [formats.moment(at) for at in (None, 0.0, 1e300, float("nan"))]
    assert "2026-11-25T02:05:06Z" == formats.iso(1_795_572_306.0)
    assert ["3 min ago", "in 5 h"] == [formats.ago(at, 100_000.0) for at in (99_820.0, 118_000.0)]
    assert "1.5 GiB" == formats.memory(1.5 * 2**30)


def test_text_is_made_harmless() -> None:
    """Escapes are visible, text direction stays, surrogates are gone, lines stay lines."""
    assert "a\n\tb␛[31m\ufffdc?␀" == formats.printable("a\n\tb\x1b[31m\u202ec\ud800\x00")
    assert "ab … and 3 more characters" == formats.short("abcde", 2)


@pytest.mark.parametrize(
    "value", [{"a": [1, None, True]}, "x" * 10_000_000, [[1] * 1000] * 1000, {"\ud800": "<b>"}, {"a": {1, 2}}, 3.5]
)
def test_json_is_bounded(value: Any) -> None:
    """Short values are whole; of long ones only the beginning is rendered."""
    assert len(formats.glance(value)) <= formats.LONGEST_GLANCE + 2
    told = formats.pretty(value)
    assert len(told) <= formats.LONGEST_JSON + 20
    if len(told) < formats.LONGEST_JSON and not isinstance(value, dict):
        assert value == json.loads(told)


def test_a_glance_shows_short_values_first() -> None:
    """Of a mail its recipient and subject, however long the body before them is."""
    mail = {"html": "<p>" * 100, "to": "ada@example.com", "subject": "Your export"}
    assert formats.glance(mail).startswith('{"to": "ada@example.com", "subject": "Your export", "html": "<p>')


def test_json_that_is_nested_too_deeply() -> None:
    """It raises nothing."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert formats.pretty(deep).endswith("… and more")


@pytest.mark.parametrize("job_id", ["a/b", "..", "a b", "a?b=c&d#e", "%2F", "ü", "\ud800"])
def test_addresses_hold_any_id(job_id: str) -> None:
    """In the query, encoded; no id can end the value."""
    told = addresses.address("/job", id=job_id, wire="rq", text="", start=None)
    assert told.startswith("/admin/queues/job?id=")
    assert told.endswith("&wire=rq")
    assert not set(" #/") & set(told.removeprefix("/admin/queues/job"))


@pytest.mark.parametrize(
    ("count", "offered"),
    [
        (1, Offer("1 letter", 1)),
        (84, Offer("84 letters", 84)),
        (AT_ONCE, Offer("1,000 letters", AT_ONCE)),
        (3400, Offer("the newest 1,000 of 3,400 letters", AT_ONCE)),
        (None, Offer("up to 1,000 letters", AT_ONCE)),
    ],
)
def test_the_offer_of_an_action_on_many(count: int | None, offered: Offer) -> None:
    """As many as there are, if the number is known, and no more than can be done at once."""
    assert offered == offer(count, "letter")


def test_bars_stand_on_each_other() -> None:
    """As high as their share; no bar for zero, and a visible one for little."""
    assert "M0.125 28.0h0.75v-14.0h-0.75z" == sparkline.bars([5, 0], 10)
    assert "M0.125 14.0h0.75v-14.0h-0.75z" == sparkline.bars([5], 10, [5])
    assert "M0.125 28.0h0.75v-1.0h-0.75z" == sparkline.bars([1], 1000)
    assert "" == sparkline.bars([], 0) == sparkline.bars([0, 0], 0)


def test_lines_have_gaps() -> None:
    """Where nothing was measured; a lone value is a dash."""
    assert "M0.5 27.0L1.5 1.0M3 14.0h1" == sparkline.line([0.0, 2.0, None, 1.0], 2.0)
    assert "" == sparkline.line([None], 0.0)


def minute(**counts: Any) -> Minute:
    """A minute with these counts."""
    nothing = {"done": 0, "retried": 0, "dead": 0, "wait_p50": None, "wait_p95": None, "run_p50": None, "run_p95": None}
    return Minute(at=60.0, **(nothing | counts))


def test_graphs_of_an_hour() -> None:
    """Totals, the peak and when it was, the last wait that was measured."""
    measured = replace(minute(done=4, dead=2, wait_p50=0.1, wait_p95=0.4), at=120.0)
    graphs = graphs_of([minute(retried=1), measured, replace(minute(done=1), at=180.0)])

    assert (5, 1, 2) == graphs.totals
    assert (6, 120.0, 0.4, 120.0, measured) == (
        *(graphs.peak, graphs.peak_at, graphs.longest, graphs.longest_at),
        graphs.latest,
    )
    nothing = graphs_of([])
    assert (None, None, None, "", []) == (nothing.latest, nothing.peak_at, nothing.longest, nothing.done, nothing.ticks)


@pytest.mark.parametrize(
    ("period", "step", "labels", "rows"),
    [
        (Period.HOUR, 60, ["60 min ago", "45", "30", "15", "now"], 12),
        (Period.DAY, 600, ["24 h ago", "18", "12", "6", "now"], 24),
    ],
)
def test_the_axis_of_time(period: Period, step: int, labels: list[str], rows: int) -> None:
    """It has five marks, and the same is there in numbers, the newest first."""
    count = period.minutes * 60 // step
    history = [
        replace(minute(done=1, dead=place % 2, wait_p95=place), at=float(place * step)) for place in range(count)
    ]
    graphs = graphs_of(history, period)

    assert labels == [tick.label for tick in graphs.ticks]
    assert [count * quarter / 4 for quarter in range(5)] == [tick.x for tick in graphs.ticks]
    assert [period.minutes * 15 * quarter for quarter in range(5)] == [tick.at for tick in graphs.ticks]
    assert (rows, count, count // 2) == (
        *(len(graphs.rows), sum(row.done for row in graphs.rows)),
        sum(row.dead for row in graphs.rows),
    )
    assert (DAY * 60 if period is Period.DAY else 3600) - graphs.rows[0].at == graphs.rows[-2].at
    assert (float(count - 1), graphs.longest_at) == (graphs.longest, history[-1].at)


def worker(queue: str, *wires: Wire) -> WorkerView:
    """A worker of a queue."""
    return WorkerView(name="w", host="h", pid=1, started_at=0.0, queues=(queue,), wires=wires)


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        ([], ["No worker serves this queue."]),
        ([worker("work", Wire.RQ)], ["No worker serves BullMQ jobs of this queue."]),
        ([worker("work", Wire.RQ), worker("work", Wire.BULLMQ)], []),
    ],
)
def test_alarms(workers: list[WorkerView], told: list[str]) -> None:
    """A queue, or one of its wires, that no worker serves."""
    counts = {wire: dict.fromkeys(State, 0) for wire in Wire}
    assert told == alarms(QueueStats(queue="work", paused=False, counts=counts, oldest=None), workers)


def test_a_queue_that_the_app_does_not_use_is_no_alarm() -> None:
    """While another queue has a worker: until a job is in it, or where its keys can't be read."""
    counts = {wire: dict.fromkeys(State, 0) | {State.COMPLETED: 5, State.FAILED: 5} for wire in Wire}
    stats = QueueStats(queue="work", paused=False, counts=counts, oldest=None)
    others = [worker("other", *Wire)]
    assert [] == alarms(stats, others)
    for state in (State.WAITING, State.DELAYED, State.ACTIVE, State.WAITING_CHILDREN):
        used = replace(stats, counts=counts | {Wire.RQ: counts[Wire.RQ] | {state: 1}})
        assert ["No worker serves this queue."] == alarms(used, others)
    assert "No worker serves this queue." in alarms(replace(stats, trouble=Trouble.WRONG_TYPE), others)


def test_an_alarm_for_what_redis_says() -> None:
    """A queue whose app is too old, or whose keys are broken, shows that first."""
    broken = QueueStats(queue="work", paused=False, counts={}, oldest=None, trouble=Trouble.WRONG_TYPE)
    assert ["A key in Redis has the wrong type.", "No worker serves this queue."] == alarms(broken, [])


def test_a_scheduler_that_has_stopped_is_an_alarm() -> None:
    """Whether or not a worker serves the queue."""
    counts = {wire: dict.fromkeys(State, 0) for wire in Wire}
    stopped = [StoppedScheduler("nightly", "0 9 * * 8", "8 is no day of week", 5.0)]
    stats = QueueStats(queue="work", paused=False, counts=counts, oldest=None, stopped=stopped)
    told = "The schedule nightly (0 9 * * 8) has stopped: 8 is no day of week."
    assert [told] == alarms(stats, [worker("work", Wire.RQ, Wire.BULLMQ)])
    assert ["No worker serves this queue.", told] == alarms(stats, [])
    many = alarms(replace(stats, stopped=stopped * 300), [])
    assert (12, "So have 290 more schedules of this queue.") == (len(many), many[-1])
