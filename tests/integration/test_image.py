"""Pictures from the processor through a child process to an object store."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import processors.media.sandbox as sandbox_module
from processors.media.payload import ImagePayload
from processors.media.processor import MAX_UPLOAD, ProcessImage
from processors.media.sandbox import Sandbox
from queue_lib.errors import PermanentError, TransientError
from storage.errors import ObjectNotFoundError, ObjectTooLargeError, RowNotFoundError
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = ImagePayload.model_validate({"fileId": "file-1", "filePath": "uploads/a.png", "userId": 1})


class FolderStore:
    """The object store's port over a directory; `stored` holds what else was said of each object."""

    def __init__(self, folder: Path) -> None:
        """Keep objects in this directory."""
        self.folder = folder
        self.stored: dict[str, tuple[str, str]] = {}

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """See the port."""
        source = self.folder / key
        if not source.exists():
            raise ObjectNotFoundError(key)
        if source.stat().st_size > max_bytes:
            raise ObjectTooLargeError(key)
        shutil.copyfile(source, target)
        return source.stat().st_size

    async def store(self, source: Path, key: str, content_type: str, cache_control: str) -> str:
        """See the port."""
        shutil.copyfile(source, self.folder / key)
        self.stored[key] = (content_type, cache_control)
        return f"https://cdn.test/{key}"

    async def check(self) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""


class MemoryFiles:
    """The files' port over a dictionary."""

    def __init__(self) -> None:
        """Begin with one row."""
        self.rows: dict[str, dict[str, Any]] = {"file-1": {}}

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """See the port."""
        if file_id not in self.rows:
            raise RowNotFoundError(file_id)
        self.rows[file_id] |= values | {"processed": True}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with one picture in it."""
    (tmp_path / "store" / "uploads").mkdir(parents=True)
    Image.new("RGB", (2400, 1800), (200, 30, 30)).save(tmp_path / "store" / "uploads" / "a.png")
    return FolderStore(tmp_path / "store")


@pytest.fixture
def files() -> MemoryFiles:
    """The app's files."""
    return MemoryFiles()


@pytest.fixture
def context() -> FakeContext:
    """A run."""
    return FakeContext()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs have their folders."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a script in the encoder's place."""

    def replace(script: str) -> None:
        folder = tmp_path / "project" / "processors" / "media"
        folder.mkdir(parents=True)
        (folder / "image.py").write_text(script)
        shutil.copy(sandbox_module.PROJECT / "processors" / "media" / "child.py", folder)
        monkeypatch.setattr(sandbox_module, "PROJECT", tmp_path / "project")

    return replace


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds, 10 seconds at most."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_over(pid: int) -> bool:
    """Whether this process runs no more; one that is dead and that nobody has reaped yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_an_upload_becomes_two_pictures_and_a_row(
    store: FolderStore, files: MemoryFiles, context: FakeContext, work: Path
) -> None:
    """A picture is fetched, encoded, stored under its file's id and recorded, with progress on the way."""
    result = await ProcessImage(store, files)(JOB, context)

    expected = {
        "compressedUrl": "https://cdn.test/file-1-compressed.jpg",
        "thumbnailUrl": "https://cdn.test/file-1-thumbnail.jpg",
        "width": 1440,
        "height": 1080,
    }
    assert expected == result.model_dump(by_alias=True)
    assert expected | {"processed": True} == files.rows["file-1"]
    assert context.reports == [10, 50, 90, 100]
    with Image.open(store.folder / "file-1-compressed.jpg") as picture:
        assert ("JPEG", (1440, 1080)) == (picture.format, picture.size)
    with Image.open(store.folder / "file-1-thumbnail.jpg") as picture:
        assert ("JPEG", (320, 240)) == (picture.format, picture.size)
    assert names(work) == []


async def test_caches_ask_again_after_a_day(store: FolderStore, files: MemoryFiles, context: FakeContext) -> None:
    """The keys are the same when a file is processed again, so caches must not keep them for ever."""
    await ProcessImage(store, files)(JOB, context)

    assert {("image/jpeg", "public, max-age=86400")} == set(store.stored.values())


async def test_a_second_run_gives_the_same(store: FolderStore, files: MemoryFiles, context: FakeContext) -> None:
    """A job that runs twice ends as it did the first time."""
    process = ProcessImage(store, files)

    assert await process(JOB, context) == await process(JOB, context)


async def test_an_upload_that_is_no_picture_is_permanent(
    store: FolderStore, files: MemoryFiles, context: FakeContext, work: Path
) -> None:
    """Text under a picture's name is refused for good with the reason, and leaves nothing behind."""
    (store.folder / "uploads" / "a.png").write_text("text")

    with pytest.raises(PermanentError, match="not a picture in one of the formats"):
        await ProcessImage(store, files)(JOB, context)

    assert files.rows == {"file-1": {}}
    assert names(work) == []


