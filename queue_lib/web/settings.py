"""The environment of the web process."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from queue_lib.web.tokens import Token

ENTRY = re.compile(r"([A-Za-z0-9_-]{1,40}):(full|read):([0-9a-f]{64})")


class ApiSettings(BaseSettings):
    """What the API needs to know, beside the queue's own settings."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    port: int = Field(8080, ge=1, le=65535, description="The port of the API and the dashboard. Platforms set it.")
    api_tokens: Annotated[tuple[Token, ...], NoDecode] = Field(
        min_length=1,
        description=(
            "Tokens for the API and the dashboard (only `python web.py` needs them), comma-separated: "
            "`name:full:<sha256>` or `name:read:<sha256>`. `python -m scripts.make_api_token` makes one."
        ),
    )
    api_rate: int = Field(6000, ge=1, description="Jobs that one token may submit in a minute to one web process.")
    hirefire_token: SecretStr | None = Field(
        None,
        min_length=16,
        description=(
            "The token with which an autoscaler may ask `/hirefire` how long jobs have waited "
            "([scaling](docs/scaling.md)), 16 characters or more. Default: nobody may."
        ),
    )

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(_token(entry.strip()) for entry in value.split(",") if entry.strip())

    @field_validator("api_tokens")
    @classmethod
    def _distinct(cls, value: tuple[Token, ...]) -> tuple[Token, ...]:
        if len({token.name for token in value}) < len(value):
            msg = "two tokens have the same name"
            raise ValueError(msg)
        return value


def _token(entry: str) -> Token:
    found = ENTRY.fullmatch(entry)
    if found is None:  # the error does not repeat the entry: it may be a token by mistake
        msg = "an entry is not of the form name:full:<sha256> or name:read:<sha256>; scripts.make_api_token makes one"
        raise ValueError(msg)
    return Token(found[1], found[3], may_write=found[2] == "full")
