"""What is asked of the outbox's table, as statements, and what a row of an answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    null,
    select,
    update,
)

from storage.cells import as_moment, as_text, moment
from storage.errors import SchemaError
from storage.moment import now_for
from storage.ports import OutboxRow
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.sql.dml import Update

    from storage.database import Database

ROUND = 500  # rows
ROUND_BYTES = 4 * 2**20  # of payloads in a round
MAX_PAYLOAD = 512 * 1024  # bytes
MAX_TEXT = 200  # characters of a topic, an aggregate's type and its id
MAX_ERROR = 500  # characters
SHOWN = 20  # rows of a list
AT, IDS = "pushmill_at", "pushmill_ids"  # parameters, whose names must be those of no column


class OutboxRows:
    """The table, and statements about it."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.OUTBOX`. Raises SchemaError if its ids are no numbers."""
        self._database = database
        found = database.found(AppTable.OUTBOX)
        self.table, self.columns = found.table, found.columns
        self.id = self.columns["id"]
        if not isinstance(self.id.type, Integer):
            msg = (
                f'DATABASE_URL: table "{self.table.name}" needs numbers as ids: they are the order in which rows are '
                "published; write `id BigInt @id @default(autoincrement())` in the app's Prisma schema"
            )
            raise SchemaError(msg)
        self.is_open = self.columns["published_at"].is_(None) & self.columns["error"].is_(None)
        self.is_bad = self.columns["published_at"].is_(None) & self.columns["error"].is_not(None)

    def next(self, condition: ColumnElement[bool]) -> Select[Any]:
        """The rows of a round, as many as fit into memory. The last cell of each is how many there are up to ROUND.

        In one statement, since each is a round trip. Without the `condition` there are none.
        """
        payload = func.coalesce(cast(self.columns["payload"], Text()), "null")
        where, size = self.is_open & condition, self._bytes_of(payload).label("size")
        first = select(self.id.label("id"), size).where(where).order_by(self.id).limit(ROUND).subquery("first")
        counted = case((first.c.size < MAX_PAYLOAD, first.c.size), else_=MAX_PAYLOAD)
        total = func.sum(counted).over(order_by=first.c.id).label("total")
        sized = select(first, total, func.count().over().label("found")).subquery("sized")
        kept = case((sized.c.size <= MAX_PAYLOAD, payload), else_=null())
        rows = select(*self.cells(), kept, sized.c.found).join(sized, sized.c.id == self.id)
        return rows.where(sized.c.total <= ROUND_BYTES).order_by(self.id)

    def published(self, rows: ColumnElement[bool]) -> Update:
        """Mark rows as published, now. On Postgres the parameter AT has the time."""
        column, now = self.columns["published_at"], self.now()
        if not self._database.is_sqlite:
            now = bindparam(AT, now, type_=column.type)
        return update(self.table).where(rows).values({column.name: now})

    def bad(self, reason: str, rows: ColumnElement[bool]) -> Update:
        """Mark rows as bad."""
        error = reason[:MAX_ERROR].replace("\0", "")
        return update(self.table).where(rows).values({self.columns["error"].name: error})

    def among(self, ids: Sequence[int]) -> ColumnElement[bool]:
        """The rows with these ids. On Postgres the parameter IDS has them, as `listed`."""
        if self._database.is_sqlite:
            return self.id.in_(ids)
        return self.id == any_(cast(bindparam(IDS, listed(ids), type_=Text()), ARRAY(BigInteger())))

    def now(self) -> Any:
        """The time of a mark."""
        return now_for(self._database, self.table, self.columns["published_at"].name)

    def shown(self) -> Select[Any]:
        """Rows of a list, without their payloads."""
        more = [self.moment("published_at"), as_text(self.columns["error"], MAX_ERROR)]
        return select(*self.cells(), null(), *more).limit(SHOWN)

    def cells(self) -> list[ColumnElement[Any]]:
        """What a row begins with."""
        texts = [as_text(self.columns[name], MAX_TEXT + 1) for name in ("topic", "aggregate_type", "aggregate_id")]
        return [self.id, *texts, self.moment("created_at")]

    def moment(self, name: str) -> ColumnElement[Any]:
        """A date."""
        return as_moment(self.columns[name], in_sqlite=self._database.is_sqlite)

    def _bytes_of(self, payload: ColumnElement[Any]) -> ColumnElement[int]:
        if self._database.is_sqlite:
            return func.length(cast(payload, LargeBinary()))
        return func.octet_length(payload)


def listed(ids: Sequence[int]) -> str:
    """One text: the driver takes a millisecond for 500 parameters, and half of it for a list of them."""
    return "{" + ",".join(map(str, ids)) + "}"


def row(cells: Sequence[Any]) -> OutboxRow:
    """Never raises: what is missing is empty."""
    row_id, topic, kind, of, created, payload, *ends = cells
    published, error = ends or (None, None)
    at = moment(created) or 0.0
    return OutboxRow(row_id, topic or "", kind or "", of or "", payload, at, moment(published), error)
