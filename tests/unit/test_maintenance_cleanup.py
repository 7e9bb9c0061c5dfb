"""`cleanup`: what is deleted, counted, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.maintenance.cleanup import MARGIN
from processors.maintenance.housekeeping import EXPORTS, Ended, Housekeeping
from processors.maintenance.payload import CleanupPayload, HousekeepingPayload, Pruned
from processors.maintenance.places import Place
from processors.push.undeliverable import has_ended
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from storage.errors import SchemaError, StatementRefusedError, StorageAwayError, StorageRefusedError
from storage.ports import Subscription
from tests.support.fakes import FakeContext
from tests.support.maintenance_fakes import NOW, MemoryRows, MemoryStore, aged, clean, cleanup_of, no_sleep

OLD = ("tmp/a.csv", "tmp/x/b.csv", "tmp/x/y/c.txt", "tmp/d.txt")


async def test_what_is_old_is_deleted_and_told() -> None:
    """A younger object stays; so does one of exactly another folder."""
    store = MemoryStore({**aged(OLD), **aged(["tmp/new"], 0.9), **aged(["other/a", "tmp2/a"], 99)})

    result = await clean(cleanup_of({"tmp": store}))

    assert result.model_dump(by_alias=True) == {
        "matched": 4,
        "deleted": 4,
        "bytes": 40,
        "dryRun": False,
        "samples": list(OLD),
        "truncated": False,
    }
    assert set(store.objects) == {"tmp/new", "other/a", "tmp2/a"}


async def test_a_dry_run_tells_the_same_and_deletes_nothing() -> None:
    """Ten samples are shown."""
    store = MemoryStore(aged(f"tmp/{number}" for number in range(25)))

    result = await clean(cleanup_of({"tmp": store}), dryRun=True)

    assert (result.matched, result.deleted, result.bytes, result.dry_run) == (25, 0, 250, True)
    assert result.samples == [f"tmp/{number}" for number in range(10)]
    assert len(store.objects) == 25


@pytest.mark.parametrize(
    ("pattern", "path", "gone"),
    [
        ("*.csv", None, {"tmp/a.csv", "tmp/x/b.csv"}),
        ("*.csv", "tmp/x", {"tmp/x/b.csv"}),
        ("?.txt", None, {"tmp/x/y/c.txt", "tmp/d.txt"}),
        ("*/*.csv", None, {"tmp/x/b.csv"}),
        ("x/*/*", None, {"tmp/x/y/c.txt"}),
        ("*/*", "tmp/x", {"tmp/x/y/c.txt"}),
        ("[ab].*", None, {"tmp/a.csv", "tmp/x/b.csv"}),
        ("A.csv", None, set()),
        ("tmp/*", None, set()),
    ],
)
async def test_a_pattern_is_of_the_name_or_with_a_slash_of_the_path(
    pattern: str, path: str | None, gone: set[str]
) -> None:
    """`*` matches no slash."""
    store = MemoryStore(aged(OLD))
    await clean(cleanup_of({"tmp": store}), path, pattern=pattern)
    assert set(OLD) - set(store.objects) == gone


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"olderThan": 3_599_999}, "olderThan"),
        ({"olderThan": -1}, "olderThan"),
        ({"path": ""}, "path"),
        ({"path": "/tmp"}, "path"),  # noqa: S108 -- that is what it is about
        ({"path": "tmp/.."}, "path"),
        ({"path": "tmp/"}, "path"),
        ({"path": "tmp\\x"}, "path"),
        ({"pattern": "**"}, "pattern"),
        ({"pattern": "a/**/b"}, "pattern"),
        ({"pattern": "../*"}, "pattern"),
        ({"pattern": "*/../../*"}, "pattern"),
        ({"pattern": "/*"}, "pattern"),
        ({"pattern": ""}, "pattern"),
        ({"pattern": "*" * 201}, "pattern"),
        ({"targetType": "everything"}, "targetType"),
        ({"pattren": "*.csv"}, "pattren"),
        ({"dryrun": True}, "dryrun"),
        ({"olderThan": 3_600_000.5}, "olderThan"),
        ({"olderThan": 1e300}, "olderThan"),
        ({"olderThan": float("inf")}, "olderThan"),
        ({"olderThan": float("nan")}, "olderThan"),
        ({"targetType": "old_logs", "path": "tmp"}, "payload"),
        ({"targetType": "expired_sessions", "pattern": "*"}, "payload"),
    ],
)
def test_a_dangerous_payload_is_refused(data: dict[str, Any], field: str) -> None:
    """Its job ends dead, with the field."""
    with pytest.raises(ValidationError) as caught:
        CleanupPayload.model_validate({"targetType": "temp_files", "olderThan": 3_600_000, **data})
    assert {str(fault["loc"][0]) if fault["loc"] else "payload" for fault in caught.value.errors()} == {field}


async def test_only_allowed_places_are_cleaned() -> None:
    """Where there are several a job says which one; a prefix is no beginning of a name."""
    tmp, scratch = MemoryStore(aged(["tmp/a", "tmpfiles/a"])), MemoryStore(aged(["scratch/a"]))
    cleanup = cleanup_of({"tmp": tmp, "scratch": scratch})
    with pytest.raises(PermanentError, match=r"^path: say which one of tmp, scratch$"):
        await clean(cleanup)
    for path in ("tmpfiles", "tm", "uploads", "x/tmp", "scratch2/a"):
        with pytest.raises(PermanentError, match=r"^path: not within tmp, scratch, which CLEANUP_PREFIXES"):
            await clean(cleanup, path)

    await clean(cleanup, "scratch")

    assert [set(tmp.objects), set(scratch.objects)] == [{"tmp/a", "tmpfiles/a"}, set()]


async def test_what_is_not_set_is_named() -> None:
    """One line a kind."""
    cleanup, context = cleanup_of({}), FakeContext()
    with pytest.raises(PermanentError, match=r"^CLEANUP_PREFIXES is not set: "):
        await clean(cleanup)
    for kind, variable in (("old_logs", "CLEANUP_LOGS"), ("expired_sessions", "CLEANUP_SESSIONS")):
        with pytest.raises(PermanentError, match=f"^{variable} is not set: "):
            await cleanup(CleanupPayload.model_validate({"targetType": kind, "olderThan": 3_600_000}), context)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_no_more_than_the_bound_is_deleted(*, dry_run: bool) -> None:
    """The result says that there is more."""
    store = MemoryStore(aged(f"tmp/{number}" for number in range(10)))
    cleanup = cleanup_of({"tmp": store}, most=7)

    result = await clean(cleanup, dryRun=dry_run)

    assert (result.matched, result.truncated, len(store.objects)) == (7, True, 10 if dry_run else 3)
    exact = await clean(cleanup_of({"tmp": store}, most=len(store.objects)), dryRun=dry_run)
    assert (exact.matched, exact.truncated) == (len(exact.samples), False)


async def test_a_run_ends_before_its_time_is_over() -> None:
    """What it had come to is deleted."""
    store, context = MemoryStore(aged(f"tmp/{number}" for number in range(10))), FakeContext()
    context.seconds = MARGIN - 1
    result = await clean(cleanup_of({"tmp": store}), context=context)
    assert (result.deleted, result.truncated, len(store.objects)) == (3, True, 7)


async def test_objects_that_are_refused_bury_the_job_after_the_others_are_deleted() -> None:
    """With the first reason: a result would hide it."""
    store = MemoryStore(aged(OLD))
    store.refuses = {"tmp/a.csv": "AccessDenied"}
    with pytest.raises(PermanentError, match=r"^1 of 4 could not be deleted, such as tmp/a\.csv: AccessDenied$"):
        await clean(cleanup_of({"tmp": store}))
    assert set(store.objects) == {"tmp/a.csv"}


async def test_objects_that_fail_use_up_an_attempt_after_the_others_are_deleted() -> None:
    """One that the store can't delete at all would put the job off for ever, and keep all pages behind it."""
    store = MemoryStore(aged(OLD), page=1)
    store.fails = {"tmp/a.csv": "InternalError"}
    with pytest.raises(TransientError, match=r"^1 of 4 could not be deleted, such as tmp/a\.csv: InternalError$"):
        await clean(cleanup_of({"tmp": store}))
    assert set(store.objects) == {"tmp/a.csv"}


