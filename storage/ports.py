"""The ports of storage that processors use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection
    from contextlib import AbstractAsyncContextManager

Scalar = str | int | float | bool | None


@dataclass(
    frozen=True, slots=True
)  # no model: a fan-out may read a million rows, and the app's own data needs no validation
class Subscription:
    """One device on which a user receives pushes: a row of the app's `PushSubscription` table.

    `endpoint` is a secret URL (anyone who knows it can push): never log it. `p256dh` and `auth` are base64url. All
    three are empty if the row lacks them. `expires_at` is the browser's `expirationTime`, in seconds since the epoch.
    `stored` has the values of the row's columns, to find out later whether the row has changed. `locale` is what the
    app's column has, or empty.
    """

    id: str
    user_id: str
    endpoint: str
    p256dh: str
    auth: str
    expires_at: float | None = None
    stored: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    locale: str = ""


class Subscriptions(Protocol):
    """The app's push subscriptions that are on. An id that the database can't hold counts as missing."""

    async def of_user(self, user_id: str) -> list[Subscription]:
        """All subscriptions of a user, by id; an unknown user has none."""

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """The subscriptions with these ids (at most 1,000), by id. Missing ids are left out."""

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The next `limit` subscriptions by id after the id `after` (None: from the first).

        Only those of `user_ids` (at most 1,000), or of all users (None).
        """

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The last `limit` subscriptions by id, in ascending order. `user_ids`: as in `page`."""

    async def count(self) -> int:
        """The number of subscriptions of all users."""

    def where(self, conditions: Mapping[str, Sequence[Scalar]]) -> Subscriptions:
        """Those of these subscriptions whose columns have one of these values: name -> values; None is NULL.

        This, or the first call, raises ConditionRefusedError for a column that PUSH_WHERE_COLUMNS does not have, and
        for values that the column can't have.
        """

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """Delete the rows that have not changed since they were read (a new subscription in between survives).

        If the app has a switch, the rows are switched off instead. Returns the number of rows.
        """


class UserTexts(Protocol):
    """A text of each of the app's users: the locale, or the e-mail address."""

    async def of_users(self, user_ids: Collection[str]) -> dict[str, str]:
        """User -> text, of those of the users (at most 500) that have one."""


class Files(Protocol):
    """The app's uploaded files."""

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """Raise RowNotFoundError if there is no such row, NotOwnerError if its `userId` is another user's.

        Without that column, or if it is NULL, the row belongs to any user.
        """

    async def mark_processing(self, file_id: str) -> None:
        """Clear an earlier failure from the row and set its `status`, if it has the columns."""

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """Set `processed`, and those of `values` (column name -> value) whose column exists.

        A row that has these values already is not changed. Raises RowNotFoundError.
        """

    async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
        """Write into the row that its job failed for good, if it has the columns `error`, `failedAt`, `status`.

        A row that is missing or another user's (see `check_owner`) is left alone.
        """


class Avatars(Protocol):
    """The users' avatars in the app's database."""

    async def update(self, user_id: str, url: str) -> None:
        """Set the user's avatar, if the app has a column for it. Raises RowNotFoundError."""


class Suppressions(Protocol):
    """The app's addresses that are not written to. All addresses are in lower case."""

    async def among(self, addresses: Sequence[str]) -> set[str]:
        """Those of the addresses that are not to be written to now."""

    async def add(self, address: str, reason: str) -> None:
        """Record that an address has bounced for good. A row that the address has already is renewed."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notification says. `metadata` is JSON."""

    title: str = field(repr=False)
    body: str = field(repr=False)
    type: str
    url: str | None = field(default=None, repr=False)
    metadata: Any = field(default=None, repr=False)
    dedupe_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """Which users have a row: `rows` has its id for each of them.

    `unknown` are those that the database does not know. The others have an unread row with the same `dedupe_key`.
    """

    rows: Mapping[str, str]
    unknown: frozenset[str] = frozenset()


