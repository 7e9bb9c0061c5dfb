"""The two wires on one server, for tests of what holds between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.mills import Mill, memory_mill, redis_mill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def bullmq(redis_url: str) -> AsyncIterator[Mill]:
    """BullMQ's wire."""
    async with redis_mill(redis_url, "bullmq") as mill:
        yield mill


@pytest.fixture
async def rq(redis_url: str) -> AsyncIterator[Mill]:
    """RQ's wire, on the same server."""
    async with redis_mill(redis_url, "rq") as mill:
        yield mill


@pytest.fixture(params=["memory", "bullmq", "rq"])
async def mill(request: pytest.FixtureRequest) -> AsyncIterator[Mill]:
    """Each wire in turn."""
    if request.param == "memory":
        async with memory_mill("") as mill:
            yield mill
    else:
        async with redis_mill(request.getfixturevalue("redis_url"), request.param) as mill:
            yield mill
