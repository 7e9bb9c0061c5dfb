"""The look at the newest subscriptions when the worker starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from processors.push.first_look import look
from storage.errors import StatementRefusedError, StorageAwayError
from tests.support.push_fakes import FakeSubscriptions, make_row

if TYPE_CHECKING:
    from embedded.push_service import PushService


@pytest.mark.parametrize(
    ("readable", "unreadable", "said"), [(0, 0, []), (1, 0, []), (1, 19, []), (0, 1, [1]), (3, 20, [20])]
)
async def test_keys_that_can_not_be_read(
    push_service: PushService, readable: int, unreadable: int, said: list[int]
) -> None:
    """It is said where it is so of all the newest, up to 20: one may be anybody's doing."""
    good = [replace(push_service.subscribe(), id=f"{n:06}") for n in range(readable)]
    rows = FakeSubscriptions([*good, *(make_row(readable + n) for n in range(unreadable))])

    with capture_logs() as logs:
        await look(rows)

    assert said == [line["subscriptions"] for line in logs if line["event"] == "subscriptions_unreadable"]


@pytest.mark.parametrize(("error", "said"), [(StorageAwayError("away"), []), (StatementRefusedError("42"), ["42"])])
async def test_a_database_that_gives_no_rows(error: Exception, said: list[str]) -> None:
    """One that is away is told of by others; one that refuses the query is told of here. The worker starts."""
    rows = FakeSubscriptions(1)

    async def last(*_: Any) -> Any:
        raise error

    rows.last = last  # type: ignore[method-assign, assignment]
    with capture_logs() as logs:
        await look(rows)

    assert said == [line["reason"] for line in logs]
