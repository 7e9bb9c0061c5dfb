"""Subscription tables as apps have them: other names, keys in JSON or bytes, no id, an on/off column."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.ports import Subscription
    from tests.support.subscription_table import Table

P256DH, AUTH = base64.urlsafe_b64encode(bytes(range(65))).rstrip(b"=").decode(), "AAECAwQFBgcICQoLDA0ODw"
KEYS = json.dumps({"p256dh": P256DH, "auth": AUTH})
BYTES = {
    name: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex() for name, text in (("p", P256DH), ("a", AUTH))
}
EXPIRES = 1_800_000_000


def whole(number: int) -> str:
    """The object of `subscription.toJSON()`."""
    keys = {"p256dh": P256DH, "auth": AUTH}
    return json.dumps({"endpoint": f"https://push.example/{number}", "expirationTime": EXPIRES * 1000, "keys": keys})


# The setting; the table's columns after "user_id"; the values of row {n} (`{t}` the endpoint); of a row that is none.
SHAPES = {
    "drizzle": (
        "userId=user_id,expirationTime=expiration_time",
        "id INTEGER PRIMARY KEY, endpoint TEXT, p256dh TEXT, auth TEXT, expiration_time BIGINT",
        lambda n: f"{n}, 'https://push.example/{n}', '{P256DH}', '{AUTH}', {EXPIRES}000",
        "9, NULL, NULL, NULL, NULL",
    ),
    "keys": (
        "userId=user_id,keys=keys,expirationTime=expires",
        "id INTEGER PRIMARY KEY, endpoint TEXT, keys {json}, expires BIGINT",
        lambda n: f"{n}, 'https://push.example/{n}', '{KEYS}', {EXPIRES}000",
        "9, 'https://push.example/9', '[1]', -1",
    ),
    "subscription": (
        "userId=user_id,subscription=subscription",
        "id INTEGER PRIMARY KEY, subscription {json}",
        lambda n: f"{n}, '{whole(n)}'",
        """9, '{"endpoint": [1], "keys": "none", "expirationTime": 1e999}'""",
    ),
    "stringified": (
        "userId=user_id,subscription=data",
        "id INTEGER PRIMARY KEY, data {json}",
        lambda n: f"{n}, '{json.dumps(whole(n))}'",
        """9, '"{"'""",
    ),
    "text": (
        "userId=user_id,subscription=data",
        "id INTEGER PRIMARY KEY, data TEXT",
        lambda n: f"{n}, '{whole(n)}'",
        f"9, '{'[' * 5000}'",
    ),
    "no id": (
        "userId=user_id,id=endpoint,expirationTime=expires",
        "endpoint TEXT PRIMARY KEY, p256dh TEXT, auth TEXT, expires BIGINT",
        lambda n: f"'https://push.example/{n}', '{P256DH}', '{AUTH}', {EXPIRES}000",
        "'', NULL, NULL, NULL",
    ),
    "bytes": (
        "userId=user_id,expirationTime=expires",
        "id INTEGER PRIMARY KEY, endpoint TEXT, p256dh {bytes}, auth {bytes}, expires BIGINT",
        lambda n: f"{n}, 'https://push.example/{n}', {{x}}{BYTES['p']}', {{x}}{BYTES['a']}', {EXPIRES}000",
        "9, NULL, {x}', {x}ff', NULL",
    ),
}
TYPES = {
    "postgres": {"json": "JSONB", "bytes": "BYTEA", "x": "'\\x"},
    "sqlite": {"json": "JSON", "bytes": "BLOB", "x": "x'"},
}


def make(table: Table, server: str, shape: str) -> str:
    """Create the table with rows 1 to 3 of user u, and one malformed row; returns the setting."""
    setting, columns, row, odd = SHAPES[shape]
    types = TYPES[server]
    declared = columns.replace("{json}", types["json"]).replace("{bytes}", types["bytes"])
    table.sql(f'CREATE TABLE "PushSubscription" (user_id TEXT, {declared})')
    for values in (*map(row, (1, 2, 3)), odd):
        written = values.replace("{{x}}", types["x"]).replace("{x}", types["x"])
        table.sql(f"""INSERT INTO "PushSubscription" VALUES ('u', {written})""")  # noqa: S608 -- a test's own values
    return setting


def good(rows: list[Subscription]) -> list[tuple[str, str, str, float | None]]:
    """The contents of well-formed rows."""
    return [(row.endpoint, row.p256dh, row.auth, row.expires_at) for row in rows if row.p256dh == P256DH]


@pytest.mark.parametrize("server", ["postgres", "sqlite"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_table(table_of: Callable[[str, str], Table], server: str, shape: str) -> None:
    """Its rows are found, in pages and by id, and deleted if unchanged; so is a malformed one."""
    table = table_of(server, "TEXT")
    setting = make(table, server, shape)
    expected = [(f"https://push.example/{n}", P256DH, AUTH, float(EXPIRES)) for n in (1, 2, 3)]

    async with table.open(setting) as subscriptions:
        rows = await subscriptions.of_user("u")
        first = await subscriptions.page(None, 3)
        second = await subscriptions.page(first[-1].id, 3)
        chosen = [row for row in rows if row.endpoint.endswith(("/1", "/3"))]
        by_id = await subscriptions.with_ids([row.id for row in chosen])
        stale = replace(chosen[0], stored=tuple(cell[:-1] for cell in chosen[0].stored))
        deleted = [await subscriptions.prune([stale, chosen[1]]), await subscriptions.prune(rows)]
        left = await subscriptions.count()

    assert expected == good(rows) == sorted(good([*first, *second]))
    assert (4, 3, 1) == (len(rows), len(first), len(second))
    assert chosen == by_id
    assert ([1, 3], 0) == (deleted, left)


TIMESTAMP = {"postgres": "TIMESTAMP(3)", "sqlite": "DATETIME"}
# How rows 1 to 3 are switched: on, off, and what is neither; then what row 1 has when it was switched off.
SWITCHES = [
    ("postgres", "active", "BOOLEAN", ["true", "false", "NULL"], "false"),
    ("postgres", "disabled", "BOOLEAN NOT NULL DEFAULT false", ["false", "true", "false"], "true"),
    ("postgres", "disabledAt", "TIMESTAMP(3)", ["NULL", "'2026-01-01 00:00:00'", "NULL"], None),
    ("postgres", "disabledAt", "TIMESTAMPTZ", ["NULL", "'infinity'", "NULL"], None),
    ("postgres", "active", "SMALLINT", ["1", "0", "NULL"], "0"),
    ("sqlite", "active", "BOOLEAN", ["1", "0", "NULL"], "0"),
    ("sqlite", "active", "INTEGER", ["1", "0", "NULL"], "0"),
    ("sqlite", "disabled", "BOOLEAN", ["0", "1", "NULL"], "1"),
    ("sqlite", "disabledAt", "DATETIME", ["NULL", "1767225600000", "NULL"], None),
]


@pytest.mark.parametrize(("server", "name", "column", "values", "off"), SWITCHES)
async def test_rows_that_are_off(
    table_of: Callable[[str, str], Table], server: str, name: str, column: str, values: list[str], off: str | None
) -> None:
    """They are neither read nor counted; rows that are gone are switched off, and none is deleted."""
    table = table_of(server, "TEXT")
    table.create(f', "switch" {column}, "changed" {TIMESTAMP[server]}')
    for number, value in enumerate(values, 1):
        table.insert(number, columns=', "switch"', values=f", {value}")
    is_off = f'"switch" = {off}' if off is not None else '"switch" IS NOT NULL'

    async with table.open(f"{name}=switch,updatedAt=changed") as subscriptions:
        rows = await subscriptions.of_user(table.id(1))
        ids = [table.id(number) for number in (1, 2, 3)]
        others = [await subscriptions.page(None, 10), await subscriptions.with_ids(ids)]
        before = await subscriptions.count()
        pruned = [await subscriptions.prune(rows[:1]), await subscriptions.prune(rows[:1])]
        after = await subscriptions.page(None, 10)

    assert [table.id(1), table.id(3)] == [row.id for row in rows]
    assert [rows, rows] == others
    assert (2, [table.id(3)]) == (before, [row.id for row in after])
    assert 1 == pruned[0]
    assert 2 == table.count(is_off)
    assert 3 == table.count("true")
    assert 1 == table.count('"changed" IS NOT NULL')


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("active=on", 'table "PushSubscription" has no column "on"'),
        ("active=endpoint", 'PUSH_SUBSCRIPTION_COLUMNS: column "endpoint" of "PushSubscription" is no boolean'),
        ("disabledAt=endpoint", 'PUSH_SUBSCRIPTION_COLUMNS: column "endpoint" of "PushSubscription" is no date'),
        (
            "userId=user_id",
            'table "PushSubscription" has no column "user_id".*PUSH_SUBSCRIPTION_COLUMNS.*userId=userId',
        ),
    ],
)
async def test_a_setting_that_does_not_fit(table_of: Callable[[str, str], Table], setting: str, fault: str) -> None:
    """It is one line at the start."""
    table = table_of("sqlite", "TEXT")
    table.create()

    with pytest.raises(SchemaError, match=fault) as caught:
        async with table.open(setting):
            pass

    assert 1 == len(str(caught.value).splitlines())
