"""The modules with a team's own jobs are read, and each fault in one is one line."""

from __future__ import annotations

import sched
from typing import TYPE_CHECKING

import pytest

from queue_lib.errors import ConfigurationError
from queue_lib.jobs import Queue
from queue_lib.jobs.own_module import OwnJobs, read_modules
from tests.support.own_jobs import GOOD

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("own_folder")


def faults(*names: str) -> list[str]:
    """The lines that the process ends with."""
    with pytest.raises(ConfigurationError) as caught:
        read_modules(names)
    assert all("\n" not in fault for fault in caught.value.faults)
    return list(caught.value.faults)


def test_a_module_beside_the_worker(tmp_path: Path) -> None:
    """It is imported from the working directory; several modules are added up."""
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "more.py").write_text(GOOD.replace('"send-invoice"', '"remind"').replace("QUEUES", "_"))
    own = read_modules(["good", "more"])

    assert [Queue(name="invoices")] == list(own.queues)
    assert ["send-invoice", "remind"] == [job.name for job in own.jobs]
    assert OwnJobs() == read_modules([])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import nothere", "JOBS: own: No module named 'nothere'"),
        ("x = (", "JOBS: own: '(' was never closed (own.py, line 1)"),
        ("y = 1\nx = y.z", "JOBS: own: AttributeError: 'int' object has no attribute 'z' ({}/own.py, line 2)"),
        ("import os\nos.environ['NO_KEY']", "JOBS: own: KeyError: 'NO_KEY' ({}/own.py, line 2)"),
        ("raise ValueError('a\\nb')", "JOBS: own: ValueError: a b ({}/own.py, line 1)"),
        ("raise SystemExit", "JOBS: own: SystemExit: SystemExit ({}/own.py, line 1)"),
        ("", "JOBS: own: it has no JOBS; write JOBS = (SendInvoice,) with the classes of its jobs ({}/own.py)"),
        ("JOBS = {}", "JOBS: own: JOBS is no tuple; write JOBS = (..., )"),
        ("JOBS = (7,)", "JOBS: own: JOBS: 7 is no class of a Job; write class SendInvoice(Job[Invoice])"),
        ("QUEUES = ('a',)\nJOBS = ()", "JOBS: own: QUEUES: 'a' is no Queue"),
        ("SCHEDULES = ('a',)\nJOBS = ()", "JOBS: own: SCHEDULES: 'a' is no Schedule"),
    ],
)
def test_a_faulty_module_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    """It says where."""
    (tmp_path / "own.py").write_text(text)

    assert [expected.format(tmp_path)] == faults("own")


def test_a_module_with_the_name_of_pythons_own(tmp_path: Path) -> None:
    """The fault says which file was read: `sched` is in Python's library, and so another file than the team's."""
    (tmp_path / "sched.py").write_text(GOOD)
    (tmp_path / "folder").mkdir()

    known = "it has no JOBS; write JOBS = (SendInvoice,) with the classes of its jobs"
    assert [
        f"JOBS: sched: {known} ({sched.__file__})",
        f"JOBS: folder: {known} (a folder without __init__.py)",
    ] == faults("sched", "folder")


def test_missing_modules_are_all_named() -> None:
    """Each has its line."""
    assert ["JOBS: nothere: No module named 'nothere'", "JOBS: a.b: No module named 'a'"] == faults("nothere", "a.b")


@pytest.mark.parametrize("name", ["own.py", "./own", "jobs/own", "a..b"])
def test_bad_names_of_modules(tmp_path: Path, name: str) -> None:
    """The fault says what to write; nothing is imported."""
    (tmp_path / "own.py").write_text("1 / 0")

    assert [f"JOBS: {name}: it is no name of a module; write JOBS=jobs for the file jobs.py"] == faults(name)


@pytest.mark.parametrize("name", ["a:b", "", "dead", "mail-high", "mail-low", "a b", "-a"])
def test_bad_names_of_queues(tmp_path: Path, name: str) -> None:
    """Both wires build keys from the name, RQ builds lanes, and the environment variables."""
    (tmp_path / "own.py").write_text(f"from queue_lib.jobs import Queue\nQUEUES = (Queue(name={name!r}),)\nJOBS = ()")

    [fault] = faults("own")
    assert fault.startswith(f"JOBS: own: QUEUES: {name!r} can't be the name of a queue: letters and digits, ")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("backoff=5.0", "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"),
        ("backoff=Backoff(())", "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"),
        ("backoff=Backoff((5.0))", "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"),
        ("profile='huge'", "profile 'huge' is none of light, medium, heavy"),
        ("keep_failed=60", "keep_failed is no Retention; write keep_failed=Retention(age=3600.0) with seconds"),
    ],
)
def test_a_faulty_queue_is_refused(tmp_path: Path, fields: str, expected: str) -> None:
    """Its numbers are checked as if the environment had set them; the rest is checked here."""
    text = f"from queue_lib.jobs import Backoff, Queue\nQUEUES = (Queue(name='a', {fields}),)\nJOBS = ()"
    (tmp_path / "own.py").write_text(text)

    assert [f"JOBS: own: the queue 'a': {expected}"] == faults("own")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("async def", "attempts = 0\n    async def", "SendInvoice: attempts is no whole number of 1 or more"),
        (
            "async def",
            "backoff = 5.0\n    async def",
            "SendInvoice: backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma",
        ),
        (
            "Job[Invoice]",
            "Job",
            "SendInvoice: it has no payload; write class SendInvoice(Job[...]) with a class of a Model",
        ),
        (
            "Job[Invoice]",
            "Job[dict]",
            "SendInvoice: its payload, dict, is no Model; write class SendInvoice(Job[...]) with a class of a Model",
        ),
        ("name, queue = ", "name, _ = ", 'SendInvoice has no queue; write queue = "..." in the class'),
        ("name, queue = ", "_, queue = ", 'SendInvoice has no name; write name = "..." in the class'),
        (
            "def handle",
            "def run",
            "SendInvoice has no handle; write async def handle(self, payload, context)",
        ),
        ("return {", "yield {", "SendInvoice: handle has a yield, so nobody would run it; return the result"),
        (
            ", payload, context)",
            ", payload)",
            "SendInvoice: handle has other arguments; write async def handle(self, payload, context)",
        ),
        (
            "    async def",
            "    def shows(self, payload, result): ...\n    async def",
            "SendInvoice: shows has other arguments; write @classmethod def shows(cls, payload, result), without async",
        ),
        (
            "    async def",
            "    @classmethod\n    async def shows(cls, payload, result): ...\n    async def",
            "SendInvoice: shows is async; write @classmethod def shows(cls, payload, result), without async",
        ),
        (
            "    async def",
            "    links_below = ('https://app.example',)\n    async def",
            'SendInvoice: links_below is no tuple of addresses with / at their end; write ("https://app.example/",)',
        ),
    ],
)
def test_a_faulty_class_is_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """It says what to write."""
    (tmp_path / "own.py").write_text(GOOD.replace(old, new))

    assert [f"JOBS: own: {expected}"] == faults("own")


