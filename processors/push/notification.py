"""The notification that a device shows, as the app gives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, PrivateAttr, field_validator, model_validator

from processors.lenient import BOOLEAN, DIGITS, INTEGER, STRING, Flag, Text, Whole, one_of, tolerated
from processors.links import web_only
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

# Declarative Web Push's mark: the number of the RFC of web push.
MAGIC = 8030
# WebKit reads a number as a C int, and refuses the message otherwise.
MAX_BADGE = 2**31 - 1


# A number that an app's icon shows.
Badge = Annotated[
    int, Field(ge=0, le=MAX_BADGE), one_of({**INTEGER, "minimum": 0, "maximum": MAX_BADGE}, DIGITS, tolerated(BOOLEAN))
]


class Action(Model):
    """A button on the notification."""

    action: Text
    title: Text
    icon: str | None = None


class Shown(Model):
    """What a notification has. The fields below are checked, others pass through."""

    model_config = ConfigDict(extra="allow")

    title: Text
    body: Text | None = Field(None, description="shortened if the whole is too long")
    url: str | None = Field(None, description="http, https or relative")
    navigate: str | None = Field(None, description="what Declarative Web Push calls url")
    icon: str | None = None
    badge: str | Whole | None = Field(
        None, description="an image; a number sets the app's badge if there is no app_badge"
    )
    image: str | None = None
    tag: Text | None = None
    actions: list[Action] | None = None
    data: Any = None
    silent: Flag | None = None
    require_interaction: Flag | None = None
    # Of Declarative Web Push, beside the notification.
    mutable: Flag | None = Field(None, description="Declarative Web Push: also wake the service worker")
    app_badge: Annotated[Badge | None, Field(alias="app_badge")] = Field(
        None, description="Declarative Web Push: 0 to 2,147,483,647"
    )

    @field_validator("url", "navigate")
    @classmethod
    def _web_only(cls, url: str | None) -> str | None:
        return web_only(url)


class _Declared(Model):
    """A message in the shape of Declarative Web Push."""

    notification: Shown


class Notification(Shown):
    """What the app's service worker receives. Fields of other names are passed on unchanged.

    The app gives an object, or its JSON text, also in the shape of Declarative Web Push (`is_declarative`).
    """

    _given: Any = PrivateAttr(default=None)
    _is_declarative: bool = PrivateAttr(default=False)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        given = _parsed(value) if isinstance(value, str) else value
        is_declarative = isinstance(given, dict) and given.get("web_push") == MAGIC
        if is_declarative:
            _Declared.model_validate(given)
        notification = handler(given["notification"] if is_declarative else given)
        if notification is not value:
            notification._given, notification._is_declarative = given, is_declarative  # noqa: SLF001 -- its own class
        return notification

    @property
    def given(self) -> Any:
        """The object as the app gave it."""
        return self._given

    @property
    def is_declarative(self) -> bool:
        """Whether the app gave it in the shape of Declarative Web Push."""
        return self._is_declarative


def merged(given: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """The object that an app gave, in either shape, with other fields in place of its own."""
    if given.get("web_push") == MAGIC:
        return {**given, "notification": {**given["notification"], **fields}}
    return {**given, **fields}


class _AnyForm:
    """The JSON Schema of a notification in all its forms."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """An object, one in the shape of Declarative Web Push, or text."""
        shown = handler(schema)
        navigating = {"properties": {"navigate": STRING}, "required": ["navigate"]}
        declarative = {
            "title": "DeclarativeNotification",
            "description": "The shape of Declarative Web Push. It is sent unchanged.",
            "type": "object",
            "properties": {
                "web_push": {"const": MAGIC},
                # Without `navigate` it is sent, too. Browsers then hand it over to the service worker.
                "notification": {"anyOf": [{"allOf": [shown, navigating]}, tolerated(shown)]},
                "mutable": {"anyOf": [BOOLEAN, tolerated({})]},
                "app_badge": {"anyOf": [INTEGER, DIGITS, tolerated({})]},
            },
            "required": ["web_push", "notification"],
            "additionalProperties": True,
        }
        text = {"type": "string", "contentMediaType": "application/json", "description": "the JSON text of either"}
        return {"anyOf": [shown, declarative, text]}


# As a job has it.
Given = Annotated[Notification, _AnyForm()]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        msg = "is a text that is no JSON; give the notification as an object, or as JSON.stringify makes it"
        raise ValueError(msg) from None


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity, which Python reads and JSON has not."""
    raise ValueError(constant)
