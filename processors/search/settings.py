"""What the environment says of the search engine."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.search.names import PREFIX

EngineName = Literal["elasticsearch", "opensearch", "zincsearch"]


class SearchSettings(BaseSettings):
    """The search engine."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    search_url: SecretStr = Field(
        description=(
            "The search engine: `https://user:password@host:9200`. Special characters of the password are encoded "
            "(`%40` for `@`). The queue `search` is served where it is set."
        )
    )
    search_engine: EngineName = Field(
        "elasticsearch", description="What it is: `elasticsearch`, `opensearch` or `zincsearch`."
    )
    search_index_prefix: str = Field(
        "", pattern=f"^$|{PREFIX}", description="What the names of its indexes begin with: `shop-` makes `shop-post`."
    )

    @field_validator("search_url")
    @classmethod
    def _url(cls, value: SecretStr) -> SecretStr:
        try:
            url = urlsplit(value.get_secret_value())
            is_fit = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        except ValueError:
            is_fit = False
        if not is_fit or url.query or url.fragment:
            msg = "not a URL of a search engine, such as https://user:password@host:9200"
            raise ValueError(msg)
        return value

    @field_validator("search_engine", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value
