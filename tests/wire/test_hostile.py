"""Hostile entries in Redis: what is not a job ends as a dead letter, and nothing of it is executed.

Every case is followed by a good job, which must be done: a worker that crashes would block the queue.
"""

from __future__ import annotations

import json
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import PUSHES
from tests.support.polling import until
from tests.support.windows import watched, windows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.wires import Mess

Fields = dict[Any, Any]


@dataclass(frozen=True)
class Case:
    """A hash as an attacker wrote it, and a part of the reason for which it is buried (None: it runs)."""

    name: str
    fields: Fields
    reason: str | None


def rq_data(function: Any = "nap", instance: Any = None, args: Any = ({},), kwargs: Any = None) -> bytes:
    """RQ's `data` as its JSON serializer writes it."""
    return zlib.compress(json.dumps([function, instance, args, kwargs or {}]).encode())


def rq_case(title: str, reason: str | None, **fields: Any) -> Case:
    """A job as RQ writes it, with some fields changed; None removes a field."""
    now = "2026-01-02T03:04:05.678901Z"
    good = {"data": rq_data(), "origin": PUSHES, "status": "queued", "created_at": now, "enqueued_at": now}
    return Case(title, {key: value for key, value in {**good, **fields}.items() if value is not None}, reason)


def rq_cases(canary: Path) -> list[Case]:
    """Jobs that must not run, and unreadable ones. `canary` is a file that would appear if something were executed."""
    touch = f"touch {canary}"
    code = f"open({str(canary)!r}, 'w')"
    pickled = b"cposix\nsystem\n(S'" + touch.encode() + b"'\ntR."
    bomb = zlib.compress(b"[" + b"0," * 100_000_000 + b"0]", 1)
    unknown = "unknown job name"
    return [
        rq_case("os.system", unknown, data=rq_data("os.system", args=[touch])),
        rq_case("eval", unknown, data=rq_data("builtins.eval", args=[code])),
        rq_case("module", unknown, data=rq_data("antigravity.fly")),
        rq_case("instance", "a method of an instance", data=rq_data("write_text", instance=str(canary), args=["x"])),
        rq_case("success callback", "success_callback_name is set", success_callback_name="os.system"),
        rq_case("failure callback", "failure_callback_name is set", failure_callback_name="os.system"),
        rq_case("stopped callback", "stopped_callback_name is set", stopped_callback_name="os.system"),
        rq_case("webhook", "webhooks is set", webhooks=json.dumps([{"url": "http://127.0.0.1:9/"}])),
        rq_case("pickle", "enqueue with serializer=json", data=pickled),
        rq_case("packed pickle", "enqueue with serializer=json", data=zlib.compress(pickled)),
        rq_case("garbage", "unreadable job", data=bytes(range(256))),
        rq_case("empty data", "unreadable job", data=b""),
        rq_case("bomb", "its payload is larger than 4 MiB", data=bomb),
        rq_case("deep", "unreadable job", data=zlib.compress(b"[" * 200_000)),
        rq_case("deep in the data", None, data=b'["nap",null,[' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"],{}]"),
        rq_case("not a list", "unreadable job", data=zlib.compress(b'{"a": 1}')),
        rq_case("too short", "unreadable job", data=zlib.compress(b'["nap", null]')),
        rq_case("no data", "", data=None),
        rq_case("function of a wrong type", "", data=rq_data({"a": 1})),
        rq_case("function is null", "", data=rq_data(None)),
        rq_case("two arguments", "one positional argument", data=rq_data(args=[{}, {}])),
        rq_case("keywords", "one positional argument", data=rq_data(args=[], kwargs={"a": 1})),
        rq_case("arguments of a wrong type", "one positional argument", data=rq_data(args="x" * 3)),
        rq_case("payload of a wrong type", "bad payload", data=rq_data(args=[7])),
        rq_case("lone surrogate in the name", unknown, data=rq_data("nap\ud800")),
        rq_case("name that is not UTF-8", "unreadable job", data=b'["\xff\xfe",null,[{}],{}]'),
        rq_case("long name", unknown, data=rq_data("n" * 100_000)),
        rq_case("bad dates", "unreadable job", created_at="yesterday", enqueued_at="2026-13-45"),
        rq_case("bad timeout", "unreadable job", timeout="long"),
        rq_case("bad retries", "unreadable job", retries_left="many"),
        rq_case("bad intervals", "unreadable job", retries_left=3, retry_intervals="[1, {]"),
        rq_case("intervals of a wrong type", "", retries_left=3, retry_intervals='["a"]'),
        rq_case("bad attempts", "unreadable job", attempts_made="x"),
        rq_case("bad crashes", "", crashes="x"),
        rq_case("bad ttl", "unreadable job", result_ttl="x"),
        rq_case("bad meta", None, meta="not json"),
        rq_case("status unknown", "unreadable job", status="elated"),
        rq_case("origin elsewhere", None, origin="os"),
        rq_case("origin missing", None, origin=None),
        rq_case("huge retries", "out of bounds", retries_left=10**15),
        rq_case("plain JSON", None, data=b'["nap",null,[{}],{}]'),
        rq_case("lone surrogate in the payload", None, data=rq_data(args=[{"text": "\udcff"}])),
        rq_case("unknown field that is not UTF-8", None, x=b"\xff"),
    ]


