"""The rows of views for exports, of Postgres and of SQLite."""

from __future__ import annotations

import asyncio
import csv
import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from storage.database import Database
from storage.errors import ConditionRefusedError, SchemaError, StatementRefusedError, StorageAwayError
from tests.support.export_rows import exports_of, lines, objects, request, view
from tests.support.polling import until

if TYPE_CHECKING:
    from storage.ports import Exports
    from tests.support.prisma import App

both = pytest.mark.parametrize("app", ["postgres-text", "sqlite-text"], indirect=True)
postgres = pytest.mark.parametrize("app", ["postgres-text"], indirect=True)


@both
async def test_rows_come_in_three_forms(app: App, exports: Exports) -> None:
    """NULL and the empty text differ; names of columns may have anything; kinds are told."""
    at = "'2026-11-30 10:00:00.120'"
    view(
        app,
        '"id" INTEGER, "ti""t:l%e{0}" TEXT, "ok" BOOLEAN, "at" TIMESTAMP(3), "f" DOUBLE PRECISION',
        f"""1, 'a,"b"', TRUE, {at}, 0.5""",
        "2, '', NULL, NULL, NULL",
        "3, NULL, FALSE, NULL, 7",
    )
    assert await lines(exports, "csv") == [
        b'1,"a,""b""",true,2026-11-30T10:00:00.12Z,0.5\r\n',
        b'2,"",,,\r\n',
        b"3,,false,,7\r\n",
    ]
    assert await lines(exports, "copy") == [
        b'1\ta,"b"\ttrue\t2026-11-30T10:00:00.12Z\t0.5\n',
        b"2\t\t\\N\t\\N\t\\N\n",
        b"3\t\\N\tfalse\t\\N\t7\n",
    ]
    assert (await objects(exports))[0] == {
        "id": 1,
        'ti"t:l%e{0}': 'a,"b"',
        "ok": True,
        "at": "2026-11-30T10:00:00.12Z",
        "f": 0.5,
    }
    async with exports.open(request(columns=["at", "id"])) as export:
        assert (export.name, [column.kind for column in export.columns]) == ("x", ["timestamp", "integer"])
        assert export.expected >= 1


@both
async def test_numbers_and_dates_keep_their_digits(app: App, exports: Exports) -> None:
    """Those that JavaScript would round are texts in JSON."""
    view(app, '"big" BIGINT, "at" TIMESTAMP', "9223372036854775807, '2026-11-30 10:00:00.123456'", "-5, NULL")
    assert await lines(exports, "csv") == [b"9223372036854775807,2026-11-30T10:00:00.123456Z\r\n", b"-5,\r\n"]
    assert [row["big"] for row in await objects(exports)] == ["9223372036854775807", -5]


@both
async def test_filters_choose_rows(app: App, exports: Exports) -> None:
    """By a value, one of several, NULL, or bounds; all of them together."""
    columns = '"id" INTEGER, "t" TEXT, "ok" BOOLEAN, "at" TIMESTAMP(3), "n" DECIMAL(10,2)'
    rows = [
        f"{number}, {t}, {ok}, '2026-11-{number + 10} 10:00:00', {number}.5"
        for number, (t, ok) in enumerate([("'a'", "TRUE"), ("'b'''", "FALSE"), ("NULL", "NULL"), ("'5'", "TRUE")])
    ]
    view(app, columns, *rows)
    for filters, found in (
        ({"t": "a"}, [0]),
        ({"t": "b'"}, [1]),
        ({"t": ["a", None]}, [0, 2]),
        ({"t": None}, [2]),
        ({"t": []}, []),
        ({"t": 5}, [3]),
        ({"t": "a' OR '1'='1"}, []),
        ({"ok": True}, [0, 3]),
        ({"id": {"gte": 1, "lt": "3"}}, [1, 2]),
        ({"id": ["0", 3]}, [0, 3]),
        ({"at": {"gt": "2026-11-11T10:00:00.000Z"}}, [2, 3]),
        ({"at": "2026-11-11T10:00:00Z"}, [1]),
        ({"n": {"lte": 1.5}}, [0, 1]),
        ({"ok": True, "id": {"gt": 0}}, [3]),
        ({"id": [*range(1000)]}, [0, 1, 2, 3]),
    ):
        assert [row["id"] for row in await objects(exports, filters=filters)] == found, filters


