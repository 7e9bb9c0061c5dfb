"""The sandbox with tasks that misbehave: each hurts itself at most, and no other."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from processors.sandbox.client import PROJECT, Task
from processors.sandbox.limits import MEBIBYTE, Limits
from queue_lib.errors import FaultError, PermanentError, SnoozeError, TransientError
from tests.support.listening import listening
from tests.support.polling import PATIENCE, is_over, until
from tests.support.sandbox_tasks import BrokenSandbox, PlaySandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMITS = Limits(cpu=20, wall=30.0, file=MEBIBYTE)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")


@pytest.fixture
async def sandbox() -> AsyncIterator[PlaySandbox]:
    """A sandbox with 100 MiB to share."""
    sandbox = PlaySandbox({"PATH": "/bin"}, 100 * MEBIBYTE)
    yield sandbox
    await sandbox.close()


def task(folder: Path, name: str, limits: Limits = LIMITS, **arguments: Any) -> Task:
    """A task of `tests.support.sandbox_tasks`."""
    return Task(name, folder, arguments, limits)


async def test_a_child_is_alone(sandbox: PlaySandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its own session, an empty stdin, only the environment it is given, and no open connection."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@db/app")
    heard: list[float] = []

    async def tell(percent: float) -> None:
        heard.append(percent)

    report = await sandbox.run(task(tmp_path, "look", word="hello"), tell)

    assert set(report["env"]) <= {"PATH", "LC_CTYPE", "GLIBC_TUNABLES", "VIPS_CONCURRENCY"}
    assert (True, "", str(tmp_path), {"word": "hello"}) == (
        report["leader"],
        report["stdin"],
        report["folder"],
        report["said"],
    )
    assert report["descriptors"] <= 6  # its standard ones, its channel, and the one it looks with
    assert heard == [50]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"signal": signal.SIGKILL}, r"killed \(SIGKILL\): by hand, or because the machine was out of memory"),
        ({"signal": signal.SIGSEGV}, "crashed with SIGSEGV"),
        ({"signal": 40}, "crashed with signal 40"),
        ({"status": 3}, "status 3 and no result"),
        ({}, "status 0 and no result"),
    ],
)
async def test_a_crash_is_transient_and_alone(
    sandbox: PlaySandbox, tmp_path: Path, arguments: dict[str, Any], reason: str
) -> None:
    """A child that ends without a result fails its own attempt, with how it ended, and no other's."""
    other = asyncio.create_task(
        sandbox.run(task(tmp_path, "hold", reserve=1, holds=str(tmp_path / "holds"), until=str(tmp_path / "go")))
    )
    await until((tmp_path / "holds").exists)
    with pytest.raises(TransientError, match=reason):
        await sandbox.run(task(tmp_path, "end", **arguments))
    (tmp_path / "go").touch()
    assert {} == await other


