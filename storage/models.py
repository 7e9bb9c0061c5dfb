"""The app's tables as SQLModel models: which columns the worker knows, and which of them have to be there.

A field without a default has to be there. Its alias is the column's name, unless a setting gives another one. Prisma
owns the tables, so a model becomes a table of SQLModel's at start only, with the columns that were found and their
types (`tables.py`).
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- pydantic reads it
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

Id = str | int | UUID


class PushSubscription(SQLModel):
    """A device that a user receives pushes on; `storage.ports.Subscription` is what the worker makes of a row.

    `keys` is JSON with `p256dh` and `auth`; `subscription` is JSON as the browser's `toJSON()` gives it. `active` (a
    boolean), `disabled` (a boolean) or `disabled_at` (a date) says whether the row is on.
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


class File(SQLModel):
    """An upload, and what became of it. What else the row may have is written by column names."""

    id: Id
    compressed_url: str | None = Field(alias="compressedUrl")
    thumbnail_url: str | None = Field(alias="thumbnailUrl")
    processed: bool
    user_id: Id | None = Field(None, alias="userId")
    updated_at: datetime | None = Field(None, alias="updatedAt")


class Avatar(SQLModel):
    """A user, whose row has a column for the URL of an avatar."""

    id: Id
    updated_at: datetime | None = Field(None, alias="updatedAt")
