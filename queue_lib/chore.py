"""What a process does beside its jobs: chores, and what they send jobs and messages with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from queue_lib.addition import NewJob
    from queue_lib.processor import Board


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that recurs: `run` at start and then every `every` seconds."""

    name: str
    every: float
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PackedJob:
    """A job that was checked, as it is sent to its queue."""

    queue: str
    arguments: tuple[str | bytes, ...]


class Post(Protocol):
    """What a chore of a feature sends with, over the worker's connections. It needs the wire bullmq.

    Every call may raise BrokerUnavailableError.
    """

    @property
    def board(self) -> Board:
        """The board of the processes that share a Redis; it publishes messages, too."""

    def pack(self, job: NewJob) -> PackedJob:
        """Check a job and make it ready. Raises PermanentError, which names the option, for what BullMQ can't do."""

    async def add(self, jobs: Sequence[PackedJob]) -> Mapping[str, str]:
        """Add jobs, those of a queue in one step and in this order. A job whose id there is is not added again.

        Returns the queues that take none because of their keys in Redis, each with why; the others have theirs.
        """

    def listen(self, pattern: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, str]] | None]:
        """Listen to the channels that match, over a connection of its own: (channel, message), as they come.

        None while another process listens: one does at a time. What is published while none listens is lost. The
        iterator raises BrokerUnavailableError if it hears no more.
        """
