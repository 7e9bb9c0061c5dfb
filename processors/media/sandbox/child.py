"""What happens in a child process: limits first, then the task, then one message that says how it went."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.sandbox import landlock, limits
from processors.media.sandbox.protocol import FailedError, RefusedError, SocketParent, one_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# Task -> the module whose `run(arguments, parent)` does it, in the task's folder; what it returns is JSON.
TASKS = {
    "image": "processors.media.image.make_images",
    "avatar": "processors.media.image.make_avatars",
    "video": "processors.media.video.make_video",
    "document": "processors.media.document.extract_text",
}

PLACES = 4  # of the code, that are told of an error


def serve(channel: socket.socket, server: int) -> int:
    """Do the one task that is asked for on `channel`; returns the exit status. `server` is the parent's pid."""
    os.setsid()
    limits.die_with(server)
    # A platform that stops a worker sends SIGTERM to all its processes. The worker decides what is finished and what
    # is given back. Blocked rather than ignored: ffmpeg would install a handler, and end with half a video.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and so would all that is started here
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
        run = task(request["task"])  # before it is confined: Python may keep what it has compiled
        landlock.confine(request["folder"])
        return {"done": run(request["arguments"], parent)}
    except RefusedError as error:
        return {"refused": one_line(error)}
    except MemoryError:
        return {"refused": "it takes far more memory than its kind does"}
    except FailedError as error:
        return {"failed": one_line(error)}
    except Exception as error:  # noqa: BLE001 -- the parent decides what becomes of it
        words = one_line(f"{type(error).__name__}: {error}")
        # A full disk has a number. All else the task should have foreseen: damage is refused where it is decoded.
        is_system = isinstance(error, OSError) and error.errno is not None
        return {"failed": words} if is_system else {"broken": f"{words} ({_place(error)})"}


def _place(error: BaseException) -> str:
    """Where it was raised, innermost first: `render.py:84 cut`."""
    frames = traceback.extract_tb(error.__traceback__)[: -PLACES - 1 : -1]
    return one_line(" < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames))


@functools.cache
def task(name: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The function that does the task `name`."""
    run: Callable[[dict[str, Any], Any], dict[str, Any]] = importlib.import_module(TASKS[name]).run
    return run
