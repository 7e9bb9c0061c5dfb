"""The app's tables as SQLModel models: the columns that the worker knows, and which of them are required.

A field without a default is required. Its alias is the column's name, unless a setting gives another one. Prisma owns
the tables, so a model becomes a SQLModel table only at start, with the columns and types that the database has
(`tables.py`).
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- pydantic reads it
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

Id = str | int | UUID


class PushSubscription(SQLModel):
    """One device on which a user receives pushes. `Layout` reads a row into a `storage.ports.Subscription`.

    `keys` is JSON with `p256dh` and `auth`. `subscription` is the JSON of the browser's `toJSON()`. `active` (boolean),
    `disabled` (boolean) or `disabled_at` (date) says whether the row is on.
    """

    id: Id
    user_id: Id = Field(alias="userId")
    endpoint: str
    p256dh: str | bytes
    auth: str | bytes
    expiration_time: datetime | int | str | None = Field(None, alias="expirationTime")
    keys: dict[str, Any] | None = None
    subscription: dict[str, Any] | None = None
    active: bool | None = None
    disabled: bool | None = None
    disabled_at: datetime | None = Field(None, alias="disabledAt")
    updated_at: datetime | None = Field(None, alias="updatedAt")
    locale: str | None = None


class File(SQLModel):
    """An upload and its results. Further optional columns are written by name."""

    id: Id
    compressed_url: str | None = Field(alias="compressedUrl")
    thumbnail_url: str | None = Field(alias="thumbnailUrl")
    processed: bool
    user_id: Id | None = Field(None, alias="userId")
    updated_at: datetime | None = Field(None, alias="updatedAt")


class Notification(SQLModel):
    """What a user is told in the app, and when it was read.

    The database gives an `id` that is a number itself. Such a table has `job_key`, which the worker makes of the job
    and the user, as it makes other ids. `json_` is the column `metadata`, a name that SQLModel takes for itself.
    """

    id: Id
    user_id: Id = Field(alias="userId")
    title: str
    body: str
    read_at: datetime | None = Field(alias="readAt")
    type: str | None = None
    url: str | None = None
    json_: dict[str, Any] | None = Field(None, alias="metadata")
    dedupe_key: str | None = Field(None, alias="dedupeKey")
    job_key: str | None = Field(None, alias="jobKey")
    created_at: datetime | None = Field(None, alias="createdAt")
    updated_at: datetime | None = Field(None, alias="updatedAt")


class User(SQLModel):
    """A user's row. Settings name the columns for the e-mail address and the locale."""

    id: Id


class Avatar(SQLModel):
    """A user's row with a column for the avatar's URL."""

    id: Id
    updated_at: datetime | None = Field(None, alias="updatedAt")


class EmailSuppression(SQLModel):
    """An address that is not written to: the `id` of its row is the address itself, in lower case."""

    id: str = Field(alias="address")
    reason: str | None = None
    created_at: datetime | None = Field(None, alias="createdAt")
    expires_at: datetime | None = Field(None, alias="expiresAt")


class NotificationPreference(SQLModel):
    """What a user wants of some messages. Without a `type` or a `channel` the row is for all of them."""

    user_id: Id = Field(alias="userId")
    id: Id | None = None
    channel: str | None = None
    type: str | None = None
    enabled: bool | None = None
    quiet_from: str | int | None = Field(None, alias="quietFrom")
    quiet_to: str | int | None = Field(None, alias="quietTo")
    time_zone: str | None = Field(None, alias="timeZone")


class Outbox(SQLModel):
    """An event of the app, or a job that it adds, written in the transaction that it belongs to."""

    id: int
    topic: str
    aggregate_type: str = Field(alias="aggregateType")
    aggregate_id: Id = Field(alias="aggregateId")
    payload: dict[str, Any]
    created_at: datetime = Field(alias="createdAt")
    published_at: datetime | None = Field(alias="publishedAt")
    error: str | None


class Dated(SQLModel):
    """A row that is deleted some time after `at`, whose column a setting names."""

    at: datetime