async def test_an_upload_that_is_missing_is_permanent(
    store: FolderStore, files: MemoryFiles, context: FakeContext
) -> None:
    """A key without an object fails for good, naming the key."""
    (store.folder / "uploads" / "a.png").unlink()

    with pytest.raises(PermanentError, match=r"nothing is stored under 'uploads/a\.png'"):
        await ProcessImage(store, files)(JOB, context)


async def test_an_upload_that_is_too_large_is_permanent(
    store: FolderStore, files: MemoryFiles, context: FakeContext
) -> None:
    """An object over 64 MiB fails for good."""
    os.truncate(store.folder / "uploads" / "a.png", MAX_UPLOAD + 1)

    with pytest.raises(PermanentError, match="larger than 64 MiB"):
        await ProcessImage(store, files)(JOB, context)


async def test_a_row_that_is_missing_is_permanent(store: FolderStore, files: MemoryFiles, context: FakeContext) -> None:
    """A file that the app has deleted meanwhile fails for good, naming its id."""
    files.rows.clear()

    with pytest.raises(PermanentError, match="no file with the id 'file-1'"):
        await ProcessImage(store, files)(JOB, context)


async def test_a_store_that_is_away_is_not_permanent(
    store: FolderStore, files: MemoryFiles, context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What storage does not raise on purpose stays as it is: another attempt follows."""

    async def away(*_: object) -> int:
        raise ConnectionError

    monkeypatch.setattr(store, "fetch", away)

    with pytest.raises(ConnectionError):
        await ProcessImage(store, files)(JOB, context)


async def test_a_child_that_is_killed_is_transient(
    store: FolderStore, files: MemoryFiles, context: FakeContext, play: Any
) -> None:
    """A child that the system kills takes only its own attempt with it."""
    play("import os; os.kill(os.getpid(), 9)")

    with pytest.raises(TransientError, match="killed by SIGKILL"):
        await ProcessImage(store, files)(JOB, context)


async def test_a_child_that_crashes_is_transient(
    store: FolderStore, files: MemoryFiles, context: FakeContext, play: Any
) -> None:
    """A crash is tried again, and its reason is the last line of what the child said, however much that was."""
    play("import sys; sys.stderr.write('x' * 5_000_000 + '\\n'); raise MemoryError('too much')")

    with pytest.raises(TransientError, match="status 1: MemoryError: too much"):
        await ProcessImage(store, files)(JOB, context)


async def test_a_cancelled_run_kills_the_child_and_its_children(
    store: FolderStore, files: MemoryFiles, context: FakeContext, play: Any, tmp_path: Path, work: Path
) -> None:
    """The deadline ends everything that the job started, and its folder is gone."""
    pids = tmp_path / "pids"
    play(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r} + '.part', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.part', {str(pids)!r})\n"
        "time.sleep(600)\n"
    )
    run = asyncio.create_task(ProcessImage(store, files)(JOB, context))
    await asyncio.to_thread(until, pids.exists)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    for pid in map(int, pids.read_text().split()):
        await asyncio.to_thread(until, partial(is_over, pid))
    assert names(work) == []


async def test_a_child_is_alone(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child has its own session, an empty stdin and no environment but the one it is given."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@db/app")
    play(
        "import json, os, sys\n"
        "report = {'env': sorted(os.environ), 'leader': os.getsid(0) == os.getpid(), 'stdin': sys.stdin.read()}\n"
        "print(json.dumps(report))\n"
    )

    report = await Sandbox({"PATH": "/bin"}).run("processors.media.image")

    assert set(report["env"]) <= {"PATH", "LC_CTYPE"}
    assert (True, "") == (report["leader"], report["stdin"])


async def test_a_sigterm_does_not_end_the_encoder(play: Any) -> None:
    """A platform that stops a worker signals every process of it; the encoder goes on, for the worker decides."""
    play("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nprint('{\"width\": 1}')\n")
    assert {"width": 1} == await Sandbox().run("processors.media.image")


async def test_what_an_encoder_leaves_behind_is_ended(play: Any) -> None:
    """A child that ends and leaves a process of its own behind does not keep the job waiting, nor the process alive."""
    play(
        "import subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('{\"pid\": %d}' % left.pid)\n"
    )
    async with asyncio.timeout(20):
        report = await Sandbox().run("processors.media.image")
    until(lambda: is_over(report["pid"]))


async def test_the_encoder_needs_no_environment(tmp_path: Path) -> None:
    """The encoder starts and finishes with an empty environment."""
    Image.new("RGB", (40, 30)).save(tmp_path / "source", "PNG")
    paths = [str(tmp_path / name) for name in ("source", "compressed", "thumbnail")]

    assert await Sandbox().run("processors.media.image", *paths) == {"width": 40, "height": 30}


async def test_the_encoder_loads_little() -> None:
    """A child starts fast because it imports neither the queue nor the storage nor a client of anything."""
    code = "import sys, processors.media.image; print(*(m for m in sys.modules if '.' not in m))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=sandbox_module.PROJECT
    )
    stdout, _ = await process.communicate()

    assert process.returncode == 0
    assert not {"queue_lib", "storage", "pydantic", "aiohttp", "asyncio"} & set(stdout.decode().split())
    assert "PIL" in stdout.decode().split()
