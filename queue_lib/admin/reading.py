"""Reading a queue part by part, so that one broken key hides nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from queue_lib.errors import BrokerRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from queue_lib.errors import Trouble

T = TypeVar("T")


class Reading:
    """Reads parts of a queue. A part that the broker refuses is None, and `trouble` says why."""

    trouble: Trouble | None = None

    async def __call__(self, part: Awaitable[T]) -> T | None:
        """The part, or None. Raises BrokerUnavailableError if the server does not answer."""
        try:
            return await part
        except BrokerRefusedError as error:
            self.trouble = error.trouble
            return None
