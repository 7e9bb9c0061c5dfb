"""What the environment says about people: their preferences and their addresses."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ReachSettings(BaseSettings):
    """Where people say what may reach them, and when."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    preference_table: str | None = Field(
        None,
        description=(
            "The table of what users want to receive, and of their quiet hours, such as `NotificationPreference` "
            "([its columns](docs/preferences.md))."
        ),
    )


class AddressSettings(BaseSettings):
    """Where the e-mail addresses of the app's users are."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    notification_user_table: str | None = Field(
        None,
        min_length=1,
        description=(
            "The table of users, for e-mails of the channel `email` and of exports; without it, each job gives the "
            "address."
        ),
    )
    notification_email_column: str = Field(
        "email", min_length=1, description="The column of that table with the e-mail address."
    )
