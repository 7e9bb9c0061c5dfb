"""What the processor of exports works with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.sandbox.client import Sandbox
    from storage.objects.base import ObjectStore
    from storage.ports import Exports, UserTexts


@dataclass(frozen=True, slots=True)
class ExportDependencies:
    """What all exports of a process share.

    `max_bytes` is of a file, and `link_expiry` is in seconds. `addresses` are of the users' mailboxes, if a table has
    them. `clock` gives seconds since the epoch.
    """

    exports: Exports
    objects: ObjectStore
    sandbox: Sandbox
    addresses: UserTexts | None
    max_bytes: int
    link_expiry: int
    clock: Callable[[], float] = time.time
