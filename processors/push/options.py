"""How an app wants a push to be sent."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from processors.collapse import Collapse  # noqa: TC001 -- pydantic reads it
from processors.lenient import Key, Moment, OrNull, Text, Whole, tolerated, without_nulls
from processors.push.where import Where  # noqa: TC001 -- pydantic reads it
from processors.reach.choice import Quiet
from queue_lib.processor import Model

DEFAULT_TTL = 86_400
MAX_TTL = 2_419_200  # four weeks: what the `web-push` npm package asks for at most


class Urgency(enum.StrEnum):
    """How soon a device should be woken (RFC 8030, section 5.3)."""

    VERY_LOW = "very-low"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def _clamp(ttl: int) -> int:
    return min(max(ttl, 0), MAX_TTL)


def _describe(schema: dict[str, Any]) -> None:
    """Complete the JSON Schema: `TTL` is `ttl`, and there are no other options."""
    ttl = {"anyOf": schema["properties"]["ttl"]["anyOf"], "description": "ttl, as the web-push package calls it"}
    schema["properties"]["TTL"] = tolerated(ttl)
    schema["additionalProperties"] = False


class BatchOptions(Model):
    """How the message is to be sent. An unknown name fails the job.

    `ttl` is clamped to 0..2,419,200. With 0, no push is tried again. `not_before` and `expires_at` are in seconds since
    the epoch; on the wire, and for the constructor, milliseconds or ISO dates. null means the default. An unknown name
    is most likely an option misspelt, or one that has no effect here.
    """

    model_config = ConfigDict(title="PushBatchOptions", json_schema_extra=_describe)

    ttl: Annotated[Whole, AfterValidator(_clamp), OrNull()] = Field(
        DEFAULT_TTL, description="seconds, at most 2,419,200 (4 weeks); 0: only if the device is online"
    )
    urgency: Annotated[Urgency, OrNull()] = Urgency.NORMAL
    topic: Text | None = Field(None, description="replaces an undelivered message of the same topic")
    not_before: Moment | None = Field(
        None, description="milliseconds as of Date.now(), or an ISO date with its zone: wait until then"
    )
    expires_at: Moment | None = Field(None, description="the same forms: do not send after this")
    where: Where | None = Field(
        None,
        description="only subscriptions whose columns have these values, or one of a list: of PUSH_WHERE_COLUMNS",
    )
    exclude_endpoint: str | None = Field(
        None, repr=False, description="not to the subscription with this endpoint, such as the sender's own device"
    )
    cancel_key: Key | None = Field(None, description="cancelling this key takes the message back while it is not sent")
    type: Text | None = Field(None, description="what kind of message it is, in the words of the users' preferences")
    quiet: Annotated[Quiet, OrNull()] = Field(
        Quiet.WAIT, description="in the user's quiet hours: wait until they end, or drop it; urgency high passes"
    )

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        aliases = [str(field.alias) for field in cls.model_fields.values()]  # Python's own names are taken, too
        unknown = sorted(str(name)[:50] for name in value.keys() - {"TTL", *aliases, *cls.model_fields})
        if unknown == ["collapse"]:
            msg = "collapse: not in a push-batch; add a push-notification for each user"
            raise ValueError(msg)
        if unknown:
            msg = f"{unknown[:5]} mean nothing here; options are {', '.join(aliases)} (ttl also as TTL)"
            raise ValueError(msg)
        given: dict[str, Any] = without_nulls(value)
        if {"ttl", "TTL"} <= given.keys():
            msg = "ttl and TTL are one option; give it once"
            raise ValueError(msg)
        return {"ttl" if name == "TTL" else name: option for name, option in given.items()}


class Options(BatchOptions):
    """How a message to one user is to be sent."""

    model_config = ConfigDict(title="PushOptions")

    collapse: Collapse | None = Field(None, description="one message for several events")


# What apps may write beside `payload`, as for the `web-push` package. Any other field there is the app's own.
BESIDE = frozenset({"ttl", "TTL", "urgency", "topic", "notBefore", "not_before", "expiresAt", "expires_at"})
