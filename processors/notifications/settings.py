"""What the environment says about notifications in the app."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class NotificationSettings(BaseSettings):
    """The app's table of notifications."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    notification_table: str = Field(
        min_length=1,
        description=(
            "The table of notifications in the app, as the database spells it: `Notification`, say. The queue "
            "`notifications` is served where it is set."
        ),
    )
    notification_app_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")] | None = Field(
        None, description="The app's address, for the links in e-mails: `https://app.example.com`."
    )

    @field_validator("notification_app_url")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        return value and value.rstrip("/")
