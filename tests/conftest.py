"""Fixtures for all tests: real servers, each in a module of its own."""

import re

pytest_plugins = [
    "tests.support.redis_server",
    "tests.support.small_disk",
    "tests.support.node",
    "tests.support.package",
    "tests.support.postgres",
    "tests.support.s3",
    "tests.support.push_service",
    "tests.support.smtp_server",
    "tests.support.app",
    "tests.support.own_jobs",
    "tests.support.subscription_table",
    "tests.support.browser",
    "tests.support.firefox",
    "tests.support.push_page",
    "tests.support.hook_page",
    "tests.support.desktop",
    "tests.support.push_chromium",
    "tests.support.wires",
    "tests.support.media",
    "tests.support.videos",
]


KEY = re.compile(r"\s*[\w+/=;:.!-]{18,}\s*")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call what looks like a key by its argument: keys are drawn by chance, and two processes must agree on names."""
    return argname if isinstance(val, str) and KEY.fullmatch(val) else None
