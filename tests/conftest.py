"""Fixtures for all tests: real servers, each in a module of its own."""

import re
from itertools import groupby
from operator import itemgetter

import pytest
import structlog
from hypothesis import settings

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


# By itself structlog shows the variables of each frame: one fault then takes 16 seconds of a processor.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
# Built on Hypothesis's own: in CI its examples are the same each time.
settings.register_profile("test", settings(), max_examples=40, deadline=None)
settings.register_profile("matrix", settings(), max_examples=1000, deadline=None)
settings.load_profile("test")

KEY = re.compile(r"\s*[\w+/=;:.!-]{18,}\s*")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call what looks like a key by its argument: keys are drawn by chance, and two processes must agree on names."""
    return argname if isinstance(val, str) and KEY.fullmatch(val) else None


WAITING = {"companion", "e2e", "reference", "wire"}  # folders of tests that wait: for browsers, for Node, for processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files of tests that wait and of tests that compute take turns, so that no processor is idle."""
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    kinds = [
        [file for file in files if WAITING.isdisjoint(file[0].path.parts) is computes] for computes in (False, True)
    ]
    ranked = [(number / len(kind), file) for kind in kinds for number, file in enumerate(kind)]
    items[:] = [item for _, file in sorted(ranked, key=itemgetter(0)) for item in file]
