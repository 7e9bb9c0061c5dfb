"""What the push jobs work with."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processors.push.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.push.delivery import Sender
    from processors.push.message import PayloadStyle
    from processors.push.origins import Origins
    from processors.reach.reach import Reach
    from storage.ports import Subscriptions, UserTexts


@dataclass(frozen=True, slots=True)
class PushDependencies:
    """What all push jobs share.

    `locales` are the users', if the app has them. `clock` gives seconds since the epoch, `chance` a number in [0, 1).
    """

    subscriptions: Subscriptions
    sender: Sender
    origins: Origins
    style: PayloadStyle
    locales: UserTexts | None = None
    reach: Reach | None = None
    refusals: Refusals = field(default_factory=Refusals)
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
