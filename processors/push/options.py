"""How an app wants a push to be sent."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, model_validator

from processors.push.lenient import Moment, OrNull, Text, Whole
from queue_lib.processor import Model

DEFAULT_TTL = 86_400
MAX_TTL = 2_419_200  # four weeks: what the `web-push` npm package asks for at most
# All names of options; the `web-push` npm package says TTL.
NAMES = frozenset({"ttl", "TTL", "urgency", "topic", "notBefore", "not_before", "expiresAt", "expires_at"})


class Urgency(enum.StrEnum):
    """How soon a device should be woken (RFC 8030, section 5.3)."""

    VERY_LOW = "very-low"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def _clamp(ttl: int) -> int:
    return min(max(ttl, 0), MAX_TTL)


def without_nulls(value: Any) -> Any:
    """The object without its nulls: JavaScript writes null for a missing value."""
    return {key: given for key, given in value.items() if given is not None} if isinstance(value, dict) else value


def _describe(schema: dict[str, Any]) -> None:
    """Complete the JSON Schema: `TTL` is `ttl`, and there are no other options."""
    schema["properties"]["TTL"] = schema["properties"]["ttl"]
    schema["additionalProperties"] = False


class Options(Model):
    """How the push services are to treat the message; `ttl` is in seconds and is clamped to 0..2,419,200 (4 weeks).

    With a `ttl` of 0 a device receives the message if it is online, and no push is tried again. A message replaces an
    undelivered one of the same `topic`. `not_before` and `expires_at` are in seconds since the epoch; on the wire, and
    for the constructor, milliseconds or ISO dates. null means the default. An unknown name is refused: it is most
    likely an option misspelt, or one that has no effect here.
    """

    model_config = ConfigDict(json_schema_extra=_describe)

    ttl: Annotated[Whole, AfterValidator(_clamp), OrNull()] = DEFAULT_TTL
    urgency: Annotated[Urgency, OrNull()] = Urgency.NORMAL
    topic: Text | None = None
    not_before: Moment | None = None
    expires_at: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        unknown = sorted(str(name)[:50] for name in value.keys() - NAMES)
        if unknown:
            msg = f"{unknown[:5]} mean nothing here; options are ttl (or TTL), urgency, topic, notBefore and expiresAt"
            raise ValueError(msg)
        given: dict[str, Any] = without_nulls(value)
        if {"ttl", "TTL"} <= given.keys():
            msg = "ttl and TTL are one option; give it once"
            raise ValueError(msg)
        return {"ttl" if name == "TTL" else name: option for name, option in given.items()}
