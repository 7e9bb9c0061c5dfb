"""What the environment says of exports."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DAY = 86_400  # seconds


class ExportSettings(BaseSettings):
    """Where exports are read, how large they may be, and how long their links are valid."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    export_database_url: str | None = Field(
        None,
        repr=False,
        description="A replica of the app's database, from which exports are read. Default: `DATABASE_URL`.",
    )
    export_max_bytes: int = Field(
        2 * 1024**3, ge=1024, description="Bytes of an export's file, while it is written to the disk and stored."
    )
    export_link_expiry: int = Field(
        DAY, ge=60, le=7 * DAY, description="Seconds (up to 7 days) for which the signed link to an export is valid."
    )

    @field_validator("export_database_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        if value is not None:
            from storage.database_url import parse_database_url

            parse_database_url(value)
        return value
