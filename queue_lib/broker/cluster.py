"""Redis Cluster: where the node is that has our keys.

A prefix with a hash tag, such as `{bull}`, puts all keys into one slot, and so on one node (Redis cluster
specification, "Hash tags"). A node that has not got them answers MOVED, with the address of the one that has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What is between the first { and the next }, if that is anything, decides on the slot.
TAG = re.compile(r"[^{]*\{[^}]+\}")


def is_one_slot(prefix: str) -> bool:
    """Whether all keys that begin with the prefix are in one slot."""
    return TAG.match(prefix) is not None


@dataclass(slots=True)
class Home:
    """The node with our keys, as host and port, as far as a node has told; shared by all connections of a client."""

    address: tuple[str, int] | None = None

    def moved(self, host: str, port: int, asked: str) -> None:
        """Remember what MOVED says. Without a host it is that of the node that was `asked`."""
        self.address = (host or asked, port)

    def forget(self) -> None:
        """It can't be reached: the next connection asks the node of the settings again."""
        self.address = None
