"""What the environment says about the outbox and the bridges."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OutboxSettings(BaseSettings):
    """The app's outbox."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    outbox_table: str = Field(
        min_length=1,
        description=(
            "The table of events and jobs that the app writes in its own transactions, as the database spells it: "
            "`Outbox`, say. They are published where it is set ([how](docs/outbox.md))."
        ),
    )
    outbox_prefix: str = Field(
        "epop",
        pattern=r"^[A-Za-z0-9_:-]{1,50}$",
        description="What the channels begin with: `epop.<aggregate>.<event>`.",
    )
    outbox_notify: str | None = Field(
        None,
        min_length=1,
        max_length=63,
        description=(
            "A channel of Postgres that wakes the publisher at once; else it looks every 0.25 to 2 seconds. It needs a "
            "direct connection, not PgBouncer."
        ),
    )


class BridgeSettings(BaseSettings):
    """Events from Redis, for apps without an outbox."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    bridge_subscribe: str = Field(
        min_length=1,
        description=(
            "The channels of Redis whose messages become jobs, for apps without an outbox: `epop.*`. What is published "
            "while no worker listens is lost ([more](docs/outbox.md))."
        ),
    )