async def test_a_refusal_is_permanent(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """No attempt can help if the task refuses; the reason is one line."""
    with pytest.raises(PermanentError, match=r"^a very bad image$"):
        await sandbox.run(task(tmp_path, "fail", refused="a very\n bad image"))


async def test_an_abort_of_a_decoder_is_permanent(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """Libraries in Rust and C++ abort when they get no memory; they would do so again."""
    with pytest.raises(PermanentError, match=r"gave up on it \(SIGABRT\)"):
        await sandbox.run(task(tmp_path, "end", signal=signal.SIGABRT))


async def test_a_fault_of_the_system_is_transient(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A full disk is no fault of the image."""
    with pytest.raises(TransientError, match=r"the fail task failed: OSError: .Errno 28. No space left"):
        await sandbox.run(task(tmp_path, "fail"))
    with pytest.raises(TransientError, match=r"^the fail task failed: ffmpeg ended with -9$"):
        await sandbox.run(task(tmp_path, "fail", outside="ffmpeg ended with -9"))


async def test_a_bug_is_neither_the_systems_nor_the_uploads_fault(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """The reason says where in the task's code it was raised."""
    words = r"fault of Pushmill's own in the fail task: ValueError: box offset \(sandbox_tasks.py:\d+ fail < child.py:"
    with pytest.raises(FaultError, match=words):
        await sandbox.run(task(tmp_path, "fail", words="box\noffset"))


async def test_processor_time_is_limited(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """The kernel ends a child that computes for ever, for good."""
    with pytest.raises(PermanentError, match="more than 1 s of processor time"):
        await sandbox.run(task(tmp_path, "spin", Limits(cpu=1, wall=30.0, file=MEBIBYTE)))


async def test_the_size_of_a_file_is_limited(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A result beyond the limit is never written in full."""
    with pytest.raises(PermanentError, match="larger than 1 MiB"):
        await sandbox.run(task(tmp_path, "fill", size=3 * MEBIBYTE))
    assert (tmp_path / "large").stat().st_size <= MEBIBYTE


@linux_only
async def test_memory_is_limited_to_what_was_reserved(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A task gets what it has reserved and a little more; beyond that it fails for good."""
    assert {"length": 80 * MEBIBYTE} == await sandbox.run(
        task(tmp_path, "swallow", reserve=80 * MEBIBYTE, take=80 * MEBIBYTE)
    )
    with pytest.raises(PermanentError, match="far more memory than its kind does"):
        await sandbox.run(task(tmp_path, "swallow", reserve=20 * MEBIBYTE, take=300 * MEBIBYTE))
    with pytest.raises(PermanentError, match="far more memory than its kind does"):
        await sandbox.run(task(tmp_path, "swallow", take=300 * MEBIBYTE))


async def test_a_task_larger_than_all_memory_fails_at_once(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """It does not wait for memory that can never be free."""
    with pytest.raises(PermanentError, match="needs about 101 MiB of memory, more than MEDIA_MEMORY allows"):
        await sandbox.run(task(tmp_path, "swallow", reserve=101 * MEBIBYTE, take=1))


async def test_a_task_waits_for_memory_and_its_time_does_not_run(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """Two tasks that do not fit together run one after the other; the wait does not count."""
    first = asyncio.create_task(
        sandbox.run(
            task(tmp_path, "hold", reserve=60 * MEBIBYTE, holds=str(tmp_path / "1"), until=str(tmp_path / "go"))
        )
    )
    await until((tmp_path / "1").exists)
    short = Limits(cpu=20, wall=0.5, file=MEBIBYTE)
    second = asyncio.create_task(
        sandbox.run(
            task(tmp_path, "hold", short, reserve=60 * MEBIBYTE, holds=str(tmp_path / "2"), until=str(tmp_path / "go"))
        )
    )
    await asyncio.sleep(1)
    assert not (tmp_path / "2").exists()
    assert not second.done()
    (tmp_path / "go").touch()
    assert ({}, {}) == (await first, await second)


async def test_a_task_that_others_keep_waiting_is_put_off(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """It keeps neither slot nor attempt while a video has the memory; its child and request are gone."""
    video = asyncio.create_task(
        sandbox.run(
            task(tmp_path, "hold", reserve=60 * MEBIBYTE, holds=str(tmp_path / "1"), until=str(tmp_path / "go"))
        )
    )
    await until((tmp_path / "1").exists)
    hasty = Limits(cpu=20, wall=20.0, file=MEBIBYTE, patience=0.2)
    with pytest.raises(SnoozeError, match=r"others have the 60 MiB of memory that it needs") as put_off:
        await sandbox.run(task(tmp_path, "swallow", hasty, reserve=60 * MEBIBYTE, take=1))
    assert 20 <= put_off.value.delay <= 30
    (tmp_path / "go").touch()
    assert ({}, {"length": 1}) == (
        await video,
        await sandbox.run(task(tmp_path, "swallow", hasty, reserve=60 * MEBIBYTE, take=1)),
    )


async def test_memory_is_returned(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A task's memory is free for the next one, however the task has ended."""
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            with pytest.raises(PermanentError):
                await sandbox.run(task(tmp_path, "swallow", reserve=90 * MEBIBYTE, take=400 * MEBIBYTE))
        assert {"length": 1} == await sandbox.run(task(tmp_path, "swallow", reserve=90 * MEBIBYTE, take=1))


async def started(sandbox: PlaySandbox, folder: Path, limits: Limits = LIMITS) -> tuple[asyncio.Task[Any], list[int]]:
    """A task that sleeps, and the process ids of its child, the child's children, and the server."""
    pids = folder / "pids"
    run = asyncio.create_task(sandbox.run(task(folder, "sleep", limits, pids=str(pids))))
    await until(pids.exists)
    return run, [int(pid) for pid in pids.read_text().split()]


async def test_a_cancelled_run_kills_the_child_and_its_children(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """The deadline ends all processes of the task before the run is over."""
    run, (child, grandchild, server) = await started(sandbox, tmp_path)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert is_over(child)
    await until(partial(is_over, grandchild))
    assert not is_over(server)


async def test_a_run_that_is_cancelled_while_it_starts_leaves_no_connection(
    sandbox: PlaySandbox, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """However far it has come, and whether or not the job is given up again while the child is killed."""
    await sandbox.run(task(tmp_path, "look"))  # the fork server runs
    for steps in range(8):
        run = asyncio.create_task(sandbox.run(task(tmp_path, "sleep", pids=str(tmp_path / "pids"))))
        for _ in range(steps):
            await asyncio.sleep(0)
        for _ in range(2):
            run.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await run
        await asyncio.sleep(0)  # the loop closes what it was told to close
        del run
        gc.collect()
        assert [] == [str(each.message) for each in recwarn], f"after {steps} steps"


async def test_a_task_has_its_own_deadline(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A child that hangs is killed when its time is over; another attempt may help."""
    run, (child, grandchild, _) = await started(sandbox, tmp_path, Limits(cpu=20, wall=1.5, file=MEBIBYTE))
    with pytest.raises(TransientError, match=r"the sleep task has not ended within 1\.5 s"):
        await run
    await until(lambda: is_over(child) and is_over(grandchild))


@linux_only
async def test_a_killed_server_is_replaced(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """Its children die with it, their jobs are tried again, and the next task has a new server."""
    run, (child, grandchild, server) = await started(sandbox, tmp_path)
    os.kill(server, signal.SIGKILL)
    with pytest.raises(TransientError, match="the sandbox was killed"):
        await run
    await until(lambda: is_over(child) and is_over(grandchild))
    assert {"length": 1} == await sandbox.run(task(tmp_path, "swallow", take=1))


async def test_the_platforms_sigterm_ends_nothing(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A platform that stops a worker signals all its processes; child and server go on until the worker decides."""
    run, (child, _, server) = await started(sandbox, tmp_path)
    for pid in (child, server):
        os.kill(pid, signal.SIGTERM)
    await asyncio.sleep(0.3)
    assert not run.done()
    assert not is_over(child)
    run.cancel()
    await asyncio.wait([run])


async def test_orphan_processes_of_a_task_are_ended(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """A child that leaves an orphan process does not keep the job waiting, and the orphan is ended."""
    report = await sandbox.run(task(tmp_path, "sleep", pids=str(tmp_path / "pids"), leave=True))
    await until(partial(is_over, report["pid"]))


@linux_only
@pytest.mark.parametrize("stay", [False, True])
async def test_a_grandchild_in_its_own_session_is_ended_too(
    sandbox: PlaySandbox, tmp_path: Path, *, stay: bool
) -> None:
    """It is gone before the run's results can be used, or the sandbox is closed."""
    pids = tmp_path / "pids"
    run = asyncio.create_task(sandbox.run(task(tmp_path, "desert", pids=str(pids), stay=stay)))
    await until(pids.exists)
    if stay:
        await sandbox.close()
        run.cancel()
    await asyncio.wait([run])
    assert is_over(int(pids.read_text()))


@linux_only
async def test_nothing_that_a_child_writes_is_in_the_workers_log(
    sandbox: PlaySandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither a decoder's warnings nor forged lines of an upload; however many, the child goes on."""
    await sandbox.run(task(tmp_path, "swallow", take=1))
    capfd.readouterr()  # the line that says that the sandbox was started
    flood = '{"event": "job_failed"}\n' * 20_000
    report = await sandbox.run(task(tmp_path, "shout", Limits(cpu=20, wall=5.0, file=MEBIBYTE), line=flood))

    assert ({"server": "PermissionError"}, ("", "")) == (report, capfd.readouterr())


async def test_a_sandbox_that_cannot_start_says_why() -> None:
    """The server's last output is the job's reason."""
    sandbox = BrokenSandbox()
    with pytest.raises(TransientError, match=r"the sandbox can't start: .*No module named tests"):
        await sandbox.run(task(Path(), "look"))
    await sandbox.close()


@linux_only
async def test_a_child_reads_nothing_of_other_processes(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """Neither environment nor memory of the worker, the fork server and other children, under any user."""
    other, (child, _, server) = await started(sandbox, tmp_path)
    for pid in (os.getpid(), server, child):
        assert {"environ": "denied", "mem": "denied"} == await sandbox.run(task(tmp_path, "spy", pid=pid))
    other.cancel()
    await asyncio.wait([other])


@linux_only
async def test_a_child_has_no_network(sandbox: PlaySandbox, tmp_path: Path) -> None:
    """Not even to this machine, if the kernel lets unprivileged processes leave the network."""

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(serve) as port:
        report = await sandbox.run(task(tmp_path, "dial", port=port))

    assert {"connected": not may_leave_the_network()} == report


def may_leave_the_network() -> bool:
    """Whether this machine lets unprivileged processes leave the network."""
    code = "import sys; from processors.sandbox import kernel; sys.exit(not kernel.disconnect())"
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.parametrize("text", ["\n", "[1]\n", '{"done": 1}\n', "nonsense\n", '{"done": {}', '{"reserve": "x"}\n'])
async def test_a_malformed_report_counts_as_a_crash(sandbox: PlaySandbox, tmp_path: Path, text: str) -> None:
    """A compromised child may write anything: the worker takes it for a crash."""
    with pytest.raises(TransientError):
        await sandbox.run(task(tmp_path, "babble", text=text))


@linux_only
async def test_a_killed_worker_leaves_nothing(tmp_path: Path) -> None:
    """When the worker is killed, the server and all children end by themselves."""
    code = (
        "import asyncio, pathlib, sys\n"
        "from tests.integration.test_sandbox import LIMITS, task\n"
        "from tests.support.sandbox_tasks import PlaySandbox\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "asyncio.run(PlaySandbox({'PATH': '/bin'}).run(task(folder, 'sleep', pids=str(folder / 'pids'))))\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT)  # noqa: ASYNC220 -- at once
    await until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    worker.kill()
    worker.wait()
    for pid in pids:
        await until(partial(is_over, pid))
