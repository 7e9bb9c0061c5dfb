"""Schedules that Node has written: due when its cron-parser says so; those of bullmq 5 keep their data."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from queue_lib.broker.bullmq.cron import next_time
from queue_lib.broker.bullmq.pattern import PatternError
from tests.support.chaos_worker import PUSHES
from tests.support.node import SCRIPTS, node_session, require
from tests.support.polling import until

if TYPE_CHECKING:
    from tests.support.wires import Mess

CHANGES = {  # days of 2026 on which clocks change; Kolkata's never do
    "Europe/Berlin": ("03-29", "10-25"),
    "America/New_York": ("03-08", "11-01"),
    "Australia/Adelaide": ("04-05", "10-04"),
    "America/St_Johns": ("03-08", "11-01"),
    "Australia/Lord_Howe": ("10-04", "08-15"),  # in April Node finds nothing there
    "Asia/Kolkata": ("01-01", "07-01"),
}
WEEKLY = ("1", "1-5", "0", "7", "6,0", "MON", "sun", "5L", "1#2", "SUN#5", "mon-fri", "0L,2", "*/2", "?")
MONTHLY = ("1", "15", "L", "29", "31", "*/2", "1,15", "L,10", "?", "*/5")
PRESETS = ("@yearly", "@monthly", "@weekly", "@daily", "@hourly", "@minutely", "@secondly", "@weekdays", "@weekends")
HASHED = ("H 3 * * *", "H H * * *", "H/15 * * * *", "H(0-29)/10 2 * * *", "H H(1-4) * * *", "H H H * *", "H 2 * * 1")
LOST = "Invalid expression, loop limit exceeded"  # Node, where a clock changes by half an hour
Case = tuple[str, str, int, str]


def _pattern(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.1:
        return draw.choice(PRESETS)
    if kind < 0.2:
        return draw.choice(HASHED)
    minute = draw.choice(["0", "15", "30", "45", "*/15", "*/20", "0,30", "7", "*", "10-20/5", "59"])
    hour = draw.choice(["0", "1", "2", "2", "3", "9", "*", "*/2", "*/6", "1,2", "2,3", "0-5", "1-3", "9-17", "0,23"])
    weekday = draw.choice(WEEKLY) if draw.random() < 0.3 else "*"
    day = draw.choice(MONTHLY) if draw.random() < 0.25 else "*"
    month = draw.choice(["3", "10", "MAR,NOV", "JAN-JUN", "*/3"]) if draw.random() < 0.15 else "*"
    seconds = draw.choice(["0 ", "30 ", "*/10 "]) if draw.random() < 0.2 else ""
    return f"{seconds}{minute} {hour} {day} {month} {weekday}"


def _case(draw: random.Random) -> Case:
    zone, days = draw.choice(list(CHANGES.items()))
    day = datetime.fromisoformat(f"2026-{draw.choice(days)}T02:00").replace(tzinfo=ZoneInfo(zone))
    away = draw.choice([86_400, 8 * 3600, 40 * 86_400]) * (draw.random() - 0.7)
    moment = day.timestamp() + away
    while datetime.fromtimestamp(moment, ZoneInfo(zone)).fold:  # what has run in this hour before Node runs again
        moment += 1800
    return _pattern(draw), zone, round(moment * 1000), f"seed-{draw.randrange(9)}"


def _ours(case: Case) -> int | str:
    pattern, zone, after, seed = case
    try:
        return round(next_time(pattern, zone, after / 1000, seed) * 1000)
    except PatternError as error:
        return str(error)


def _agree(case: Case, node: int | str, ours: int | str) -> bool:
    """Except that Node finds nothing on Lord Howe, or leaves out what falls into the half hour skipped there."""
    if isinstance(node, str):
        return isinstance(ours, str) or (node == LOST and case[1] == "Australia/Lord_Howe")
    skipped = datetime(2026, 10, 3, 15, 30, tzinfo=UTC).timestamp() * 1000
    on_lord_howe = case[1] == "Australia/Lord_Howe" and isinstance(ours, int) and skipped <= ours < skipped + 3_600_000
    return node == ours or on_lord_howe


@pytest.mark.parametrize("seed", range(2))
async def test_patterns_near_the_changes(seed: int) -> None:
    """Five hundred patterns, zones and moments at random: the same time as Node's, to the second."""
    require("bullmq6")
    draw = random.Random(seed)
    cases = [_case(draw) for _ in range(500)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("node", SCRIPTS / "cron.mjs", stdin=pipe, stdout=pipe)
    stdout, _ = await process.communicate(json.dumps(cases).encode())
    answers = zip(cases, json.loads(stdout), map(_ours, cases), strict=True)
    assert [] == [(case, node, ours) for case, node, ours in answers if not _agree(case, node, ours)]


async def test_repeatable_jobs_of_bullmq_5(mess: Mess) -> None:
    """`add` with `repeat` goes on with its data and its options, by interval and by pattern, up to its limit."""
    require("bullmq5")
    repeats = ({"every": 300}, {"pattern": "* * * * * *", "limit": 3}, {"every": 400, "key": "mine"})
    async with node_session(mess.url, "bullmq5") as app, mess.worker():
        for number, repeat in enumerate(repeats):
            await app("add", PUSHES, "nap", {"n": number}, {"repeat": repeat, "attempts": 7})
        await until(lambda: all(len(_of(mess, number)) >= 3 for number in range(3)))
        await asyncio.sleep(1.5)

    assert 3 == len(_of(mess, 1))
    keys = mess.redis.scan_iter(f"bull:{PUSHES}:repeat:*:*", _type="hash")  # a job that runs has a lock, too
    runs = [mess.redis.hmget(key, "data", "name") for key in keys]
    assert {(b'{"n":0}', b"nap"), (b'{"n":1}', b"nap"), (b'{"n":2}', b"nap")} == set(map(tuple, runs))
    assert not mess.redis.exists("bull:dead:wait")


def _of(mess: Mess, number: int) -> list[object]:
    """The jobs with this number in their data that have run."""
    done: Any = mess.redis.zrange(f"bull:{PUSHES}:completed", 0, -1)
    data = [mess.redis.hget(f"bull:{PUSHES}:{job_id.decode()}", "data") for job_id in done]
    return [each for each in data if each == f'{{"n":{number}}}'.encode()]
