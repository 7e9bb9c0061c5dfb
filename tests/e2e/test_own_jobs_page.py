"""docs/own-jobs.md, as a new user reads it: in an empty folder, from the file to the result."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

import queue_lib.jobs
from queue_lib.jobs import Job, Queue, Schedule
from tests.support.docs import PROJECT
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (PROJECT / "docs" / "own-jobs.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = {found[1]: block for block in BLOCKS if (found := re.match(r"# (\w+\.py)\n", block))}


async def run(folder: Path, redis_url: str, *words: str) -> str:
    """Type a command of the page's in the folder, after its `export`; returns what it prints."""
    env = {"PYTHONPATH": str(PROJECT), "MYPYPATH": str(PROJECT), "REDIS_URL": redis_url}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=folder, env=env, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert 0 == process.returncode, out.decode()
    return out.decode().strip()


async def test_the_five_minutes(redis_url: str, tmp_path: Path) -> None:
    """The worker serves the job, `add.py` adds one, it is done, and its tests pass."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    assert {"jobs.py", "add.py", "test_jobs.py"} == FILES.keys()
    async with WorkerProcess({"REDIS_URL": redis_url, "JOBS": "jobs"}, tmp_path) as worker:
        job_id = await run(tmp_path, redis_url, "add.py")
        [line] = await worker.logged("job_done", 1)

    assert (job_id, "send-invoice") == (line["id"], line["name"])
    assert "2 passed" in await run(tmp_path, redis_url, "-m", "pytest", "-p", "no:cacheprovider")


async def test_its_types_are_right(redis_url: str, tmp_path: Path) -> None:
    """Mypy finds nothing in its strict mode; it does if `handle` takes what is no payload of the job."""
    (tmp_path / "jobs.py").write_text(FILES["jobs.py"])
    (tmp_path / "add.py").write_text(FILES["add.py"])
    mypy = ("-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent")
    await run(tmp_path, redis_url, *mypy, "jobs.py", "add.py")

    (tmp_path / "jobs.py").write_text(FILES["jobs.py"].replace("payload: Invoice,", "payload: Queue,"))
    with pytest.raises(AssertionError, match="incompatible with supertype"):
        await run(tmp_path, redis_url, *mypy, "jobs.py")


@pytest.mark.parametrize("code", [block for block in BLOCKS if block not in FILES.values()])
def test_each_other_block_is_python(code: str) -> None:
    """What it imports is there; what it declares can be declared."""
    tree = compile(code, "own-jobs.md", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {}
    exec(FILES["jobs.py"] + "from queue_lib.jobs import *", names)  # noqa: S102 -- the page's own
    statements = [each for each in tree.body if not any(isinstance(part, ast.Await) for part in ast.walk(each))]
    if "ids" not in code:
        exec(compile(ast.Module(statements, []), "own-jobs.md", "exec"), names)  # noqa: S102

    assert all(isinstance(queue, Queue) for queue in names["QUEUES"])
    assert all(isinstance(schedule, Schedule) for schedule in names.get("SCHEDULES", ()))
    assert "Render" not in code or issubclass(names["Render"], Job)


def test_the_page_says_what_can_be_imported() -> None:
    """Each name of `queue_lib.jobs` that the page has is there."""
    lines = re.findall(r"from queue_lib\.jobs import (.+)", PAGE)

    assert len(lines) > 2
    assert set() == {name.strip() for line in lines for name in line.split(",")} - set(queue_lib.jobs.__all__)
