"""A sandbox whose tasks misbehave: `python -m tests.support.sandbox_tasks CONTROL` in the server's place."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from processors.sandbox import child, fork_server, limits
from processors.sandbox.client import Sandbox
from processors.sandbox.protocol import FailedError, Parent, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600


class PlaySandbox(Sandbox):
    """The sandbox with the tasks below."""

    server = "tests.support.sandbox_tasks"


class BrokenSandbox(Sandbox):
    """A sandbox whose server can't start."""

    server = "tests.support.there_is_none"


def look(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """What a child can see."""
    parent.progress(50)
    return {
        "env": sorted(os.environ),  # noqa: TID251 -- this is what the test asks
        "leader": os.getsid(0) == os.getpid(),
        "stdin": os.read(0, 10).decode(),
        "folder": str(Path.cwd()),
        "descriptors": len([*Path("/proc/self/fd").iterdir()]),
        "said": arguments,
    }


def end(arguments: dict[str, Any], _parent: Parent) -> NoReturn:
    """End by a signal, or with an exit status."""
    if "signal" in arguments:
        os.kill(os.getpid(), arguments["signal"])
    os._exit(arguments.get("status", 0))


def fail(arguments: dict[str, Any], _parent: Parent) -> NoReturn:
    """Raise."""
    if "refused" in arguments:
        raise RefusedError(arguments["refused"])
    if "outside" in arguments:
        raise FailedError(arguments["outside"])
    if "words" in arguments:
        raise ValueError(arguments["words"])
    raise OSError(28, "No space\nleft")


def spin(_arguments: dict[str, Any], _parent: Parent) -> NoReturn:
    """Compute for ever."""
    while True:
        pass


def swallow(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Use memory, after reserving some."""
    if "reserve" in arguments:
        parent.reserve(arguments["reserve"])
    return {"length": len(bytearray(arguments["take"]))}


def fill(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Write a large file."""
    Path("large").write_bytes(bytes(arguments["size"]))
    return {}


def sleep(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Start a process of its own, report both numbers, and sleep."""
    code = f"import time; time.sleep({HOUR})"
    tied = None if arguments.get("leave") else limits.tie()
    started = subprocess.Popen([sys.executable, "-c", code], preexec_fn=tied)  # noqa: PLW1509 -- one thread
    part = Path(arguments["pids"] + ".part")
    part.write_text(f"{os.getpid()} {started.pid} {os.getppid()}")
    part.rename(arguments["pids"])
    if arguments.get("leave"):
        return {"pid": started.pid}
    time.sleep(HOUR)
    return {}


def hold(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Hold memory until a file exists."""
    parent.reserve(arguments["reserve"])
    Path(arguments["holds"]).touch()
    while not Path(arguments["until"]).exists():
        time.sleep(0.01)
    return {}


def shout(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Write to standard output and standard error, directly and through the server's files."""
    line = arguments["line"].encode()
    for number in (1, 2):
        os.write(number, line)
    try:
        Path(f"/proc/{os.getppid()}/fd/2").write_bytes(line)
    except OSError as error:
        return {"server": type(error).__name__}
    return {"server": "open"}


def spy(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Read the environment and the memory of a process; returns what it could read."""
    return {name: _attempt(f"/proc/{arguments['pid']}/{name}") for name in ("environ", "mem")}


def _attempt(path: str) -> str:
    try:
        with Path(path).open("rb", buffering=0):
            return "open"
    except PermissionError:
        return "denied"


def meddle(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Change each of the files, inside and outside its folder, and signal a process; returns what worked."""
    deeds: dict[str, Callable[[], object]] = {
        "write within": lambda: Path("own").write_text("x"),
        "rename within": lambda: Path("own").rename("renamed"),
        "make a folder within": Path("sub").mkdir,
        "write to null": lambda: Path(os.devnull).write_text("x"),
        "signal its own": _signal_own,
        "create": lambda: Path(arguments["beside"]).write_text("x"),
        "write": lambda: os.close(os.open(arguments["victim"], os.O_WRONLY)),
        "truncate": lambda: os.truncate(arguments["victim"], 0),
        "remove": lambda: Path(arguments["removed"]).unlink(),
        "move in": lambda: Path(arguments["moved"]).rename("moved"),
        "signal": lambda: os.kill(arguments["pid"], signal.SIGUSR2),
    }
    return {name: _deed(deed) for name, deed in deeds.items()}


def _signal_own() -> None:
    started = subprocess.Popen(["/bin/sleep", str(HOUR)], preexec_fn=limits.tie())  # noqa: PLW1509 -- one thread
    started.terminate()
    started.kill()
    started.wait()


def _deed(deed: Callable[[], object]) -> str:
    try:
        deed()
    except OSError as error:
        return type(error).__name__
    return "done"


def dial(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Connect to a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", arguments["port"]), 5):
            return {"connected": True}
    except OSError:
        return {"connected": False}


def desert(arguments: dict[str, Any], _parent: Parent) -> dict[str, Any]:
    """Leave an orphan process in a session of its own, and report its number."""
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if deserter := os.fork():
            part = Path(arguments["pids"] + ".part")
            part.write_text(str(deserter))
            part.rename(arguments["pids"])
            os._exit(0)
        time.sleep(HOUR)
    os.waitpid(middle, 0)
    if arguments.get("stay"):
        time.sleep(HOUR)
    return {}


def babble(arguments: dict[str, Any], parent: Parent) -> NoReturn:
    """Write something that is no message."""
    stream = parent._stream  # type: ignore[attr-defined]
    stream.write(arguments["text"])
    stream.flush()
    os._exit(0)


TASKS = (look, end, fail, spin, swallow, fill, sleep, hold, babble, shout, spy, meddle, dial, desert)
PLAYS = {each.__name__: each for each in TASKS}

if __name__ == "__main__":
    child.task = PLAYS.__getitem__  # type: ignore[assignment]
    fork_server.main()
