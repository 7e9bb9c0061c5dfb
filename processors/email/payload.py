"""What the e-mail jobs carry, and what comes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from processors.collapse import Collapse, template_checked
from processors.email import addresses
from processors.email.summary import FIELDS, summed_up
from processors.lenient import NUMBER, STRING, Id, Key, Moment, NullsLeftOut, OrNull, Text, one_of
from processors.reach.choice import Quiet
from processors.storage_key import StorageKey  # noqa: TC001 -- pydantic reads it
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

MAX_RECIPIENTS = 100  # what every server takes in one transaction (RFC 5321, section 4.5.3.1.8)
MAX_CONTENT = 1_000_000  # characters; Gmail shows 102 kB
MAX_LINE = 900  # characters of a value in a header
MAX_HEADERS = MAX_ATTACHMENTS = 20
CONTENTS = ("html", "body", "template")
HEADER_NAME = r"^[Xx]-[A-Za-z0-9-]{1,60}$"
TEMPLATE_NAME = r"^[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60}){0,3}$"
LOCALE = r"^[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8}){0,3}$"
CONTENT_TYPE = r"^[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60}$"
CONTENT_ID = r"^[A-Za-z0-9._%+@-]{1,100}$"
HTTPS = r"^https://[!#-;=?-~]{1,900}$"  # visible ASCII without quotes and angle brackets
EMAIL = {**STRING, "format": "email"}


def _single_line(value: str) -> str:
    if addresses.has_controls(value):
        msg = "has line breaks or other control characters"
        raise ValueError(msg)
    return value


def _joined(value: str) -> str:
    """Line breaks become spaces: titles that users have written are subjects, too."""
    return _single_line(" ".join(value.split()))


def _base_name(value: str) -> str:
    return re.split(r"[/\\]", _single_line(value).strip())[-1]


def _checked_names(headers: Any) -> Any:
    """As a whole: the fault of one would repeat its name, which may be anything."""
    if isinstance(headers, dict) and (
        len(headers) > MAX_HEADERS or not all(re.fullmatch(HEADER_NAME, str(name)) for name in headers)
    ):
        msg = f"at most {MAX_HEADERS}, whose names begin with X-, as in X-Campaign"
        raise ValueError(msg)
    return headers


Line = Annotated[Text, Field(max_length=MAX_LINE), AfterValidator(_single_line)]
IdempotencyKey = Annotated[
    Line, Field(min_length=1, max_length=256), one_of({**STRING, "minLength": 1, "maxLength": 256}, NUMBER)
]
Headers = Annotated[
    dict[str, Line],
    BeforeValidator(_checked_names),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_HEADERS,
            "propertyNames": {"pattern": HEADER_NAME},
            "additionalProperties": {"anyOf": [{**STRING, "maxLength": MAX_LINE}, NUMBER]},
        }
    ),
]
Content = Annotated[Text, Field(max_length=MAX_CONTENT)]


class Mailbox(Model):
    """Somebody's address, and the name beside it."""

    name: Annotated[Text | None, AfterValidator(lambda name: name and addresses.display_name(name))] = None
    address: Annotated[str, AfterValidator(addresses.address), WithJsonSchema(EMAIL)]

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            name, address = addresses.split(value)
            return {"name": name, "address": address}
        if not isinstance(value, dict | Mailbox):
            raise ValueError(addresses.NO_ADDRESS)  # noqa: TRY004 -- pydantic reports ValueErrors
        return value


