"""The entry of every child process: what must be so before an encoder is loaded.

    python -m processors.media.child <module> <arguments...>

The place of the resource limits (memory, CPU time, size of files): a later issue.
"""

from __future__ import annotations

import runpy
import signal
import sys


def main() -> None:
    """Run the module as if it had been called itself."""
    # A platform that stops a worker sends SIGTERM to all its processes. The parent decides what is finished and what
    # is given back; it ends its children with SIGKILL.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
