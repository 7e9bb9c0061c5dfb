"""A user's subscriptions are found and pruned, whatever type the app's ids have."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from storage.errors import StorageAwayError
from storage.ports import Subscription
from storage.subscriptions import PRUNE_BATCH, SqlSubscriptions
from storage.tables import AppTable
from tests.support.prisma import IMPOSSIBLE, SUBSCRIPTIONS, App, open_database, subscription


async def test_subscriptions_of_a_user(app: App, subscriptions: SqlSubscriptions) -> None:
    """They come oldest id first, with ids as text, and without those of other users."""
    app.subscribe(2, user=0, endpoint="https://push.example/2", p256dh="key2")
    app.subscribe(0, user=0)
    app.subscribe(1, user=1)
    first, second, third, *_ = app.ids

    assert [
        Subscription(id=first, user_id=first, endpoint="https://push.example/1", p256dh="key", auth="auth"),
        Subscription(id=third, user_id=first, endpoint="https://push.example/2", p256dh="key2", auth="auth"),
    ] == await subscriptions.of_user(first)
    assert [second] == [subscription.id for subscription in await subscriptions.of_user(second)]


@pytest.mark.parametrize("user", [3, 4])
async def test_an_unknown_user(app: App, subscriptions: SqlSubscriptions, user: int) -> None:
    """An unknown user has no subscriptions."""
    app.subscribe(0, user=0)

    assert [] == await subscriptions.of_user(app.ids[user])


async def test_an_id_that_the_column_can_not_hold(app: App, subscriptions: SqlSubscriptions) -> None:
    """Such an id has no subscriptions; it is no error."""
    app.subscribe(0, user=0)

    assert [[]] * len(IMPOSSIBLE) == [await subscriptions.of_user(user_id) for user_id in IMPOSSIBLE]


async def test_prune(app: App, subscriptions: SqlSubscriptions) -> None:
    """The given rows are deleted, no others, and the count is returned; a second time it is 0."""
    for row in range(3):
        app.subscribe(row, user=0)
    gone = (await subscriptions.of_user(app.ids[0]))[:2]

    assert [2, 0] == [await subscriptions.prune(gone), await subscriptions.prune(gone)]
    assert [app.ids[2]] == [subscription.id for subscription in await subscriptions.of_user(app.ids[0])]


async def test_prune_nothing(subscriptions: SqlSubscriptions) -> None:
    """Pruning nothing deletes nothing."""
    assert 0 == await subscriptions.prune([])


@pytest.mark.parametrize("column", ["endpoint", "p256dh"])
async def test_a_new_subscription_survives(app: App, subscriptions: SqlSubscriptions, column: str) -> None:
    """A device that subscribed anew meanwhile, in the same row, is not pruned."""
    app.subscribe(0, user=0)
    app.subscribe(1, user=0)
    stale = await subscriptions.of_user(app.ids[0])
    condition = f"""WHERE "id" = '{app.ids[0]}'"""
    app.sql(f"""UPDATE "PushSubscription" SET "{column}" = 'new' {condition}""")  # noqa: S608 -- a test's own values

    assert 1 == await subscriptions.prune(stale)
    assert [app.ids[0]] == [subscription.id for subscription in await subscriptions.of_user(app.ids[0])]


async def test_prune_ids_that_the_column_can_not_hold(app: App, subscriptions: SqlSubscriptions) -> None:
    """A subscription with such an id is skipped."""
    app.subscribe(0, user=0)
    (real,) = await subscriptions.of_user(app.ids[0])

    impossible = [replace(real, id=id_) for id_ in IMPOSSIBLE]

    assert 1 == await subscriptions.prune([*impossible, real])


async def test_prune_many(empty: App) -> None:
    """More subscriptions than fit into one statement are pruned in several."""
    empty.sql(SUBSCRIPTIONS.format(id="INTEGER"))
    total = 2 * PRUNE_BATCH + 1
    rows = [subscription(str(number), "1", f"https://push.example/{number}", "key") for number in range(total)]
    empty.insert("PushSubscription", *rows)
    database = await open_database(empty.url, {AppTable.PUSH_SUBSCRIPTION})
    subscriptions = SqlSubscriptions(database)

    assert total == await subscriptions.prune(await subscriptions.of_user("1"))
    assert [] == await subscriptions.of_user("1")
    await database.close()


async def test_errors_show_no_endpoint(app: App, subscriptions: SqlSubscriptions) -> None:
    """A failed statement's error shows no endpoint, because an endpoint allows pushes."""
    app.subscribe(0, user=0, endpoint="https://push.example/secret")
    stale = await subscriptions.of_user(app.ids[0])
    app.sql('DROP TABLE "PushSubscription"')

    with pytest.raises((DBAPIError, StorageAwayError)) as caught:  # SQLite's own word for it is an operational error
        await subscriptions.prune(stale)

    assert "secret" not in str(caught.value)


async def test_many_at_once(app: App, subscriptions: SqlSubscriptions) -> None:
    """More callers than connections are served one after the other."""
    app.subscribe(0, user=0)

    found = await asyncio.gather(*(subscriptions.of_user(app.ids[0]) for _ in range(40)))

    assert [1] * 40 == [len(rows) for rows in found]
