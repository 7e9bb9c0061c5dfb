"""Fixtures of the npm package's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import example, package
from tests.support.node_app import newest_app, node_app
from tests.support.prisma_app import prisma_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.example import Example

__all__ = ["newest_app", "node_app", "prisma_client"]


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and packed from the sources of today."""
    return package.pack(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def example_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """The example app with its worker, started once for a module. Ada is an admin, Grace is not."""
    example.require()
    with example.started(tmp_path_factory.mktemp("example")) as app:
        yield app
