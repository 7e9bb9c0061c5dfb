"""What the environment says of sending mails once, and to whom none is sent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Uncertain = Literal["send", "dead"]


class DeliverySettings(BaseSettings):
    """What happens to mails of which nobody knows whether they were sent, and to addresses that have bounced."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    email_uncertain: Uncertain = Field(
        "send",
        description=(
            "What happens to a mail whose answer from the server was lost: `send` sends it again, so a person may have "
            "two copies; `dead` does not, so a person may have none."
        ),
    )
    email_suppression_table: str | None = Field(
        None,
        description=(
            "The table of addresses that are not written to, such as `EmailSuppression`, in `DATABASE_URL`. Addresses "
            "that bounce for good are added. Default: no such table."
        ),
    )
