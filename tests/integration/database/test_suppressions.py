"""The table of addresses that are not written to, in the shapes that an app may give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.errors import SchemaError
from storage.suppressions import NoSuppressions, SqlSuppressions
from storage.tables import AppTable
from tests.support.prisma import TEXT_IDS, App, open_database

if TYPE_CHECKING:
    from pathlib import Path

    from storage.database import Database

SHAPES = {
    "address": '"address" TEXT PRIMARY KEY',
    "dates": '"address" TEXT PRIMARY KEY, "reason" VARCHAR(8), "createdAt" TIMESTAMP(3), "expiresAt" TIMESTAMP(3)',
    "text id": '"id" TEXT PRIMARY KEY, "address" TEXT NOT NULL UNIQUE, "expiresAt" TIMESTAMPTZ',
    "number": '"id" {serial} PRIMARY KEY, "address" VARCHAR(200) NOT NULL UNIQUE, "reason" TEXT NOT NULL',
}
BOUNCED, OTHER = "ada@example.com", "grace@example.com"


async def opened(app: App) -> Database:
    """The worker's side."""
    return await open_database(app.url, {AppTable.EMAIL_SUPPRESSION}, email_suppression_table="EmailSuppression")


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_address_that_bounced_is_found(empty: App, shape: str) -> None:
    """Whatever columns the table has; twice leaves one row."""
    serial = "INTEGER" if empty.url.startswith("sqlite") else "SERIAL"
    empty.sql(f'CREATE TABLE "EmailSuppression" ({SHAPES[shape].format(serial=serial)})')
    database = await opened(empty)
    suppressions = SqlSuppressions(database)

    assert set() == await suppressions.among([BOUNCED, OTHER])
    await suppressions.add(BOUNCED, "550 5.1.1 no such user")
    await suppressions.add(BOUNCED, "550 5.1.1 no such user")
    assert {BOUNCED} == await suppressions.among([BOUNCED, OTHER, "\0"])
    await database.close()

    assert 1 == len(empty.sql('SELECT * FROM "EmailSuppression"'))


async def test_a_row_counts_until_it_expires(empty: App) -> None:
    """A bounce is written with its time and an end; a row of the app's own without an end counts for ever."""
    empty.sql(f'CREATE TABLE "EmailSuppression" ({SHAPES["dates"]})')
    empty.insert("EmailSuppression", {"address": BOUNCED, "expiresAt": "2026-01-01T00:00:00.000+00:00"})
    empty.insert("EmailSuppression", {"address": OTHER})
    database = await opened(empty)
    suppressions = SqlSuppressions(database)

    assert {OTHER} == await suppressions.among([BOUNCED, OTHER])
    await suppressions.add(BOUNCED, "550 5.1.1 no such user")
    assert {BOUNCED, OTHER} == await suppressions.among([BOUNCED, OTHER])
    await database.close()

    [row] = empty.sql(f'SELECT * FROM "EmailSuppression" WHERE "address" = \'{BOUNCED}\'')  # noqa: S608 -- its own value
    assert "550 5.1." == row["reason"]
    assert str(row["createdAt"]) < str(row["expiresAt"])


async def test_dates_have_the_form_of_the_others(tmp_path: Path) -> None:
    """Prisma up to 6 writes milliseconds into SQLite: so does the worker then."""
    empty = App(f"sqlite:///{tmp_path}/dev.db", TEXT_IDS)
    empty.sql(f'CREATE TABLE "EmailSuppression" ({SHAPES["dates"]})')
    empty.sql(f"INSERT INTO \"EmailSuppression\" VALUES ('{OTHER}', 'x', 1800000000000, 4000000000000)")  # noqa: S608
    database = await opened(empty)
    suppressions = SqlSuppressions(database)

    await suppressions.add(BOUNCED, "550")
    assert {BOUNCED, OTHER} == await suppressions.among([BOUNCED, OTHER])
    await database.close()

    assert [{"type": "integer"}] == empty.sql('SELECT DISTINCT typeof("expiresAt") AS type FROM "EmailSuppression"')


async def test_a_missing_table_is_an_error_at_start(empty: App) -> None:
    """The setting names it, so it must be there. Without the setting there are no such addresses."""
    with pytest.raises(SchemaError, match='there is no table "EmailSuppression"; set EMAIL_SUPPRESSION_TABLE'):
        await opened(empty)
    nobody = NoSuppressions()
    await nobody.add(BOUNCED, "550")
    assert set() == await nobody.among([BOUNCED])
