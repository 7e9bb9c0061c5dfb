"""Stack traces as the dashboard shows them: the exception first, a team's own frames apart from those of libraries."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.outcome import MAX_STACK
from queue_lib.web.dashboard.stack_trace import Frames, parsed

if TYPE_CHECKING:
    from collections.abc import Collection

PYTHON = """Traceback (most recent call last):
  File "/app/queue_lib/runner/executor.py", line 90, in _run
    return await processor(payload, context)
  File "/app/.venv/lib/python3.11/site-packages/anyio/to_thread.py", line 56, in run_sync
    return await work()
           ^^^^^^^^^^^^
  File "/app/jobs/reports.py", line 12, in handle
    total = sum(row.price for row in rows)
  File "C:\\\\app\\\\jobs\\\\rows.py", line 3, in price
TypeError: unsupported operand
  of two types"""
NODE = """TypeError: rows.map is not a function
    at Report.build (/app/src/report.ts:41:17)
    at async Worker.processJob (/app/node_modules/bullmq/dist/cjs/classes/worker.js:455:28)
    at processTicksAndRejections (node:internal/process/task_queues:95:5) {
  [cause]: Error: no rows
      at query (/app/src/rows.ts:3:1)
}"""


def outline(text: str, own: Collection[str] = ()) -> list[tuple[str, str, list[tuple[bool, int]]]]:
    """Each exception: how it led to the one above, its text, and its groups of frames with their sizes."""
    return [
        (each.before, each.error, [(group.is_own, len(group.frames)) for group in each.groups])
        for each in parsed(text, own)
    ]


def first_lines(group: Frames) -> list[str]:
    """The places of a group's frames."""
    return [frame.text.splitlines()[0] for frame in group.frames]


def test_the_exception_and_the_innermost_frame_come_first() -> None:
    """In a trace of Python, whose text has them last; the code stays below its place."""
    [raised] = parsed(PYTHON)
    own, libraries = raised.groups
    assert "TypeError: unsupported operand\n  of two types" == raised.error
    assert (True, False) == (own.is_own, libraries.is_own)
    assert ["price", "handle"] == [line.rpartition(" ")[2] for line in first_lines(own)]
    assert "  total = sum(row.price for row in rows)" == own.frames[1].text.splitlines()[1]
    assert ["run_sync", "_run"] == [line.rpartition(" ")[2] for line in first_lines(libraries)]


def test_nodes_traces_are_read_as_they_are() -> None:
    """They have the exception first; node_modules and Node's own files are libraries."""
    assert [
        ("", "TypeError: rows.map is not a function", [(True, 1), (False, 2)]),
        ("", "  [cause]: Error: no rows".strip(), [(True, 1)]),
    ] == outline(NODE)


def test_a_teams_package_is_its_own_wherever_it_is_installed() -> None:
    """JOBS names it, and pip has put it among the libraries."""
    text = PYTHON.replace("/app/jobs/", "/app/.venv/lib/python3.11/site-packages/acme/")
    assert [(True, 1), (False, 3)] == outline(text)[0][2]
    assert [(True, 2), (False, 2)] == outline(text, {"acme"})[0][2]


@pytest.mark.parametrize(("chained", "before"), [(True, "Its cause:"), (False, "Raised while this was handled:")])
def test_causes_come_after_what_they_caused(chained: bool, before: str) -> None:
    """As Python itself prints them, in the other order."""
    try:
        try:
            json.loads("{")
        except ValueError as error:
            if chained:
                raise KeyError from error
            raise KeyError  # noqa: B904 -- what the other words of Python are for
    except KeyError:
        text = traceback.format_exc()
    (_, last, _), (told, first, groups) = outline(text)
    assert "KeyError" == last
    assert before == told
    assert first.startswith("json.decoder.JSONDecodeError")
    assert [(False, 3), (True, 1)] == groups


def test_the_exceptions_of_a_group() -> None:
    """Each is shown, without the margin of the text."""

    async def fail(reason: str) -> None:
        raise LookupError(reason)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("no row"))
            group.create_task(fail("no file"))

    try:
        asyncio.run(both())
    except BaseExceptionGroup:
        text = traceback.format_exc()
    shown = outline(text)
    errors = ["LookupError: no file", "LookupError: no row"]
    assert [*errors, "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)"] == [row[1] for row in shown]
    assert [(True, 1)] == shown[0][2] == shown[1][2]


@pytest.mark.parametrize("text", ["", "no trace at all", "at home", "\x00\ud800"])
def test_what_is_no_trace_is_none(text: str) -> None:
    """The page shows it as it is."""
    assert [] == parsed(text)


def test_a_trace_without_its_beginning() -> None:
    """The worker keeps the end of a long one."""
    [raised, rest] = parsed(PYTHON[PYTHON.index("executor") :])
    assert raised.error.startswith("TypeError")
    assert [(True, 2), (False, 1)] == [(group.is_own, len(group.frames)) for group in raised.groups]
    assert rest.error.startswith("executor.py")


LINES = st.sampled_from([*PYTHON.splitlines(), *NODE.splitlines(), "  | x", "  +-+---- 1 ----", "[", '  File "'])


@given(st.lists(LINES | st.text(max_size=20), max_size=60).map("\n".join))
def test_any_text_is_shown_or_refused(text: str) -> None:
    """Whatever anyone writes into Redis: nothing is raised, and nothing is made up."""
    for raised in parsed(text):
        shown = [raised.error, *(frame.text for group in raised.groups for frame in group.frames)]
        assert all(line.strip() in text for each in shown for line in each.splitlines())
        assert raised.groups or raised.error


@pytest.mark.parametrize("part", ["    at ", '  File "a', "|", "+-", " ", "\n", '  File "a", line 1\n', "    at x\n"])
def test_a_long_text_is_cut(part: str) -> None:
    """A trace of a hundred thousand lines is read as far as a worker would have kept it."""
    shown = sum(len(frame.text) for raised in parsed(part * 100_000) for g in raised.groups for frame in g.frames)
    assert shown <= MAX_STACK


def test_a_line_that_is_nearly_a_rule_is_read_in_time() -> None:
    """Of a page's many traces each may have one."""
    text = f"{PYTHON}\n+{'-' * (MAX_STACK - 500)}x"
    start = time.process_time()
    for _ in range(20):
        assert parsed(text)
    assert time.process_time() - start < 5
