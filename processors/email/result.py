"""What comes back of an e-mail job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from queue_lib.processor import Model

Skipped = Literal["already sent", "expired", "cancelled", "suppressed", "muted", "collapsed"]


class Rejection(Model):
    """A recipient whom the server refused, for good or to the last attempt."""

    address: str
    code: int = Field(description="SMTP's, such as 550; 0 without an answer of the server's")
    enhanced: str = Field(description="RFC 3463's, such as 5.1.1, or empty")
    message: str


class EmailResult(Model):
    """What became of a mail."""

    message_id: str = Field(description="the Message-ID, the same in each attempt")
    accepted: tuple[str, ...] = Field((), description="the addresses that the server took the mail for")
    rejected: tuple[Rejection, ...] = ()
    response: str = Field("", description="the server's answer to the mail")
    attempts: int = 0
    suppressed: tuple[str, ...] = Field(
        (), description="the addresses that EmailSuppression names: none was sent there"
    )
    skipped: Skipped | None = Field(None, description="why nothing was sent")
    collapsed: int | None = Field(
        None, description="with collapse: for how many events its mail is; 0: another job sends it"
    )
