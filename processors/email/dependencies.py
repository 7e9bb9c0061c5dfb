"""What the e-mail jobs work with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from processors.email.delivery_settings import Uncertain
    from processors.email.mail import Mail, Mailer
    from processors.email.payload import EmailPayload
    from processors.reach.reach import Reach
    from queue_lib.jobs.toolbox import Cache
    from storage.ports import Suppressions


class Composer(Protocol):
    """Makes mails of payloads."""

    def __call__(self, payload: EmailPayload, message_id: str, /) -> AbstractAsyncContextManager[Mail]:
        """The mail, for as long as its memory is reserved. Raises JobError."""


@dataclass(frozen=True, slots=True)
class EmailDependencies:
    """What all e-mail jobs share. `domain` ends each Message-ID; `clock` gives seconds since the epoch."""

    mailer: Mailer
    compose: Composer
    suppressions: Suppressions
    cache: Cache
    domain: str
    uncertain: Uncertain = "send"
    reach: Reach | None = None
    clock: Callable[[], float] = time.time
