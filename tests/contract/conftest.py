"""Fixtures: each wire in turn, both wires on one server, an `Admin` of one wire, and each object store in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from queue_lib.admin.admin import Admin
from queue_lib.admin.admission import Admission
from queue_lib.processor import JobSchema, Model
from storage.objects.factory import open_store
from tests.support.s3 import store_settings
from tests.support.search_fakes import World, search_world
from tests.support.wire_kit import QUEUE, WireKit, backends, clock, memory_kit, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage.objects.base import ObjectStore
    from storage.settings import ObjectsSettings
    from tests.support.s3 import Bucket


class Greeting(Model):
    """The payload of the job `greet`."""

    user_id: str


@pytest.fixture
async def bullmq(redis_url: str) -> AsyncIterator[WireKit]:
    """BullMQ's wire."""
    async with redis_kit(redis_url, "bullmq") as kit:
        yield kit


@pytest.fixture
async def rq(redis_url: str) -> AsyncIterator[WireKit]:
    """RQ's wire, on the same server."""
    async with redis_kit(redis_url, "rq") as kit:
        yield kit


@pytest.fixture(params=["memory", "bullmq", "rq"])
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[WireKit]:
    """Each wire in turn."""
    if request.param == "memory":
        async with memory_kit("") as kit:
            yield kit
    else:
        async with redis_kit(request.getfixturevalue("redis_url"), request.param) as kit:
            yield kit


@pytest.fixture
def admin(kit: WireKit) -> Admin:
    """An `Admin` of this wire alone."""
    forms = [JobSchema("greet", QUEUE.name, Greeting), JobSchema("call", QUEUE.name, Greeting, internal=True)]
    return Admin(backends(kit, admission=Admission(forms), clock=clock(kit)), by="anna")


@pytest.fixture(params=["elasticsearch", "zincsearch"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A search engine and rows."""
    async with search_world(request.param) as world:
        yield world


@pytest.fixture(params=["local", "s3", "s3-prefix"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectsSettings:
    """The settings of an empty store."""
    if request.param == "local":
        (tmp_path / "store").mkdir()
        return store_settings((tmp_path / "store").as_uri())
    bucket: Bucket = request.getfixturevalue("s3_bucket")
    prefix = "/apps/shop" if request.param == "s3-prefix" else ""
    return store_settings(f"s3://{bucket.name}{prefix}", bucket.endpoint_url)


@pytest.fixture
async def store(settings: ObjectsSettings) -> AsyncIterator[ObjectStore]:
    """An empty store."""
    store = open_store(settings)
    yield store
    await store.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to upload."""
    path = tmp_path / "source"
    path.write_bytes(b"picture")
    return path
