"""Users of Redis with few rights (ACL)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import redis

from queue_lib.broker.connection import client, options
from queue_lib.broker.held import Held
from queue_lib.broker.rq.orders import Orders
from queue_lib.broker.server import check_server
from queue_lib.errors import BrokerRefusedError
from tests.support.polling import PATIENCE
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of its own."""
    with RedisServer() as server:
        yield server


async def test_a_user_without_rights_to_channels_is_reported(server: RedisServer) -> None:
    """By default a user has none: jobs run, RQ's commands go unheard, and the housekeeping says so."""
    with redis.Redis.from_url(server.url) as operator:
        operator.execute_command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "resetchannels")
    listener = client(options(server.url.replace("redis://", "redis://deaf:pw@")), decode=False, name="test")
    with pytest.raises(BrokerRefusedError, match="does not allow this user a command"):
        await asyncio.wait_for(Orders(listener, "w", Held()).heed(), PATIENCE)
    await listener.aclose()


async def test_a_user_who_is_bound_to_our_keys_finds_the_server_well(server: RedisServer) -> None:
    """With the rights that the runbook grants, and no more, the web process is ready."""
    with redis.Redis.from_url(server.url) as operator:
        rights = ["~bull:*", "~rq:*", "resetchannels", "&rq:pubsub:*", "+@all"]
        operator.execute_command("ACL", "SETUSER", "bound", "on", ">pw", *rights)
    bound = client(options(server.url.replace("redis://", "redis://bound:pw@")), decode=True, name="test")
    await check_server(bound, "bull")
    await bound.aclose()
