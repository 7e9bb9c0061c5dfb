"""How much memory this process and its children have."""

from __future__ import annotations

import psutil


def of_tree() -> int:
    """Bytes. Pages that several processes share are counted once, where the system says which; 0 if it says nothing.

    It reads a file of every process: call it in a thread.
    """
    me = psutil.Process()
    return sum(map(of, [me, *me.children(recursive=True)]))


def of(process: psutil.Process) -> int:
    """Bytes of one process, as above.

    Only root can read the shared pages of children that decode uploads; for others, those are left out.
    """
    try:
        facts = process.memory_full_info()
        return int(getattr(facts, "pss", 0) or facts.rss)
    except psutil.AccessDenied:
        return _own(process)
    except (psutil.Error, OSError):  # it has ended meanwhile
        return 0


def _own(process: psutil.Process) -> int:
    try:
        facts = process.memory_info()
        return int(facts.rss - getattr(facts, "shared", 0))
    except (psutil.Error, OSError):  # it has ended meanwhile, or is another user's
        return 0
