"""The payload of e-mail jobs: what apps write is taken, and what could become another mail is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from processors.email.payload import EmailPayload, Mailbox
from processors.email.result import EmailResult, Rejection
from queue_lib.processor import faults

SCHEMA = Draft202012Validator(EmailPayload.model_json_schema())
MINIMAL: dict[str, Any] = {"to": "ada@example.com", "subject": "Hello", "html": "<p>Hello</p>"}
ADA = Mailbox(name="", address="ada@example.com")


def parse(**fields: Any) -> EmailPayload:
    """A payload with these fields over a correct one."""
    return EmailPayload.model_validate(MINIMAL | fields)


ACCEPTED: dict[str, dict[str, Any]] = {
    "of reference 003": {"to": "a@b.example", "subject": "s", "body": "<p>b</p>"},
    "of reference 001": {
        "to": "a@b.example",
        "subject": "s",
        "template": "welcome",
        "variables": {"name": "Ada", "n": [1]},
        "attachments": [{"filename": "bill.pdf", "path": "bills/1.pdf"}],
    },
    "many": MINIMAL | {"to": ["a@b.example", {"address": "b@b.example"}, {"name": "C", "address": "c@b.example"}]},
    "one object": MINIMAL | {"to": {"name": None, "address": "a@b.example"}},
    "numbers": {"to": "a@b.example", "subject": 5, "text": 7, "userId": 9, "headers": {"X-Order": 12}},
    "nulls": MINIMAL
    | dict.fromkeys({field.alias or "" for field in EmailPayload.model_fields.values()} - MINIMAL.keys()),
    "a subject of the template's": {"to": "a@b.example", "template": "mails/welcome", "locale": "de-AT"},
    "all": MINIMAL
    | {
        "from": "Shop <shop@b.example>",
        "replyTo": "help@b.example",
        "cc": [],
        "bcc": "audit@b.example",
        "text": "Hello",
        "attachments": [{"path": "a/logo.png", "cid": "logo", "contentType": "image/png"}],
        "headers": {"X-PM-Message-Stream": "outbound"},
        "unsubscribeUrl": "https://b.example/u?t=1&x=%20",
        "idempotencyKey": "order-7",
        "expiresAt": "2027-01-15T08:00:00Z",
        "provider": "ses",
    },
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_apps_write_is_taken(data: dict[str, Any]) -> None:
    """It is valid by the schema, too."""
    assert EmailPayload.model_validate(data)
    assert [] == list(map(str, SCHEMA.iter_errors(data)))


def test_the_forms_of_an_address_are_one() -> None:
    """Text, object, and a list of one."""
    forms: list[Any] = ["ada@example.com", ["ada@example.com"], {"address": "ada@example.com", "name": ""}]
    assert [[ADA]] * 3 == [parse(to=form).to for form in forms]


REFUSED: dict[str, dict[str, Any]] = {
    "no recipient": {"to": []},
    "a list in a string": {"to": "a@b.example, c@b.example"},
    "a number for an address": {"to": 5},
    "a list within a list": {"to": [["a@b.example"]]},
    "too many": {"to": ["a@b.example"] * 60, "bcc": ["a@b.example"] * 60},
    "a line break in a name": {"to": {"name": "Ada\r\nBcc: eve@b.example", "address": "a@b.example"}},
    "a line break in a header": {"headers": {"X-A": "b\r\nBcc: eve@b.example"}},
    "a line break in a header's name": {"headers": {"X-A\r\nBcc": "eve@b.example"}},
    "a header of ours": {"headers": {"Bcc": "eve@b.example"}},
    "a list under a strange name": {"headers": {"X-A\r\nBcc": []}},
    "a header with a colon": {"headers": {"X-A:": "b"}},
    "two contents": {"template": "welcome"},
    "no content": {"html": None},
    "no subject": {"subject": None},
    "NUL in the subject": {"subject": "a\0b"},
    "a path for a template": {"html": None, "template": "../secret"},
    "a file for a template": {"html": None, "template": "welcome.html"},
    "a path for a locale": {"locale": "../de"},
    "an absolute attachment": {"attachments": [{"path": "/etc/passwd"}]},
    "a URL for an attachment": {"attachments": [{"path": "https://b.example/a"}]},
    "a line break in a file's name": {"attachments": [{"path": "a", "filename": "a\r\nb"}]},
    "a parameter in a type": {"attachments": [{"path": "a", "contentType": "text/html; name=x"}]},
    "one cid twice": {"attachments": [{"path": "a", "cid": "x"}, {"path": "b", "cid": "x"}]},
    "an id that ends": {"attachments": [{"path": "a", "cid": "x>\r\n"}]},
    "http to unsubscribe": {"unsubscribeUrl": "http://b.example/u"},
    "brackets in a URL": {"unsubscribeUrl": "https://b.example/u>,<mailto:x@b.example"},
    "a line break in a key": {"idempotencyKey": "a\r\nBcc: x"},
    "a long key": {"idempotencyKey": "a" * 257},
    "seconds": {"expiresAt": 1_800_000_000},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_become_another_mail_is_refused(fields: dict[str, Any]) -> None:
    """The reason names the field, and repeats no value."""
    with pytest.raises(ValidationError) as caught:
        parse(**fields)
    reason = faults(caught.value)
    assert len(reason) < 500
    assert not any(secret in reason for secret in ("b.example", "eve@", "secret", "passwd", "\n", "Bcc"))


def test_line_breaks_of_a_subject_become_spaces() -> None:
    """Users write titles with line breaks; nothing of them becomes a header."""
    assert parse(subject=" Hello\r\nBcc: eve@b.example\n").subject == "Hello Bcc: eve@b.example"


def test_an_attachment_has_a_name_without_folders() -> None:
    """Whatever the app gives."""
    names = ["C:\\tmp\\bill.pdf", "../../bill.pdf", "bill.pdf"]
    attachments = parse(attachments=[{"path": "a", "filename": name} for name in names]).attachments

    assert ["bill.pdf"] * 3 == [attachment.filename for attachment in attachments]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.one_of(
    SCALARS, st.emails(), st.lists(SCALARS | st.emails(), max_size=2), st.dictionaries(st.text(max_size=3), SCALARS)
)
FIELDS = st.sampled_from([*ACCEPTED["all"], "template", "variables", "body", "locale", "userId"])


@given(st.sampled_from([*ACCEPTED.values()]), st.dictionaries(FIELDS, VALUES, max_size=3))
def test_whatever_is_accepted_is_valid_by_the_schema(base: dict[str, Any], changes: dict[str, Any]) -> None:
    """A client made from the schema refuses nothing that a job may have."""
    data = base | changes
    try:
        EmailPayload.model_validate(data)
    except ValidationError:
        return
    assert [] == list(map(str, SCHEMA.iter_errors(data)))


def test_the_result_is_what_apps_read() -> None:
    """In the wire's camelCase."""
    result = EmailResult(
        message_id="<1@b.example>",
        accepted=("a@b.example",),
        rejected=(Rejection(address="c@b.example", code=550, enhanced="5.1.1", message="no such user"),),
        response="250 ok",
        attempts=1,
    )

    assert json.loads(result.model_dump_json(by_alias=True)) == {
        "messageId": "<1@b.example>",
        "accepted": ["a@b.example"],
        "rejected": [{"address": "c@b.example", "code": 550, "enhanced": "5.1.1", "message": "no such user"}],
        "suppressed": [],
        "response": "250 ok",
        "attempts": 1,
        "skipped": None,
        "collapsed": None,
    }