async def rows_cleaned(
    rows: MemoryRows, *, most: int = 100_000, context: FakeContext | None = None, **data: Any
) -> Any:
    """Run a job of rows."""
    payload = CleanupPayload.model_validate({"targetType": "old_logs", "olderThan": 7_200_000, **data})
    return await cleanup_of({}, most=most, old_logs=rows)(payload, context or FakeContext())


async def test_rows_are_deleted_in_batches() -> None:
    """Until there are none, or as many as are allowed."""
    rows = MemoryRows(2500)
    result = await rows_cleaned(rows)
    assert (result.matched, result.deleted, result.bytes, result.truncated) == (2500, 2500, 0, False)
    assert rows.batches == [1000, 1000, 500]
    assert rows.ages == {7200.0}
    assert len(result.samples) == 10

    rows = MemoryRows(2500)
    result = await rows_cleaned(rows, most=1500)
    assert (result.deleted, result.truncated, rows.number) == (1500, True, 1000)
    assert (await rows_cleaned(rows, most=1000)).truncated is False


async def test_a_dry_run_counts_rows() -> None:
    """No further than the bound."""
    rows = MemoryRows(2500)
    assert (await rows_cleaned(rows, dryRun=True)).matched == 2500
    found = await rows_cleaned(rows, most=1500, dryRun=True)
    assert (found.matched, found.deleted, found.truncated, rows.number) == (1500, 0, True, 2500)


async def test_rows_are_left_when_the_time_is_nearly_over() -> None:
    """One batch is deleted at least, so that each run gets on."""
    rows, context = MemoryRows(2500), FakeContext()
    context.seconds = 1.0
    assert (await rows_cleaned(rows, context=context)).truncated is True
    assert rows.number == 1500


