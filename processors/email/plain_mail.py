"""Mails without templates and attachments."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.email import addresses
from processors.email.mail import Mail
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from processors.email.payload import EmailPayload, Mailbox


class SenderSettings(BaseSettings):
    """Who sends."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    mail_from: str = Field(description="Who sends the mails: `Your App <app@your-domain.com>`, or an address alone.")

    @field_validator("mail_from")
    @classmethod
    def _one(cls, value: str) -> str:
        addresses.split(value)
        return value


@dataclass(frozen=True, slots=True)
class PlainComposer:
    """Writes html and text."""

    sender: str

    @asynccontextmanager
    async def __call__(self, payload: EmailPayload, message_id: str, /) -> AsyncIterator[Mail]:
        """The mail."""
        html = payload.html or payload.body
        if payload.template or payload.attachments or (html is None and payload.text is None):
            msg = "templates and attachments can't be sent"
            raise PermanentError(msg)
        message = EmailMessage()
        name, sender = addresses.split(self.sender)
        message["From"] = Address(name, addr_spec=sender)
        message["To"] = _all(payload.to)
        message["Subject"] = payload.subject or ""
        message["Message-ID"] = message_id
        message.set_content(payload.text or html or "")
        if html:
            message.add_alternative(html, subtype="html")
        recipients = dict.fromkeys(each.address for each in (*payload.to, *payload.cc, *payload.bcc))
        yield Mail(message_id, sender, tuple(recipients), message.as_bytes(policy=SMTP))


def _all(mailboxes: Iterable[Mailbox]) -> tuple[Address, ...]:
    return tuple(Address(each.name or "", addr_spec=each.address) for each in mailboxes)