class Notifications(Protocol):
    """What the app tells its users, in its database."""

    async def add(self, notice: Notice, keys: Mapping[str, str]) -> Told:
        """Add a row for each user, unless there is one with its key already: user id -> key, a UUID.

        A user who has an unread row with the same `dedupe_key` gets none. At most 50 users. Texts are cut to the length
        of their columns. Raises SchemaError for a `dedupe_key` or a `type` that the table can't have.
        """

    async def unread(self, user_ids: Sequence[str]) -> dict[str, int]:
        """How many unread rows each of these users (at most 50) has."""


@dataclass(frozen=True, slots=True)
class Preference:
    """What a user wants of some messages: a row of the app's PREFERENCE_TABLE. What it lacks is empty or None.

    `channel` and `type` say which messages. `quiet_from` and `quiet_to` are times of day in the time zone `time_zone`.
    Texts are as the app has them.
    """

    channel: str = ""
    type: str = ""
    enabled: bool | None = None
    quiet_from: str = ""
    quiet_to: str = ""
    time_zone: str = ""


class Preferences(Protocol):
    """What the app's users want to receive, and when."""

    async def of_users(self, user_ids: Collection[str], type_: str | None) -> Mapping[str, Sequence[Preference]]:
        """The rows of each of these users that are for all types of messages, or for this one.

        A user without any may be missing.
        """


@dataclass(slots=True)  # a frozen one takes 0.7 us more, and a round has 500
class OutboxRow:
    """A row of the app's OUTBOX_TABLE. `payload` is JSON's text; None if it has more than 512 KiB.

    Texts are cut to 201 characters, one more than they may have. Times are in seconds since the epoch; `created_at` is
    0.0 if the row does not say. `error` says why it can't be published.
    """

    id: int
    topic: str
    aggregate_type: str
    aggregate_id: str
    payload: str | None = field(repr=False)
    created_at: float = 0.0
    published_at: float | None = None
    error: str | None = None


@dataclass(slots=True)
class Round:
    """Rows to publish, in the order of their ids. `is_last`: there are no more. `bad`: id -> why it can't be."""

    rows: Sequence[OutboxRow]
    is_last: bool
    bad: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is in an outbox: how many rows are `unpublished` (10,000 at most), and how many are `bad`.

    `oldest` is when the first unpublished row was written, in seconds since the epoch. `last` are the last rows, and
    `bad_rows` the first bad ones, all without their payloads.
    """

    unpublished: int
    bad: int
    oldest: float | None
    last: Sequence[OutboxRow]
    bad_rows: Sequence[OutboxRow]


class Outbox(Protocol):
    """The app's outbox. Every call may raise StorageAwayError and StatementRefusedError."""

    def round(self) -> AbstractAsyncContextManager[Round | None]:
        """The next rows to publish; None while another process publishes.

        When the block ends they are marked: as published, or as bad with the reason that the block has noted. An error
        in the block leaves them as they are.
        """

    async def backlog(self) -> Backlog:
        """What is in it."""

    async def clear(self, age: float) -> int:
        """Delete up to 1,000 rows that were published more than `age` seconds ago. Returns how many."""

    async def replay(self, ids: Sequence[int]) -> int:
        """Have these rows, or all bad ones if none is named, published again. Returns how many there are."""

    async def skip(self, ids: Sequence[int]) -> int:
        """Mark these rows as published without publishing them. Returns how many there are."""

    def heard(self, channel: str) -> AsyncGenerator[None]:
        """Each time that Postgres notifies this channel, once it listens. It keeps a connection of its own."""


@dataclass(frozen=True, slots=True)
class SearchRow:
    """A row of a view `search_<entity>`.

    `document` is a JSON object in one line. It is None for a row that is marked as deleted, and for a document that is
    too large to be read. `size` is its length in bytes. `version` grows with each change of the row, if it has one.
    """

    id: str
    document: str | None = field(repr=False)
    version: int | None = None
    size: int = 0
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """When rows were changed: from `start` on, and before `end`, in seconds since the epoch."""

    start: float | None = None
    end: float | None = None


