"""The leases that a process holds: neither settled nor known to be lost, so they are to be renewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.queues import Queue


class HeldLease(Protocol):
    """What is asked of a lease. `key` tells it from the others of its queue."""

    queue: Queue

    @property
    def key(self) -> str:
        """A BullMQ job's id, or an RQ execution's key."""

    def lose(self) -> None:
        """Another run has the job by now."""


LeaseT = TypeVar("LeaseT", bound=HeldLease)


class Held(Generic[LeaseT]):
    """The leases of all queues on one wire."""

    def __init__(self) -> None:
        self._leases: dict[tuple[str, str], LeaseT] = {}

    def __iter__(self) -> Iterator[LeaseT]:
        return iter([*self._leases.values()])

    def __contains__(self, lease: LeaseT) -> bool:
        return self._leases.get((lease.queue.name, lease.key)) is lease

    def add(self, lease: LeaseT) -> None:
        """Hold a lease, in place of an older one with its key."""
        self._leases[lease.queue.name, lease.key] = lease

    def forget(self, lease: LeaseT) -> None:
        """The lease is settled: renew it no more. A newer one with its key stays."""
        if lease in self:
            del self._leases[lease.queue.name, lease.key]

    def lose(self, lease: LeaseT) -> None:
        """The server has given the job to another run, or removed it; nothing is done if the lease is settled."""
        if lease in self:
            self.forget(lease)
            lease.lose()

    def of(self, queue: str) -> dict[str, LeaseT]:
        """The leases of a queue, by their keys."""
        return {key: lease for (name, key), lease in self._leases.items() if name == queue}
