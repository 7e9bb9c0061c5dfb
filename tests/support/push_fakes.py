"""Fakes for unit tests of the push jobs: rows in memory, a scripted sender, and a context that outlives its runs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from processors.push.delivery import Delivery, Kind, Message
from processors.push.dependencies import PushDependencies
from processors.push.message import PayloadStyle
from processors.push.origins import Origins
from processors.reach.reach import Reach
from storage.ports import Subscription

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from storage.ports import Preference


ORIGIN = "https://push.test"
NOW = 1_800_000_000.0
SLOTS = 10
End = Delivery | Kind | BaseException


def make_row(number: int, origin: str = ORIGIN, user_id: str = "1") -> Subscription:
    """A row whose id sorts by its number."""
    return Subscription(
        id=f"{number:06}", user_id=user_id, endpoint=f"{origin}/wp/{number}", p256dh="p", auth="a", expires_at=None
    )


class FakeSubscriptions:
    """The port over a list; rows in `replaced` act as if the device had subscribed anew."""

    def __init__(self, rows: Sequence[Subscription] | int) -> None:
        """Take the rows, or the number to make."""
        self.rows = [make_row(n) for n in range(rows)] if isinstance(rows, int) else list(rows)
        self.replaced: set[str] = set()
        self.fault: Exception | None = None
        self.prunes: list[list[str]] = []
        self.columns: dict[str, dict[str, Any]] = {}  # by id: the app's own columns

    def where(self, conditions: Mapping[str, Sequence[Any]]) -> FakeSubscriptions:
        """See the port."""

        def has(row: Subscription) -> bool:
            columns = self.columns.get(row.id, {})
            return all(columns.get(name) in values for name, values in conditions.items())

        return FakeSubscriptions([row for row in self.rows if has(row)])

    async def of_user(self, user_id: str) -> list[Subscription]:
        """See the port."""
        return [row for row in self.rows if row.user_id == user_id]

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """See the port."""
        return [row for row in self.rows if row.id in ids]

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        wanted = [row for row in self.rows if user_ids is None or row.user_id in user_ids]
        return [row for row in sorted(wanted, key=lambda row: row.id) if after is None or row.id > after][:limit]

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return (await self.page(None, len(self.rows), user_ids))[-limit:]

    async def count(self) -> int:
        """See the port."""
        return len(self.rows)

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        self.prunes.append([row.id for row in subscriptions])
        gone = {row.id for row in subscriptions} - self.replaced
        self.rows = [row for row in self.rows if row.id not in gone]
        return len(gone)


class FakeSender:
    """Ends each delivery as scripted for the subscription's id, the last entry for ever; by default it is sent."""

    def __init__(
        self, script: Mapping[int, End | Sequence[End]] | None = None, *, proven: bool = False, learns: bool = False
    ) -> None:
        """Take the script by the row's number; all origins are `proven`, or with `learns` those that took a push."""
        self._learns = learns
        self._script = {
            f"{number:06}": deque(ends if isinstance(ends, (list, tuple)) else [ends])
            for number, ends in (script or {}).items()
        }
        self.proven = proven
        self.taken_at = 0.0
        self.tried: list[str] = []
        self.taken: list[str] = []
        self.took: set[str | None] = set()
        self.ttls: list[int] = []

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """See the port."""
        assert message.body
        self.tried.append(subscription.id)
        self.ttls.append(message.ttl)
        ends = self._script.get(subscription.id, deque([Kind.SENT]))
        end = ends.popleft() if len(ends) > 1 else ends[0]
        if isinstance(end, BaseException):
            raise end
        delivery = end if isinstance(end, Delivery) else Delivery(end, end.value)
        if delivery.kind is Kind.SENT:
            self.taken.append(subscription.id)
            self.took.add(self.origin(subscription))
        return delivery

    def origin(self, subscription: Subscription) -> str | None:
        """See the port."""
        return "/".join(subscription.endpoint.split("/", 3)[:3])

    def is_proven(self, origin: str) -> bool:
        """See the port."""
        return self.proven or (self._learns and origin in self.took)

    def has_taken_since(self, _origin: str, moment: float) -> bool:
        """See the port."""
        return self.taken_at > moment


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        """Start at NOW."""
        self.now = NOW

    def __call__(self) -> float:
        """The time."""
        return self.now


class FakePreferences:
    """The port over the rows of each user; `asked` has the users of each call."""

    def __init__(self, rows: Mapping[str, Sequence[Preference]]) -> None:
        self.rows = dict(rows)
        self.asked: list[list[str]] = []
        self.fault: Exception | None = None

    async def of_users(self, user_ids: Collection[str], type_: str | None) -> Mapping[str, Sequence[Preference]]:
        """See the port."""
        self.asked.append(sorted(user_ids))
        if self.fault is not None:
            raise self.fault
        return {user_id: self.rows[user_id] for user_id in user_ids if user_id in self.rows}


def make_dependencies(
    subscriptions: FakeSubscriptions,
    sender: FakeSender,
    clock: Clock | None = None,
    preferences: FakePreferences | None = None,
) -> PushDependencies:
    """Dependencies over fakes; random numbers are always the middle."""
    clock = clock or Clock()
    reach = None if preferences is None else Reach(preferences, clock, lambda: 0.5)
    return PushDependencies(
        subscriptions, sender, Origins(SLOTS, clock), PayloadStyle(), reach=reach, clock=clock, chance=lambda: 0.5
    )
