"""What the environment says about preferences."""

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
