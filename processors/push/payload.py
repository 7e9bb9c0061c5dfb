"""What the push jobs carry, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from processors.collapse import template_checked
from processors.lenient import Flag, Id, OrNull, tolerated, without_nulls
from processors.locales import PATTERN, check_locales
from processors.push.backoff import MAX_ATTEMPTS
from processors.push.notification import Given, Notification, merged
from processors.push.options import BESIDE, BatchOptions, Options
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLLOW_UP = "push-follow-up"  # the job of that name
MAX_USERS = 100_000
MAX_FOLLOW_UP = 1000  # subscriptions of one follow-up job


def _without_extra(schema: dict[str, Any]) -> None:
    """Other fields are taken only to be named in the result: the JSON Schema does not ask for them."""
    del schema["additionalProperties"]


# The notification for each locale.
Payloads = Annotated[
    Mapping[str, Given],
    AfterValidator(check_locales),
    Field(json_schema_extra={"propertyNames": {"pattern": PATTERN}}),
]


class Push(Model):
    """A notification, and how it is to be sent.

    The options are in `options`; those that the `web-push` package has may stand beside `payload`. Other fields have no
    effect, and the result names them.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_without_extra)

    payload: Given = Field(description="a text is the JSON of one")
    payloads: Payloads | None = Field(
        None, description="texts by locale, as of de or pt-BR; payload is for all other people"
    )
    options: Annotated[BatchOptions, OrNull()] = BatchOptions()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        value = without_nulls(value)
        beside = BESIDE & value.keys() if isinstance(value, dict) else set()
        if not beside:
            return value
        if value.get("options", {}) != {}:
            msg = f"{', '.join(sorted(beside))}: put it into options, with the others"
            raise ValueError(msg)
        options = {name: value.pop(name) for name in beside}
        return {**value, "options": options}

    @property
    def content(self) -> dict[str, Any]:
        """What the app wants to be shown, as it gave it."""
        locales = {name: each.given for name, each in (self.payloads or {}).items()}
        return {"payload": self.payload.given, **({"payloads": locales} if locales else {})}

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of fields that have no effect, 20 at most."""
        return tuple(name[:50] for name in islice(self.model_extra or (), 20))

    def wait(self, now: float) -> float:
        """Seconds until the message may be sent: 0 if it has no `notBefore`, or it is past."""
        return 0.0 if self.options.not_before is None else max(0.0, self.options.not_before - now)

    def deadline(self, now: float) -> float:
        """Until when the message is sent, if the first run is now; in seconds since the epoch.

        A `ttl` of 0 sets no end: a device may be online when its turn comes.
        """
        end = now + self.options.ttl if self.options.ttl else math.inf
        return end if self.options.expires_at is None else min(end, self.options.expires_at)


class PushPayload(Push):
    """`push-notification`: one notification for all devices of a user. `userId` may be a number."""

    model_config = ConfigDict(title="PushNotification")

    user_id: Id
    options: Annotated[Options, OrNull()] = Options()

    @model_validator(mode="after")
    def _check_template(self) -> Self:
        if self.options.collapse is not None:
            with template_checked("notification"):
                Notification.model_validate(self.collapsed_content(2)["payload"])
        return self

    @property
    def event(self) -> dict[str, Any]:
        """What a later job needs to send this message, as the app gave it."""
        collapse = {} if self.options.collapse is None else {"collapse": dict(self.options.collapse)}
        return {**self.content, "options": {**_options_data(self.options, self.options.expires_at), **collapse}}

    def collapsed_content(self, count: int) -> dict[str, Any]:
        """The content of this event, if it is the newest of so many, as one message for all of them."""
        content = self.content
        if count == 1 or self.options.collapse is None:
            return content
        fields = self.options.collapse.fields(count, "body")
        locales = {name: merged(each, fields) for name, each in content.get("payloads", {}).items()}
        return {"payload": merged(content["payload"], fields), **({"payloads": locales} if locales else {})}


class CollapsedPush(PushPayload):
    """What one job sends for several. `since` is as a follow-up's."""

    since: float | None = None


# A list of a wrong kind is one fault, not 100,000 of them.
UserIds = Annotated[list[Id], Field(min_length=1, max_length=MAX_USERS, fail_fast=True)]


def _either_required(schema: dict[str, Any]) -> None:
    _without_extra(schema)
    schema["properties"]["all"] = {"anyOf": [{"const": True}, tolerated(schema["properties"]["all"])]}
    schema["anyOf"] = [{"required": ["userIds"]}, {"required": ["all"]}]


class BatchPayload(Push):
    """`push-batch`: one notification for many users, or for all of them.

    Ids may be numbers; one that is given twice counts once.
    """

    model_config = ConfigDict(title="PushBatch", json_schema_extra=_either_required)

    user_ids: UserIds | None = None
    everyone: Annotated[Flag, OrNull()] = Field(default=False, alias="all")

    @field_validator("user_ids")
    @classmethod
    def _once(cls, user_ids: list[str] | None) -> list[str] | None:
        return None if user_ids is None else list(dict.fromkeys(user_ids))

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.everyone == (self.user_ids is not None):
            msg = "give either userIds or all: true"
            raise ValueError(msg)
        return self


class FollowUpPayload(Push):
    """`push-follow-up`: the subscriptions of the job `followUpOf` that are to be sent to once more.

    `added_by` is the job that has added this one: the same one, or a follow-up before it. `since` is when the app added
    its job, in seconds since the epoch, if the message can be cancelled.
    """

    subscription_ids: list[str] = Field(min_length=1, max_length=MAX_FOLLOW_UP)
    attempt: int = Field(ge=1, le=MAX_ATTEMPTS)
    follow_up_of: str
    added_by: str | None = None
    since: float | None = None


def follow_up_data(
    push: Push, ids: Sequence[str], *, attempt: int, of: str, by: str, deadline: float
) -> dict[str, Any]:
    """A FollowUpPayload on the wire: `push` as the app gave it, not to be sent after `deadline` (epoch seconds).

    Attempt number `attempt` (1 to 5) of the job `of`, for the subscriptions `ids` (1 to 1,000), added by the job `by`.
    """
    # The ids say who gets it, so the secret endpoint of who does not is left out.
    options = _options_data(push.options.model_copy(update={"exclude_endpoint": None}), deadline)
    return {
        "subscriptionIds": list(ids),
        **push.content,
        "options": options,
        "attempt": attempt,
        "followUpOf": of,
        "addedBy": by,
    }


def _options_data(options: BatchOptions, expires_at: float | None) -> dict[str, Any]:
    """Options on the wire, to be sent from now until `expires_at` (epoch seconds), and not to be collapsed."""
    data = options.model_dump(
        mode="json", by_alias=True, exclude={"not_before", "expires_at", "collapse"}, exclude_defaults=True
    )
    return data if expires_at is None else {**data, "expiresAt": round(expires_at * 1000)}