@both
@pytest.mark.parametrize("column", ["userId", "user_id", "userid"])
async def test_a_user_gets_the_own_rows_alone(app: App, exports: Exports, column: str) -> None:
    """No filter, and no other spelling of the id, widens it; a view without the column has the rows of all."""
    view(app, f'"id" INTEGER, "{column}" TEXT', "1, 'u1'", "2, 'U1'", "3, 'u2'", "4, NULL", "5, 'u1 '")
    app.sql('CREATE VIEW "export_all" AS SELECT "id" FROM t')
    for user, found in (("u1", [1]), ("u2", [3]), ("u", []), ("%", []), ("u1' OR TRUE --", [])):
        assert [row["id"] for row in await objects(exports, user_id=user, columns=["id"])] == found
    assert await objects(exports, user_id="u1", filters={column: "u2"}) == []
    assert await objects(exports, user_id="u1", filters={column: ["u1", "u2", None]}) == [{"id": 1, column: "u1"}]
    assert len(await objects(exports, name="all")) == 5
    with pytest.raises(ConditionRefusedError, match="userId: not set"):
        await objects(exports)


@both
async def test_only_views_are_exported(app: App, exports: Exports) -> None:
    """No table, whatever its name; without a name the only view, and with two none."""
    app.sql('CREATE TABLE "export_secret" ("id" INTEGER)')
    with pytest.raises(SchemaError, match='no view "export_secret"'):
        await objects(exports, name="secret")
    with pytest.raises(SchemaError, match="there is no view whose name begins"):
        await objects(exports, name=None)
    view(app, '"id" INTEGER', "1")
    assert await objects(exports, name=None) == [{"id": 1}]
    app.sql('CREATE VIEW "export_y" AS SELECT 1 AS "id"')
    with pytest.raises(SchemaError, match="several views: x, y"):
        await objects(exports, name=None)


