"""Read subscriptions from rows with the columns that the app's table has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, literal, null

from storage.cells import LONGEST_LOCALE, as_cell, as_moment, as_text, key, mapping, moment, text
from storage.identity import has_id
from storage.ports import Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from storage.tables import Found

PLAIN = ("endpoint", "p256dh", "auth")
CELLS = (*PLAIN, "keys", "subscription")


class Layout:
    """The columns to select from a table, and how to read its rows."""

    def __init__(self, found: Found, *, in_sqlite: bool) -> None:
        columns = found.columns
        self.id, self.user_id = columns["id"], columns["user_id"]
        self._cells = {field: as_cell(columns[field]) for field in CELLS if field in columns}
        self._is_plain = tuple(self._cells) == PLAIN
        expires, locale = columns.get("expiration_time"), columns.get("locale")
        self._has_moment = expires is not None
        moment_ = null() if expires is None else as_moment(expires, in_sqlite=in_sqlite)
        if locale is not None:
            self._more = [moment_, as_text(locale, LONGEST_LOCALE)]
        else:
            self._more = [] if expires is None else [moment_]

    def wanted(self) -> list[ColumnElement[Any]]:
        """The columns to select, in the order that `read` expects."""
        return [self.id, self.user_id, *self._cells.values(), *self._more]

    def read(self, row: Sequence[Any]) -> Subscription:
        """The subscription of a row. Never raises: missing values are empty."""
        return self._plain(*row) if self._is_plain else self._with_json(*row)

    def _plain(self, row_id: Any, user_id: Any, endpoint: Any, p256dh: Any, auth: Any, *more: Any) -> Subscription:
        # A fast path: a fan-out may read a million rows.
        return Subscription(
            str(row_id),
            str(user_id),
            text(endpoint),
            key(p256dh),
            key(auth),
            moment(more[0]) if more else None,
            (endpoint, p256dh, auth),
            (more[1] or "") if len(more) > 1 else "",
        )

    def _with_json(self, row_id: Any, user_id: Any, *values: Any) -> Subscription:
        cells = dict(zip(self._cells, values, strict=False))
        expires, locale = (*values[len(cells) :], None, None)[:2]
        whole = mapping(cells.get("subscription"))
        keys = mapping(cells["keys"] if "keys" in cells else whole.get("keys"))
        return Subscription(
            id=str(row_id),
            user_id=str(user_id),
            endpoint=text(_either(cells, whole, "endpoint")),
            p256dh=key(_either(cells, keys, "p256dh")),
            auth=key(_either(cells, keys, "auth")),
            expires_at=moment(expires if self._has_moment else text(whole.get("expirationTime"))),
            stored=tuple(cells.values()),
            locale=locale or "",
        )

    def unchanged(self, subscription: Subscription) -> ColumnElement[bool]:
        """The condition that the row still has the values that were read."""
        pairs = zip(self._cells.values(), subscription.stored, strict=True)
        same = (cell.is_not_distinct_from(literal(value, cell.type)) for cell, value in pairs)
        return and_(has_id(self.id, subscription.id), *same)


def _either(cells: Mapping[str, Any], whole: Mapping[str, Any], name: str) -> Any:
    return cells[name] if name in cells else whole.get(name)
