"""Fixtures for all tests: real servers, each in a module of its own."""

pytest_plugins = [
    "tests.support.redis_server",
    "tests.support.node",
    "tests.support.postgres",
    "tests.support.s3",
    "tests.support.push_service",
    "tests.support.app",
    "tests.support.browser",
    "tests.support.wires",
    "tests.support.media",
]
