"""Asks the app's preferences whether messages may reach people now."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from processors.outage import outages_put_off
from processors.reach.choice import MUTED, choose
from processors.reach.settings import ReachSettings
from queue_lib.errors import ConfigurationError, SnoozeError
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from processors.reach.choice import Occasion
    from processors.tools import Storage
    from queue_lib.feature import Served
    from storage.ports import Preferences

# Seconds after the end of quiet hours over which messages are spread: many people's end at the same time.
SPREAD = 60.0
TELL_EVERY = 60.0  # seconds between two lines in the log about values that can't be read

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Reach:
    """Who may be written to now. `clock` gives seconds since the epoch, `chance` a number in [0, 1)."""

    preferences: Preferences
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    _unreadable: int = field(default=0, init=False)
    _told: float = field(default=0.0, init=False)

    async def withheld(self, user_ids: Collection[str], occasion: Occasion) -> dict[str, float]:
        """Those who must not get it now, and until when (seconds since the epoch): MUTED, or the end of quiet hours.

        Raises SnoozeError while the database is away.
        """
        with outages_put_off():
            found = await self.preferences.of_users(user_ids, occasion.type)
        now, withheld = self.clock(), dict[str, float]()
        for user_id, rows in found.items():
            choice = choose(rows, occasion, now)
            self._unreadable += choice.unreadable
            if choice.until is not None:
                withheld[user_id] = choice.until
        if self._unreadable and not 0 <= now - self._told < TELL_EVERY:
            _log.warning("preferences_unreadable", values=self._unreadable)
            self._unreadable, self._told = 0, now
        return withheld

    async def is_wanted(self, user_id: str, occasion: Occasion) -> bool:
        """Whether this user wants it, for a job of one user. Raises SnoozeError until quiet hours end."""
        if (wait := await self.wait(user_id, occasion)) not in {0.0, MUTED}:
            msg = "quiet hours: it waits until they end"
            raise SnoozeError(msg, wait)
        return wait == 0

    async def wait(self, user_id: str, occasion: Occasion) -> float:
        """Seconds until this user's quiet hours end, and somewhat more; 0 without, MUTED if it is not wanted at all.

        Raises SnoozeError while the database is away.
        """
        until = (await self.withheld([user_id], occasion)).get(user_id)
        return 0.0 if until is None else until - self.clock() + SPREAD * self.chance()


def open_reach(storage: Storage, served: Served) -> Reach | None:
    """None if the app has no table of preferences: then everybody may be written to, and nobody asks.

    Raises ConfigurationError if there is a table and no database.
    """
    table = served.of(ReachSettings).preference_table
    if table is None:
        return None
    if served.find(DatabaseSettings) is None:
        msg = "PREFERENCE_TABLE: needs DATABASE_URL, where the table is"
        raise ConfigurationError(msg)
    return Reach(storage.preferences(table))


def facts_of_reach(served: Served) -> dict[str, str]:
    """What the app must agree with: the table of preferences, empty without one."""
    return {"preferenceTable": served.of(ReachSettings).preference_table or ""}