class _OneOrMany:
    """The JSON Schema of addresses in all their forms."""

    def __init__(self, *, many: bool = True) -> None:
        self._many = many

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A string is one address."""
        inner = handler(schema)
        forms = [EMAIL, inner["items"] if self._many else inner]
        return {"anyOf": [*forms, {**inner, "items": {"anyOf": forms}}] if self._many else forms}


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


OneMailbox = Annotated[Mailbox, _OneOrMany(many=False)]
# Lists, and not tuples: of these pydantic would also say that too few items are left, when one is at fault.
Mailboxes = Annotated[
    list[Mailbox], Field(max_length=MAX_RECIPIENTS, fail_fast=True), BeforeValidator(_listed), _OneOrMany()
]
Recipients = Annotated[
    list[Mailbox],
    Field(min_length=1, max_length=MAX_RECIPIENTS, fail_fast=True),
    BeforeValidator(_listed),
    _OneOrMany(),
]


class Attachment(Model):
    """An object of the store that goes with the mail."""

    path: StorageKey = Field(description="a storage key: no URL, no leading slash")
    filename: Annotated[Text, Field(max_length=200), AfterValidator(_base_name)] | None = Field(
        None, description="default: the last part of path"
    )
    content_type: Annotated[str, Field(pattern=CONTENT_TYPE)] | None = Field(
        None, description="default: what its bytes and its name say"
    )
    cid: Annotated[str, Field(pattern=CONTENT_ID)] | None = Field(
        None, description='an image within the html: <img src="cid:...">'
    )


class EmailPayload(NullsLeftOut):
    """A mail. One string is one address, so that what a user typed never becomes a list; several go into an array."""

    model_config = ConfigDict(title="Email")

    to: Recipients
    subject: Annotated[Text, Field(max_length=MAX_LINE), AfterValidator(_joined)] | None = Field(
        None, description="required, unless the template has one"
    )
    html: Content | None = None
    body: Content | None = Field(None, description="the same as html")
    template: Annotated[str, Field(pattern=TEMPLATE_NAME)] | None = Field(
        None, description="in place of html: the name of a template in EMAIL_TEMPLATES"
    )
    variables: Annotated[dict[str, Any], OrNull()] = Field(
        default_factory=dict, description="what the template shows; plain values, which are escaped"
    )
    locale: Annotated[str, Field(pattern=LOCALE)] | None = Field(
        None, description="of the template: de-AT takes welcome.de-AT.html, welcome.de.html or welcome.html"
    )
    text: Content | None = Field(None, description="default: made from the html, with its links")
    sender: OneMailbox | None = Field(None, alias="from", description="default: MAIL_FROM")
    reply_to: Annotated[Mailboxes, OrNull()] = Field(default_factory=list, description="who gets the answers")
    cc: Annotated[Mailboxes, OrNull()] = Field(default_factory=list)
    bcc: Annotated[Mailboxes, OrNull()] = Field(default_factory=list)
    user_id: Id | None = Field(None, description="whose preferences and quiet hours count")
    type: Line | None = Field(None, description="what kind of mail it is, in the words of the users' preferences")
    quiet: Annotated[Quiet, OrNull()] = Field(
        Quiet.WAIT, description="in quiet hours of userId: wait until they end, or drop it"
    )
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS), OrNull()] = ()
    headers: Annotated[Headers, OrNull()] = Field(
        default_factory=dict, description="further headers, whose names begin with X-"
    )
    unsubscribe_url: Annotated[str, Field(pattern=HTTPS)] | None = Field(
        None, description="https: mailboxes show a button that posts to it (RFC 8058)"
    )
    idempotency_key: IdempotencyKey | None = Field(
        None, description="jobs with the same key send one mail within 24 hours"
    )
    cancel_key: Key | None = Field(None, description="cancelling this key takes the mail back while it is not sent")
    expires_at: Moment | None = Field(
        None, description="milliseconds as of Date.now(), or an ISO date with its zone: do not send after this"
    )
    collapse: Collapse | None = Field(None, description="one mail for several events to the same recipients")

    @field_validator("attachments")
    @classmethod
    def _distinct_ids(cls, attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        ids = [attachment.cid for attachment in attachments if attachment.cid]
        if len(set(ids)) < len(ids):
            msg = "two of them have the same cid"
            raise ValueError(msg)
        return attachments

    @property
    def recipients(self) -> tuple[str, ...]:
        """The address of everybody who gets the mail, each once."""
        return tuple(dict.fromkeys(mailbox.address for mailbox in (*self.to, *self.cc, *self.bcc)))

    @property
    def markup(self) -> str | None:
        """The html that the app gave."""
        return self.body if self.html is None else self.html

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        given = [name for name in CONTENTS if getattr(self, name) is not None]
        if len(given) > 1:
            msg = f"{' and '.join(given)}: give one of them"
            raise ValueError(msg)
        if not given and self.text is None:
            msg = "nothing to say: give html, template or text"
            raise ValueError(msg)
        if self.subject is None and self.template is None:
            msg = "subject: give one"
            raise ValueError(msg)
        if len(self.to) + len(self.cc) + len(self.bcc) > MAX_RECIPIENTS:
            msg = f"more than {MAX_RECIPIENTS} recipients"
            raise ValueError(msg)
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _check_collapse(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        payload = handler(value)
        if payload.collapse is not None and isinstance(value, dict):
            if payload.idempotency_key is not None:
                msg = "collapse and idempotencyKey: give one of them"
                raise ValueError(msg)
            payload.collapse.check_fields(FIELDS)
            with template_checked("mail"):
                handler(summed_up(value, payload.collapse, 2))
        return payload