@pytest.mark.parametrize(
    ("fault", "ending", "words"),
    [
        (StorageAwayError("away"), SnoozeError, "away"),
        (StatementRefusedError("cancelled", "57014"), PermanentError, "has the column with the time an index"),
        (SchemaError("no table"), PermanentError, "no table"),
    ],
)
async def test_the_databases_faults_are_the_jobs(fault: Exception, ending: type[Exception], words: str) -> None:
    """An outage uses no attempt."""
    rows = MemoryRows(1)
    rows.fault = fault
    with pytest.raises(ending, match=words):
        await rows_cleaned(rows)


def row(number: int, endpoint: str = "https://fcm.googleapis.com/x", expires_at: float | None = None) -> Subscription:
    """A subscription; its keys are not looked at."""
    return Subscription(f"{number:05}", "u1", endpoint, "", "", expires_at)


class Rows:
    """Subscriptions in pages."""

    def __init__(self, rows: list[Subscription]) -> None:
        self.rows, self.pruned = rows, [""] * 0

    async def page(self, after: str | None, limit: int) -> list[Subscription]:
        """See the port."""
        return [each for each in self.rows if after is None or each.id > after][:limit]

    async def prune(self, subscriptions: list[Subscription]) -> int:
        """See the port."""
        self.pruned += [each.id for each in subscriptions]
        return len(subscriptions)


def housekeeping(rows: Rows | None, exports: MemoryStore | None = None) -> Housekeeping:
    """The processor."""
    cleanup = cleanup_of({})
    ended: Any = None if rows is None else Ended(rows, has_ended)  # type: ignore[arg-type]  # it needs no more
    return Housekeeping(cleanup, None if exports is None else Place(exports, EXPORTS), ended, no_sleep)


async def test_housekeeping_does_what_is_configured() -> None:
    """Exports go after seven days, and nothing else does."""
    exports = MemoryStore(
        {**aged(["exports/u1/old"], 169), **aged(["exports/u1/new"], 167), **aged(["uploads/a"], 999)}
    )
    payload, context = HousekeepingPayload(), FakeContext()

    assert (await housekeeping(None)(payload, context)).model_dump() == {"subscriptions": None, "exports": None}
    result = await housekeeping(None, exports)(payload, context)

    assert result.exports is not None
    assert result.exports.samples == ["exports/u1/old"]
    assert set(exports.objects) == {"exports/u1/new", "uploads/a"}


async def test_housekeeping_waits_for_the_object_store() -> None:
    """An outage at night uses no attempt."""
    exports = MemoryStore({})
    exports.fault = StorageAwayError("away")
    with pytest.raises(SnoozeError, match="away"):
        await housekeeping(None, exports)(HousekeepingPayload(), FakeContext())


async def test_exports_that_may_not_be_deleted_keep_no_subscription() -> None:
    """The job ends dead, but after all else."""
    exports, rows = MemoryStore({}), Rows([row(1, expires_at=1.0)])
    exports.fault = StorageRefusedError("refused")
    with pytest.raises(PermanentError, match="refused; "):
        await housekeeping(rows, exports)(HousekeepingPayload(), FakeContext())
    assert rows.pruned == ["00001"]


async def test_an_export_that_fails_to_be_deleted_keeps_no_subscription() -> None:
    """The job tries again, but after all else."""
    exports, rows = MemoryStore(aged(["exports/u1/old"], 169)), Rows([row(1, expires_at=1.0)])
    exports.fails = {"exports/u1/old": "InternalError"}
    with pytest.raises(TransientError, match="1 of 1 could not be deleted"):
        await housekeeping(rows, exports)(HousekeepingPayload(), FakeContext())
    assert rows.pruned == ["00001"]


async def test_housekeeping_prunes_subscriptions_that_have_ended() -> None:
    """Those that have expired or that their browser has ended; not those that a service or a key might bring back."""
    rows = Rows([row(n) for n in range(1500)])
    rows.rows[3] = row(3, expires_at=NOW - 10**9)
    rows.rows[4] = row(4, expires_at=NOW * 2)
    rows.rows[5] = row(5, "https://evil.example/x")
    rows.rows[1200] = row(1200, "https://permanently-removed.invalid/fcm/1")

    result = await housekeeping(rows)(HousekeepingPayload(), FakeContext())

    assert result.subscriptions == Pruned(looked=1500, pruned=2)
    assert rows.pruned == ["00003", "01200"]


async def test_housekeeping_goes_on_where_its_time_was_over() -> None:
    """Another run begins after the rows that this one has looked at."""
    rows, context = Rows([row(n, expires_at=1.0) for n in range(1500)]), FakeContext()
    context.seconds = 1.0
    with pytest.raises(SnoozeError):
        await housekeeping(rows)(HousekeepingPayload(), context)
    assert len(rows.pruned) == 1000
    context.seconds = 300.0
    assert (await housekeeping(rows)(HousekeepingPayload(), context)).subscriptions == Pruned(looked=500, pruned=500)
