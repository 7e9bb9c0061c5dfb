"""The check of the newest subscriptions when the worker starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from processors.push.key_check import check_newest_keys
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
    """An error is logged if all of the newest 20 are unreadable; any user may have stored a single bad one."""
    good = [replace(push_service.subscribe(), id=f"{n:06}") for n in range(readable)]
    rows = FakeSubscriptions([*good, *(make_row(readable + n) for n in range(unreadable))])

    with capture_logs() as logs:
        await check_newest_keys(rows)

    assert said == [line["subscriptions"] for line in logs if line["event"] == "subscriptions_unreadable"]


@pytest.mark.parametrize(("error", "said"), [(StorageAwayError("away"), []), (StatementRefusedError("42"), ["42"])])
async def test_a_database_that_gives_no_rows(error: Exception, said: list[str]) -> None:
    """An outage is reported elsewhere, a refused query here. The worker starts in both cases."""
    rows = FakeSubscriptions(1)

    async def last(*_: Any) -> Any:
        raise error

    rows.last = last  # type: ignore[method-assign, assignment]
    with capture_logs() as logs:
        await check_newest_keys(rows)

    assert said == [line["reason"] for line in logs]