def bull_case(title: str, reason: str | None, **fields: Any) -> Case:
    """A job as Node writes it, with some fields changed; None removes a field."""
    good = {"name": "nap", "data": "{}", "opts": "{}", "timestamp": "1767323045678", "delay": "0", "priority": "0"}
    return Case(title, {key: value for key, value in {**good, **fields}.items() if value is not None}, reason)


def bull_cases() -> list[Case]:
    """Jobs that Node would not write."""
    opts = json.dumps
    bad = "unreadable job"
    return [
        bull_case("data not JSON", bad, data="{"),
        bull_case("no data", None, data=None),
        bull_case("data of a wrong type", "bad payload", data="[1]"),
        bull_case("data null", "bad payload", data="null"),
        bull_case("deep", bad, data="[" * 200_000),
        bull_case("invalid UTF-8 in the data", bad, data=b'{"a": \xff}'),
        bull_case("opts not JSON", bad, opts="{"),
        bull_case("opts null", "", opts="null"),
        bull_case("opts a list", "", opts="[1]"),
        bull_case("opts a text", "", opts='"a"'),
        bull_case("attempts a text", "attempts", opts=opts({"attempts": "x"})),
        bull_case("attempts a list", "attempts", opts=opts({"attempts": [1]})),
        bull_case("attempts negative", "attempts", opts=opts({"attempts": -1})),
        bull_case("attempts without end", "", opts='{"attempts": 1e999}'),
        bull_case("attempts not a number", "", opts='{"attempts": NaN}'),
        bull_case(
            "delay of the backoff a text", "backoff.delay", opts=opts({"backoff": {"type": "fixed", "delay": "x"}})
        ),
        bull_case("no name", bad, name=None),
        bull_case("empty name", bad, name=""),
        bull_case("unknown name", "unknown job name", name="os.system"),
        bull_case("name not UTF-8", "unknown job name", name=b"\xff\xfe"),
        bull_case("long name", "unknown job name", name="n" * 100_000),
        bull_case("bad timestamp", bad, timestamp="yesterday"),
        bull_case("no timestamp", None, timestamp=None),
        bull_case("bad stack trace", bad, stacktrace="not json"),
        bull_case("backoff of a type of the app's", None, opts=opts({"backoff": {"type": "mine", "delay": 1}})),
        bull_case("backoff a text", None, opts=opts({"backoff": "soon"})),
        bull_case("retention of a wrong type", "the option removeOnComplete", opts=opts({"removeOnComplete": "yes"})),
        bull_case("lone surrogate in the data", None, data='{"text": "\\udcff"}'),
        bull_case("field not UTF-8", None, x=b"\xff"),
    ]


@dataclass
class Written:
    """The cases as they are in Redis, by job id."""

    cases: dict[str, Case] = field(default_factory=dict)

    def rq(self, mess: Mess, cases: list[Case]) -> None:
        """Write as RQ's producer does, in raw commands."""
        for number, case in enumerate(cases):
            job_id = f"rq-{number}"
            self.cases[job_id] = case
            mess.redis.hset(f"rq:job:{job_id}", mapping=case.fields)
            mess.redis.rpush(f"rq:queue:{PUSHES}", job_id)

    def bullmq(self, mess: Mess, cases: list[Case]) -> None:
        """Write as BullMQ's script does, in raw commands."""
        for number, case in enumerate(cases):
            # Whatever an id holds, it is a part of a key; Node itself refuses only those that are numbers.
            job_id = f"bull-{number} {{}}*\n⚙'\""
            self.cases[job_id] = case
            mess.redis.hset(f"bull:{PUSHES}:{job_id}", mapping=case.fields)
            mess.redis.lpush(f"bull:{PUSHES}:wait", job_id)
        mess.redis.zadd(f"bull:{PUSHES}:marker", {"0": 0})


