"""Fixtures of the npm package's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import example
from tests.support.node_app import newest_app, node_app
from tests.support.prisma_app import prisma_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.example import Example

__all__ = ["newest_app", "node_app", "prisma_client"]


@pytest.fixture(scope="module")
def example_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """The example app with its worker, started once for a module. Ada is an admin, Grace is not."""
    example.require()
    with example.started(tmp_path_factory.mktemp("example")) as app:
        yield app