def test_a_faulty_bridge_is_refused(tmp_path: Path) -> None:
    """At the start, not when its event comes."""
    bridge = 'Bridge("message.*", "index_doc", {"id": 1})'
    (tmp_path / "own.py").write_text(f"from queue_lib.jobs import Bridge\nBRIDGES = ({bridge}, 7)\nJOBS = ()")

    [no_function, no_bridge] = faults("own")
    assert no_function.startswith("JOBS: own: the bridge of 'message.*': data and deduplication are functions")
    assert "JOBS: own: BRIDGES: 7 is no Bridge" == no_bridge


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("'night', 'a', cron='0 25 * * *'", "'night' has a cron that can't be read, '0 25 * * *': 25 is no hour"),
        (
            "'night', 'a', cron='0 3 * * *', tz='Mars'",
            "'night' has a cron that can't be read, '0 3 * * *': there is no",
        ),
        ("'night', 'a'", "'night' needs either cron or every"),
        ("'night', 'a', cron='0 3 * * *', every=60", "'night' needs either cron or every"),
        ("'night', 'a', cron=' '", "'night' has an empty cron or tz"),
        ("'night', 'a', cron='0 3 * * *', tz=''", "'night' has an empty cron or tz"),
        ("'night', 'a', every=0", "'night' is every 0 s: it needs 1 s at least, and less than a year"),
        (
            "'night', 'a', every='60'",
            "'night' has a wrong type: key, job, cron and tz are texts, and every is a number",
        ),
        ("'night', 'a', cron=3", "'night' has a wrong type: key, job, cron and tz are texts, and every is a number"),
        ("7, 'a', every=60", "7 has a wrong type: key, job, cron and tz are texts, and every is a number"),
        ("'a:b', 'a', every=60", "'a:b' needs another key: letters and digits, with -, _ or . between them"),
    ],
)
def test_a_faulty_schedule_is_refused(tmp_path: Path, schedule: str, expected: str) -> None:
    """At the start, not when it is due."""
    text = f"from queue_lib.jobs import Schedule\nSCHEDULES = (Schedule({schedule}),)\nJOBS = ()"
    (tmp_path / "own.py").write_text(text)

    [fault] = faults("own")
    assert fault.startswith(f"JOBS: own: the schedule {expected}")


def test_functions_for_the_cache_are_read(tmp_path: Path) -> None:
    """By their names; a module may have nothing else."""
    (tmp_path / "own.py").write_text("def top(tools, params): ...\nJOBS = ()\nCACHE_SOURCES = {'top-posts': top}")
    assert list(read_modules(["own"]).cache_sources) == ["top-posts"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("(top,)", 'CACHE_SOURCES is no dict; write CACHE_SOURCES = {"top-posts": top_posts}'),
        ("{'a b': top}", "the cache source 'a b' needs another name: letters and digits, with -, _ or . between them"),
        ("{7: top}", "the cache source 7 needs another name: letters and digits, with -, _ or . between them"),
        (
            "{'top': lambda: 1}",
            "the cache source 'top' is no function of two arguments; write async def top_posts(tools, params)",
        ),
        (
            "{'top': max}",
            "the cache source 'top' is no function of two arguments; write async def top_posts(tools, params)",
        ),
        (
            "{'top': 7}",
            "the cache source 'top' is no function of two arguments; write async def top_posts(tools, params)",
        ),
    ],
)
def test_a_faulty_function_for_the_cache_is_refused(tmp_path: Path, table: str, expected: str) -> None:
    """With what is right."""
    (tmp_path / "own.py").write_text(f"def top(tools, params): ...\nJOBS = ()\nCACHE_SOURCES = {table}")
    assert [f"JOBS: own: {expected}"] == faults("own")


def test_two_modules_may_not_have_a_function_of_the_same_name(tmp_path: Path) -> None:
    """Nobody could tell which one is meant."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text("def top(tools, params): ...\nJOBS = ()\nCACHE_SOURCES = {'top': top}")
    assert ["JOBS: two: the cache source 'top' is there twice; choose another name"] == faults("one", "two")
