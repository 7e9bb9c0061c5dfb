"""A child process: it sets its limits, runs the task, and sends one message with the result."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.sandbox import landlock, limits
from processors.sandbox.protocol import FailedError, RefusedError, SocketParent, one_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# Task -> the module whose `run(arguments, parent)` does it in the task's folder. It returns JSON.
TASKS = {
    "image": "processors.media.image.make_images",
    "avatar": "processors.media.image.make_avatars",
    "video": "processors.media.video.make_video",
    "document": "processors.media.document.extract_text",
    "mail": "processors.email.render",
    "workbook": "processors.exports.xlsx.task",
}

FRAMES = 4  # frames of the stack that an error is reported with


def serve(channel: socket.socket, server: int) -> int:
    """Run the one task that `channel` asks for; returns the exit status. `server` is the pid of the fork server."""
    os.setsid()
    limits.die_with(server)
    # A platform that stops a worker sends SIGTERM to all its processes. The worker decides what is finished and what is
    # given back. The signals are blocked, not ignored: ffmpeg would install a handler, and end with half a video.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and all that it starts would inherit that
    with channel.makefile("rw", encoding="utf-8", newline="\n") as stream:
        parent = SocketParent(stream, _limit_memory)
        parent.say(**_report(parent))
    return 0


def _limit_memory(allowed: int) -> None:
    limits.limit_memory(allowed + limits.SLACK)


def _report(parent: SocketParent) -> dict[str, Any]:
    request = parent.request()
    try:
        os.chdir(request["folder"])
        limits.apply(request["cpu"], request["file"])
        limits.limit_memory(limits.PROBING)
        run = task(request["task"])  # before confinement: Python may write bytecode
        landlock.confine(request["folder"])
        return {"done": run(request["arguments"], parent)}
    except RefusedError as error:
        return {"refused": one_line(error)}
    except MemoryError:
        return {"refused": "it takes far more memory than its kind does"}
    except FailedError as error:
        return {"failed": one_line(error)}
    except Exception as error:  # noqa: BLE001 -- the worker decides what follows
        words = one_line(f"{type(error).__name__}: {error}")
        # An error of the system, such as a full disk, has an errno. Anything else is a fault of the task's code.
        is_system = isinstance(error, OSError) and error.errno is not None
        return {"failed": words} if is_system else {"broken": f"{words} ({_location(error)})"}


def _location(error: BaseException) -> str:
    """Where an error was raised, innermost frame first: `render.py:84 crop_to`."""
    frames = traceback.extract_tb(error.__traceback__)[: -FRAMES - 1 : -1]
    return one_line(" < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames))


@functools.cache
def task(name: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The function that runs the task `name`."""
    run: Callable[[dict[str, Any], Any], dict[str, Any]] = importlib.import_module(TASKS[name]).run
    return run
