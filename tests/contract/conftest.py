"""Each wire in turn, the two on one server, and an operator of one wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from queue_lib.admin.admin import Admin
from queue_lib.admin.admission import Admission
from queue_lib.processor import JobSchema, Model
from tests.support.mills import QUEUE, Mill, backends, clock, memory_mill, redis_mill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Greeting(Model):
    """The payload of the job `greet`."""

    user_id: str


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


@pytest.fixture
def admin(mill: Mill) -> Admin:
    """An operator of this wire alone."""
    forms = [JobSchema("greet", QUEUE.name, Greeting), JobSchema("call", QUEUE.name, Greeting, internal=True)]
    return Admin(backends(mill, admission=Admission(forms), clock=clock(mill)), by="anna")
