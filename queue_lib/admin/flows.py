"""A flow: a job, the children that it has waited for, and theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.admin.ports import JobRef
    from queue_lib.job import State


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowNode:
    """A job of a flow. `state` is None for one that is deleted; then `name` is empty.

    `blocks`: its parent waits for it for ever, because it has failed for good, or is gone. `more` is how many of its
    children are left out.
    """

    ref: JobRef
    name: str
    state: State | None
    reason: str | None
    blocks: bool
    children: tuple[FlowNode, ...] = ()
    more: int = 0

    def __iter__(self) -> Iterator[FlowNode]:
        """The job itself, its children, and theirs."""
        yield self
        for child in self.children:
            yield from child