@pytest.mark.parametrize("wire", ["rq", "bullmq"])
async def test_hostile_jobs(mess: Mess, tmp_path: Path, wire: str) -> None:
    """Each is buried once, with a dead letter that says why, or runs if harmless; nothing it names is executed."""
    canary = tmp_path / "canary"
    written = Written()
    async with mess.worker() as worker:
        if wire == "rq":
            written.rq(mess, rq_cases(canary))
        else:
            written.bullmq(mess, bull_cases())
        good = [*await mess.bullmq("nap", {}), *mess.rq("nap", {})]
        await until(
            lambda: set(good) <= mess.done() and len(_ended(worker.log)) >= len(written.cases) + len(good),
            20,
            lambda: f"{[case.name for id_, case in written.cases.items() if id_ not in _ended(worker.log)]}",
        )
        assert worker.is_running
        assert not canary.exists()

    expected = {case.name: case.reason is None for case in written.cases.values()}
    buried = {line["id"]: line["reason"] for line in worker.lines("job_dead")}
    assert expected == {case.name: job_id not in buried for job_id, case in written.cases.items()}
    reasons = {case.name: (case.reason, buried[job_id]) for job_id, case in written.cases.items() if job_id in buried}
    assert {} == {name: pair for name, pair in reasons.items() if (pair[0] or "") not in pair[1]}
    letters = await mess.dead_letters()
    assert buried == {job_id: letter["reason"] for job_id, letter in letters.items()}
    assert len(buried) == (await mess.counts())[f"{wire} failed"]
    assert not worker.stderr


def _ended(log: list[dict[str, Any]]) -> set[str]:
    return {line["id"] for line in log if line["event"] in {"job_done", "job_dead"}}


async def test_counters_that_are_no_numbers(mess: Mess) -> None:
    """BullMQ's own scripts fail half-way on such a job; the queue goes on with the next one."""
    written = Written()
    fields = ("atm", "ats", "stc")
    async with mess.worker() as worker:
        written.bullmq(mess, [bull_case(name, "", **{name: "x"}) for name in fields])
        good = [*await mess.bullmq("nap", {}), *mess.rq("nap", {})]
        await until(lambda: set(good) <= mess.done(), 10, lambda: worker.stdout)
        assert worker.is_running


async def test_an_id_without_a_job(mess: Mess) -> None:
    """An id in line that leads nowhere, or to another type of key, is skipped."""
    mess.redis.set("rq:job:text", "not a hash")
    mess.redis.rpush(f"rq:queue:{PUSHES}", "none", "text", b"\xff\xfe")
    mess.redis.lpush(f"bull:{PUSHES}:wait", "none")

    async with mess.worker() as worker:
        good = [*await mess.bullmq("nap", {}), *mess.rq("nap", {})]
        await worker.logged("job_done", 2)

    assert set(good) == mess.done()
    assert 0 == mess.redis.llen(f"rq:queue:{PUSHES}:intermediate")


async def test_a_limiter_that_never_expires(mess: Mess) -> None:
    """Stock BullMQ takes a limiter key without an expiry for no limit. It is given one, and the limit holds."""
    mess.redis.set(f"bull:{PUSHES}:limiter", 10**15)
    ids = [*await mess.bullmq("nap", *[{}] * 5), *mess.rq("nap", *[{}] * 5)]

    began = time.time()
    limit = {"PUSH_NOTIFICATIONS_RATE_MAX": "5", "PUSH_NOTIFICATIONS_RATE_DURATION": "0.5"}
    async with watched(mess.url) as commands, mess.worker(**limit):
        await until(lambda: set(ids) <= mess.done())

    begins, counts = zip(*windows(commands), strict=True)
    assert begins[0] - began > 0.5
    assert (10, 5) == (sum(counts), max(counts))