@postgres
async def test_types_that_only_postgres_has(app: App, exports: Exports) -> None:
    """Bytes, lists, ranges, intervals, NaN, infinity, dates before Christ, domains, enums and composite types."""
    app.sql("CREATE DOMAIN price AS numeric(40, 10)")
    app.sql("CREATE TYPE mood AS ENUM ('=happy')")
    app.sql("CREATE TYPE pair AS (a int, b text)")
    view(
        app,
        "b bytea, l text[], j json, jb jsonb, iv interval, n numeric, f float8, d date, ts timestamp, tz timestamptz, "
        "p price, m mood, r int4range, c pair, u uuid, ch char(3)",
        r"""'\x00ff', '{a,"b,c"}', E'{"a":\n[1]}', '{"z": 1}', '-1 day', 'NaN', '-Infinity', '0044-03-15 BC',
        'infinity', '0044-03-15 12:00+00 BC', 12345678901234567890.5, '=happy', '[1,5)', '(1,x)',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a'""",
    )
    [row] = csv.reader([line.decode() for line in await lines(exports, "csv", escape=True)])
    assert row == [
        "AP8=", '["a","b,c"]', '{"a":\n[1]}', '{"z": 1}', "'-1 days", "NaN", "-Infinity", "0044-03-15 BC",
        "infinity", "0044-03-15 12:00:00 BC", "12345678901234567890.5000000000", "'=happy", "[1,5)", '{"a":1,"b":"x"}',
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a",
    ]  # fmt: skip
    [line] = await lines(exports, "json")
    assert b"\n" not in line
    found = json.loads(line)
    assert [found[name] for name in ("l", "j", "n", "f", "p", "c", "d")] == [
        ["a", "b,c"], {"a": [1]}, "NaN", "-Infinity", "12345678901234567890.5000000000", {"a": 1, "b": "x"},
        "0044-03-15 BC",
    ]  # fmt: skip
    for filters, count in (({"m": "=happy"}, 1), ({"u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, 1), ({"b": "x"}, 0)):
        assert len(await objects(exports, filters=filters)) == count
    for refused in ({"m": "sad"}, {"u": "x"}, {"iv": "long"}, {"r": "x"}):
        with pytest.raises(ConditionRefusedError, match="does not fit its column"):
            await objects(exports, filters=refused)


@postgres
async def test_the_text_of_a_role_s_own_settings_is_the_same(app: App, exports: Exports) -> None:
    """Dates and intervals do not follow the role."""
    for setting in ("DateStyle = 'German'", "TimeZone = 'Asia/Tokyo'", "IntervalStyle = 'iso_8601'"):
        app.sql(f"ALTER ROLE postgres SET {setting}")
    try:
        view(app, "d date, tz timestamptz, iv interval", "'2026-11-30', '2026-11-30 10:00+00', '1 day'")
        assert await lines(exports, "csv") == [b"2026-11-30,2026-11-30T10:00:00Z,1 day\r\n"]
    finally:
        app.sql("ALTER ROLE postgres RESET ALL")


@postgres
async def test_a_view_can_t_write_and_can_t_take_for_ever(app: App, exports: Exports) -> None:
    """The transaction is READ ONLY, and its statements end in time: both cost an attempt, and are no outage."""
    app.sql("CREATE TABLE t (id int)")
    app.sql("CREATE FUNCTION add() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING id'")
    app.sql("CREATE VIEW export_x AS SELECT add() AS id")
    with pytest.raises(StatementRefusedError, match="25006"):
        await objects(exports)
    app.sql("CREATE VIEW export_y AS SELECT pg_sleep(30) IS NULL AS id")
    with pytest.raises(StatementRefusedError, match="57014"):
        await objects(exports, name="y", seconds=0.2)
    assert app.sql("SELECT count(*) AS n FROM t") == [{"n": 0}]


def test_a_replica_that_cancels_a_query_is_an_outage() -> None:
    """A "conflict with recovery" (40001) uses up no attempt, and neither does a server that stops."""
    for error in (psycopg.errors.SerializationFailure(), psycopg.errors.AdminShutdown()):
        with pytest.raises(StorageAwayError), Database.told(("25006", "57014")):
            raise error


@postgres
async def test_an_export_takes_no_connection_of_the_pool(app: App) -> None:
    """Its own is closed at once when it ends, also in the middle of the rows."""
    app.sql("CREATE VIEW export_x AS SELECT * FROM generate_series(1, 200000) AS id")
    async with exports_of(app.url) as exports, exports.open(request()) as export:
        rows = export.batches("csv")
        assert (await anext(rows))[0] == b"1\r\n"
        assert reading(app) == 1
        await rows.aclose()
    await until(lambda: reading(app) == 0)  # the server ends a backend a moment after its connection


@postgres
async def test_a_cancelled_export_ends_its_statement(app: App, exports: Exports) -> None:
    """Also while the server has no row yet: it does not go on for nobody."""
    app.sql("CREATE VIEW export_x AS SELECT pg_sleep(60) IS NULL AS id")
    run = asyncio.create_task(lines(exports, "csv"))
    await until(lambda: reading(app, " AND query LIKE 'COPY%'") == 1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await until(lambda: reading(app) == 0)


def reading(app: App, condition: str = "") -> int:
    """How many connections read the view."""
    of_view = "datname = current_database() AND query LIKE '%export_x%' AND pid <> pg_backend_pid()"
    [row] = app.sql(f"SELECT count(*) AS n FROM pg_stat_activity WHERE {of_view}{condition}")  # noqa: S608 -- a test's own
    return int(row["n"])


@both
async def test_rows_come_in_batches(app: App, exports: Exports) -> None:
    """None is empty, none has all of many rows, and no row is lost."""
    app.sql("""CREATE VIEW "export_x" AS WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s
        WHERE id < 60000) SELECT id, 'twenty letters or so' AS text FROM s""")
    app.sql('CREATE VIEW "export_z" AS SELECT 1 AS id WHERE 1 = 0')
    for name, count in (("x", 60_000), ("z", 0)):
        async with exports.open(request(name=name)) as export:
            batches = [batch async for batch in export.batches("csv")]
        assert [line for batch in batches for line in batch] == [
            b"%d,twenty letters or so\r\n" % n for n in range(1, count + 1)
        ]
        assert all(0 < len(batch) < 60_000 for batch in batches)


@postgres
async def test_rows_that_come_slowly_are_not_waited_for(app: App, exports: Exports) -> None:
    """Neither with more of them on the way: progress is told, and a cancelled export ends."""
    app.sql("""CREATE VIEW export_x AS SELECT repeat('x', 8192) AS text, pg_sleep(0.01) IS NULL AS never
        FROM generate_series(1, 40)""")
    async with exports.open(request()) as export:
        batches = [len(batch) async for batch in export.batches("csv")]
    assert sum(batches) == 40
    assert max(batches) < 40