class SearchRows(Protocol):
    """The rows that are to be found by search. An id that the database can't hold counts as gone.

    Every call raises SchemaError, whose message names what is missing, if there is no fit view for the entity.
    """

    async def with_ids(self, entity: str, ids: Sequence[str]) -> dict[str, SearchRow]:
        """The rows with these ids (at most 500); those that are gone are left out."""

    async def page(self, entity: str, after: str | None, limit: int, span: Span) -> list[SearchRow]:
        """The next rows by id: at most `limit`, and as many as fit into memory together; none at the end."""

    async def count(self, entity: str, span: Span) -> tuple[int, int] | None:
        """How many rows there are, and how many of them are not marked as deleted; None if Postgres takes over 20 s.

        The columns of the view are read anew; else they are remembered for a minute.
        """


ExportKind = Literal["text", "integer", "number", "decimal", "boolean", "date", "timestamp", "timestamptz", "json"]


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column of an export. A cell is NULL, or a text as its kind says.

    - text: anything; bytes are base64. json: a JSON value, also of arrays.
    - integer: digits with a sign. decimal: all digits of the database, or NaN. number: as short as a float can be told
      from all others, or NaN; both may be Infinity or -Infinity.
    - boolean: true or false.
    - date: `2026-11-30`. timestamp, timestamptz: `2026-11-30T12:00:00Z` with up to six digits of a second, in UTC, as
      which the app keeps times without a zone. All three may be infinity, -infinity, or a date that ends with BC or
      has a year of more than four digits, as Postgres writes them.

    A database without types (SQLite) may have any other text in a cell of any kind.
    """

    name: str
    kind: ExportKind


ExportForm = Literal["csv", "json", "copy"]
ExportFilter = Scalar | Sequence[Scalar] | Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is wanted of a view `export_<name>`; without a name, of the only one there is.

    `filters` have for a column a value, several of which one fits, or bounds: `gte`, `gt`, `lte`, `lt` -> value.
    `seconds`: how long reading may take.
    """

    name: str | None
    user_id: str | None
    columns: Sequence[str] | None
    filters: Mapping[str, ExportFilter]
    seconds: float


class Export(Protocol):
    """A view that is being read, in one transaction."""

    @property
    def name(self) -> str:
        """The view's, without `export_`."""

    @property
    def columns(self) -> Sequence[ExportColumn]:
        """Those that were asked for."""

    @property
    def expected(self) -> int:
        """About how many rows there are."""

    def batches(self, form: ExportForm, *, escape_formulas: bool = False) -> AsyncGenerator[Sequence[bytes]]:
        """The rows, each as a line, many of them at a time, and at least one.

        `csv`: as in RFC 4180, and NULL is empty where the empty text has quotes; with `escape_formulas` a text that a
        spreadsheet may take for a formula begins with an apostrophe. `json`: an object, without a line break. `copy`:
        the text format of Postgres's COPY, which ends with LF.

        Raises StorageAwayError, and StatementRefusedError, also if reading takes longer than the request allows.
        """


class Exports(Protocol):
    """The views that may be exported."""

    def open(self, request: ExportRequest) -> AbstractAsyncContextManager[Export]:
        """Begin to read. If the view has a column of the user's id, only the user's own rows are read.

        Raises SchemaError if there is no such view, or no single one without a name; ConditionRefusedError for columns,
        filters and users that the view can't have; StorageAwayError, StatementRefusedError.
        """


class OldRows(Protocol):
    """The rows of one table whose time was more than `age` seconds ago.

    Every call may raise StorageAwayError, and StatementRefusedError, also for a statement that takes more than 20 s.
    """

    async def count(self, age: float, most: int) -> int:
        """How many there are, `most` at most."""

    async def first(self, age: float, limit: int) -> list[str]:
        """The times of the oldest ones, as the database writes them."""

    async def delete(self, age: float, limit: int) -> int:
        """Delete the oldest ones that no other transaction holds. Returns how many."""


class CacheViews(Protocol):
    """The views `cache_<name>`, which the app's migrations make."""

    async def read(self, name: str, most: int) -> str | None:
        """The rows as a JSON array, in the view's order; None if that has more than `most` bytes.

        Raises SchemaError if there is no such view, StorageAwayError, and StatementRefusedError, also for one that
        takes more than 20 s.
        """
