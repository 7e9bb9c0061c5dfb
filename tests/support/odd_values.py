"""Odd values for any field of a job or a dead letter, written as anyone with the Redis URL can write them."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    import redis

FILES = "file-processing"
STATES = ("waiting", "completed", "failed")
NOW = 1_767_323_045_678  # milliseconds
ISO = "2026-01-02T03:04:05.678901Z"
ANY_TEXT = st.text(st.characters(categories=None))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)
FIXED = [
    *(b'"\\ud800"', b'{"\\udfff": "\\ud83d"}', b"NaN", b"[Infinity, -Infinity]", b"1e999", b"-1e999", b"9" * 4500),
    *(b"[" * levels + b"]" * levels for levels in (99, 101, 255, 300, 500, 900, 2000)),
    *(b'{"a":' * levels + b"1" + b"}" * levels for levels in (101, 300, 900)),
    *(b'{"%b": 1}' % (b"k" * 70_000), b'"%b"' % (b"x" * 300_000), b"\xff\xfe\x00", b"", b"null", b"{}", b"-1", b"x:y"),
    *(b'{"unserializable": 1}', b'"2026-13-45T99:00:00Z"', b"9" * 19, b"1.5", b"true", b"[]", b"{", b"\x00\x1b[31m"),
    *(b'{"log": [1, {}], "progress": 1e999}', b'{"attempts": 1e999, "delay": -1e999}', b'{"attempts": true}'),
]
# Levels that some versions of Python read and others do not: 3.11 reads 1,000, 3.13 10,000, 3.14 about 60,000.
NESTED = [
    *(b"[" * levels + b"]" * levels for levels in (3_000, 9_000, 40_000, 200_000)),
    *(b'{"a":' * levels + b"1" + b"}" * levels for levels in (3_000, 30_000)),
]
# By their numbers: some are too large for hypothesis to show.
CHOICES = st.integers(0, len(FIXED) - 1) | JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50)


def raw_of(choice: int | bytes) -> bytes:
    """The chosen value."""
    return FIXED[choice] if isinstance(choice, int) else choice


BULLMQ = (
    *("data", "progress", "returnvalue", "stacktrace", "opts", "name", "failedReason", "timestamp", "delay", "pb"),
    *("priority", "processedOn", "finishedOn", "atm", "ats", "stc", "parentKey", "parent", "deid", "rjk", "logs"),
)
RQ = (
    *("payload", "data", "meta", "attempts_made", "crashes", "retries_left", "created_at", "enqueued_at", "started_at"),
    *("ended_at", "status", "failed_reason", "worker_name", "dependency_ids", "due_at", "promoted_at", "result"),
    "error",
)
LETTER = ("data", "reason", "stack", "failedAt", "attemptsMade", "name", "id", "queue", "wire")


def write_bullmq(server: redis.Redis, number: int, raw: bytes | None) -> tuple[str, str]:
    """A job with this in one of its fields, by its number (None: nowhere); returns its state and its id."""
    state, job_id, name = STATES[number % 3], f"bull-{number}", BULLMQ[number % len(BULLMQ)]
    key = f"bull:{FILES}:{job_id}"
    fields: dict[Any, Any] = {"name": "process-image", "data": "{}", "opts": "{}", "timestamp": NOW, "delay": 0}
    fields |= {"priority": 0, "processedOn": NOW, "finishedOn": NOW, "atm": 1}
    server.hset(key, mapping=fields | ({name: raw} if raw is not None and name != "logs" else {}))
    if raw is not None and name == "logs":
        server.rpush(f"{key}:logs", raw)
    if state == "waiting":
        server.lpush(f"bull:{FILES}:wait", job_id)
    else:
        server.zadd(f"bull:{FILES}:{state}", {job_id: NOW})
    return state, job_id


def write_rq(server: redis.Redis, number: int, raw: bytes | None) -> tuple[str, str]:
    """The same on RQ."""
    state, job_id, name = STATES[number % 3], f"rq-{number}", RQ[number % len(RQ)]
    statuses = {"waiting": "queued", "completed": "finished", "failed": "failed"}
    fields: dict[Any, Any] = {"data": zlib.compress(b'["process-image", null, [{}], {}]'), "origin": FILES}
    fields |= {"created_at": ISO, "enqueued_at": ISO, "ended_at": ISO, "status": statuses[state]}
    if raw is not None and name == "payload":
        fields["data"] = zlib.compress(b'["process-image", null, [%b], {}]' % raw)
    elif raw is not None and name in {"result", "error"}:
        entry: dict[Any, Any] = {"type": "1", "return_value": raw.decode(errors="replace")}
        if name == "error":
            entry = {"type": "2", "exc_string": base64.b64encode(zlib.compress(raw))}
        server.xadd(f"rq:results:{job_id}", entry)
    elif raw is not None:
        fields[name] = raw
    server.hset(f"rq:job:{job_id}", mapping=fields)
    if state == "waiting":
        server.rpush(f"rq:queue:{FILES}", job_id)
    else:
        server.zadd(f"rq:{'finished' if state == 'completed' else 'failed'}:{FILES}", {job_id: NOW})
    return state, job_id


def write_dead_letter(server: redis.Redis, number: int, raw: bytes | None) -> str:
    """A dead letter with this in one of its fields, or as a whole; returns its id."""
    name = (*LETTER, "", "key")[number % (len(LETTER) + 2)]
    letter_id, key = f"letter-{number}", f"bull:dead:letter-{number}"
    facts = {"id": f'"{number}"', "name": '"process-image"', "queue": f'"{FILES}"', "wire": '"bullmq"', "data": "{}"}
    facts |= {"attemptsMade": "1", "reason": '"no image"', "stack": '""', "failedAt": str(NOW)}
    parts = {fact: text.encode() for fact, text in facts.items()}
    if raw is not None and name in parts:
        parts[name] = raw
    data = b"{%b}" % b", ".join(b'"%b": %b' % (fact.encode(), text) for fact, text in parts.items())
    if raw is not None and name == "key":
        server.set(key, raw)  # which is no hash at all
    else:
        whole = raw if raw is not None and not name else data
        server.hset(key, mapping={"name": "x_failed", "data": whole, "opts": "{}", "timestamp": NOW})
    server.lpush("bull:dead:wait", letter_id)
    return letter_id


def write_heartbeat(server: redis.Redis, number: int, raw: bytes, now: float) -> None:
    """A heartbeat with this in its numbers, and a minute's counts."""
    facts = b'{"name": "w%d", "host": "h", "pid": 1, "startedAt": %b, "memory": %b, "queues": [], "wires": []}'
    server.set(f"bull:pulse:worker:w{number}", facts % (number, raw, raw if number % 2 else b"1"))
    server.zadd("bull:pulse:workers", {f"w{number}": now})
    server.hset(f"bull:pulse:minute:{FILES}:{int(now // 60)}", mapping={"done": 1, raw: raw})
    for kind, seconds in (("span", 600), ("names", 1800)):
        odd: dict[Any, Any] = {"done": 1, raw: raw, b"done " + raw: 1, b"run:7 " + raw: raw}
        server.hset(f"bull:pulse:{kind}:{FILES}:{int(now // seconds)}", mapping=odd)
