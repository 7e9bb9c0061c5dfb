"""A client of the API, over both wires on a real Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.api_client import Client, api, client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.observe.events import Event


@pytest.fixture
def faults() -> list[Event]:
    """The faults that the application has reported to its observer."""
    return []


@pytest.fixture
async def ask(redis_url: str, faults: list[Event], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client with a full token, of the application on the shared Redis, which is empty."""
    async with client_of(api(redis_url, monkeypatch, observe=faults.append)) as client:
        yield client
