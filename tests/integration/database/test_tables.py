"""The tables that the worker checks at its start, and its errors for missing ones."""

from __future__ import annotations

import pytest

from storage.errors import SchemaError
from storage.files import SqlFiles
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable
from tests.support.prisma import FILES, SUBSCRIPTIONS, TEXT_IDS, App, open_database


async def test_all_missing_tables_are_named_at_once(empty: App) -> None:
    """Each missing table and column is one line of one error, with what to do."""
    empty.sql('CREATE TABLE "push_subscriptions" ("id" TEXT, "userId" TEXT, "endpoint" TEXT, "auth_key" TEXT)')

    with pytest.raises(SchemaError) as caught:
        await open_database(empty.url, set(AppTable), push_subscription_table="push_subscriptions")

    advice = "add it to the app's Prisma schema, or say in PUSH_SUBSCRIPTION_COLUMNS what the app has"
    assert [
        f'DATABASE_URL: table "push_subscriptions" has no column "p256dh"; {advice}: p256dh=its name',
        f'DATABASE_URL: table "push_subscriptions" has no column "auth"; {advice}: auth=auth_key',
        'DATABASE_URL: there is no table "File"; set FILE_TABLE if the app calls it otherwise',
    ] == str(caught.value).splitlines()


async def test_a_push_worker_needs_no_table_of_files(empty: App) -> None:
    """A process that serves only pushes does not look for it."""
    empty.sql(SUBSCRIPTIONS.format(id="TEXT"))

    database = await open_database(empty.url, {AppTable.PUSH_SUBSCRIPTION})

    assert [] == await SqlSubscriptions(database).of_user("unknown")
    await database.close()


async def test_prisma_schema(postgres_url: str) -> None:
    """Tables are looked up in the schema that Prisma's `schema` parameter names."""
    app = App(postgres_url, TEXT_IDS)
    app.sql("CREATE SCHEMA shop")
    app.sql(FILES.format(id="TEXT").replace('"File"', 'shop."File"'))
    app.sql("""INSERT INTO shop."File" ("id") VALUES ('a')""")
    database = await open_database(f"{postgres_url}&schema=shop&connection_limit=1", {AppTable.FILE})

    await SqlFiles(database).mark_processed("a", {"thumbnailUrl": "https://cdn/t"})
    await database.close()

    assert [{"thumbnailUrl": "https://cdn/t"}] == app.sql('SELECT "thumbnailUrl" FROM shop."File" WHERE "processed"')


@pytest.mark.parametrize("encoded_url", ["SQL_ASCII", "LATIN1"], indirect=True)
async def test_the_database_may_have_any_encoding(encoded_url: str) -> None:
    """Prisma sends UTF-8 in any case. A cluster that was made with LANG=C is of SQL_ASCII, which keeps what it gets."""
    app = App(f"{encoded_url}&client_encoding=utf8", TEXT_IDS)
    app.sql(SUBSCRIPTIONS.format(id="TEXT"))
    app.subscribe(0, TEXT_IDS.index("Zoë"))
    database = await open_database(encoded_url, {AppTable.PUSH_SUBSCRIPTION})

    assert [TEXT_IDS[0]] == [row.id for row in await SqlSubscriptions(database).of_user("Zoë")]
    await database.close()
