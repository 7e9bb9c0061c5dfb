"""What a notification in the app carries, and what comes back."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from processors.collapse import Collapse, template_checked
from processors.lenient import NUMBER, STRING, Id, Key, OrNull, Text, one_of, without_nulls
from processors.links import web_only
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_USERS = 10_000
MAX_METADATA = 64 * 1024  # characters of JSON
OF_ONE_USER = ("email", "collapse")  # what makes no sense for several
FIELDS = ("title", "body", "url", "metadata")  # what a collapse template may replace of the newest event
TEXTS = ("title", "body", "type", "url", "metadata", "dedupeKey", "dedupe_key")


class Channel(enum.StrEnum):
    """A way on which a user is told."""

    IN_APP = "in-app"
    REALTIME = "realtime"
    PUSH = "push"
    EMAIL = "email"


def _storable(value: Any) -> Any:
    """The value without what no database holds: NUL, and the half of an emoji that JavaScript's `slice` leaves."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_storable(each) for each in value]
        case dict():
            return {_storable(name): _storable(each) for name, each in value.items()}
    return value


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if (length := len(json.dumps(metadata, allow_nan=False))) > MAX_METADATA:
        msg = f"has {length:,} characters of JSON, and {MAX_METADATA:,} may be stored"
        raise ValueError(msg)
    return metadata


def _text(least: int, most: int) -> WithJsonSchema:
    return one_of({**STRING, "minLength": least, "maxLength": most}, NUMBER)


Title = Annotated[Text, Field(min_length=1, max_length=1000), _text(1, 1000)]
Body = Annotated[Text, Field(max_length=100_000), _text(0, 100_000)]


def _either_required(schema: dict[str, Any]) -> None:
    never: dict[str, Any] = {key: {"not": {}} for key in OF_ONE_USER}
    schema["anyOf"] = [{"required": ["userId"]}, {"required": ["userIds"], "properties": never}]


class NotificationPayload(Model):
    """`user-notification`: what one user, or each of several, is told."""

    model_config = ConfigDict(title="UserNotification", json_schema_extra=_either_required)

    user_id: Id | None = None
    user_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_USERS, fail_fast=True)] | None = None
    title: Title
    body: Annotated[Body, OrNull()] = ""
    type: Annotated[Key, OrNull()] = Field("info", description="info, success, warning, error, or the app's own word")
    url: Annotated[Text, AfterValidator(web_only)] | None = Field(None, description="http, https or relative")
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] | None = Field(
        None, description="the app's own: stored as it is"
    )
    channels: Annotated[tuple[Channel, ...], Field(min_length=1), OrNull()] = Field(
        (Channel.IN_APP,),
        description="`in-app`: a row and a live message; `realtime`: the live message alone; `push`; `email`",
    )
    dedupe_key: Key | None = Field(
        None, description="a user who has not read a notification with this key is not told again"
    )
    cancel_key: Key | None = Field(
        None, description="cancelling this key takes it back while it waits, and its push and e-mail as well"
    )
    email: Text | None = Field(None, description="where userId gets the e-mail")
    collapse: Collapse | None = Field(None, description="one notification for several events, with its push and e-mail")

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        try:
            return {name: _storable(part) if name in TEXTS else part for name, part in without_nulls(value).items()}
        except RecursionError:
            msg = "is nested too deeply"
            raise ValueError(msg) from None

    @field_validator("user_ids")
    @classmethod
    def _once(cls, user_ids: list[str] | None) -> list[str] | None:
        return None if user_ids is None else list(dict.fromkeys(user_ids))

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.user_id is None) == (self.user_ids is None):
            msg = "give either userId or userIds"
            raise ValueError(msg)
        if self.email is not None and self.user_id is None:
            msg = "email is for one userId; the addresses of userIds come from NOTIFICATION_USER_TABLE"
            raise ValueError(msg)
        if self.collapse is not None and self.user_id is None:
            msg = "collapse is for one userId; add a job for each of userIds"
            raise ValueError(msg)
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _check_collapse(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        payload = handler(value)
        if payload.collapse is not None and isinstance(value, dict):
            payload.collapse.check_fields(FIELDS)
            with template_checked("notification"):
                handler(summed_up(value, payload.collapse, 2))
        return payload

    @property
    def users(self) -> list[str]:
        """All that are to be told, each once."""
        return self.user_ids if self.user_ids is not None else [self.user_id or ""]


def summed_up(newest: Mapping[str, Any], collapse: Collapse, count: int) -> dict[str, Any]:
    """The data of a notification for so many events, of which the newest has this data."""
    data = {to_camel(name): value for name, value in newest.items()}
    return data if count == 1 else data | collapse.fields(count, "body")


class NotificationResult(Model):
    """What became of a notification."""

    id: str | None = Field(None, description="the row's, for one userId")
    created: int = Field(0, description="rows that this job has added")
    duplicates: int = Field(0, description="users who have an unread notification with the same dedupeKey")
    unknown: int = Field(0, description="users that the database does not know")
    muted: int = Field(0, description="users who do not want it in the app: PREFERENCE_TABLE says so")
    published: int = Field(0, description="users of whom a client heard the live message")
    push: str | None = Field(None, description="id of the job in push-notifications")
    email: str | None = Field(None, description="id of the job in email; with userIds, of the first one")
    emails: int = Field(0, description="jobs in email")
    cancelled: bool = Field(default=False, description="its cancelKey was cancelled before all were told")
    without_address: int = Field(0, description="users who get no e-mail, for want of an address")
    collapsed: int | None = Field(
        None, description="with collapse: for how many events it is; 0: another job tells the user"
    )
