"""The environment variables of storage. boto3 itself reads AWS credentials and region."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.objects.location import parse_location


class DatabaseSettings(BaseSettings):
    """The app's database."""

    # A validation error must not show the value: a database URL has a password.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    database_url: str = Field(
        "",
        validate_default=True,
        repr=False,
        description=(
            "The app's database: Postgres (`postgres://...` or `postgresql://...`, Prisma's parameters are allowed), "
            "also behind [PgBouncer](docs/deploy.md#a-pooler-before-postgres), or SQLite (`sqlite:///path`, or "
            "Prisma's `file:./path`)."
        ),
    )

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if not value:
            msg = "not set; set it to the app's database, e.g. postgresql://user:password@host:5432/database"
            raise ValueError(msg)
        from storage.database_url import parse_database_url

        parse_database_url(value)
        return value


class ObjectsSettings(BaseSettings):
    """The object store of uploads and results."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    storage_url: str = Field(
        "",
        validate_default=True,
        description="Where the worker reads uploads and writes results: `s3://bucket/prefix` or `file:///dir`.",
    )
    s3_endpoint_url: str | None = Field(
        None, description="URL of a service with S3's protocol, if not AWS (`https://...`)."
    )
    s3_addressing_style: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="Where requests have the bucket's name: in the `path` (MinIO) or in the host name (`virtual`).",
    )
    s3_checksums: Literal["when_required", "when_supported"] = Field(
        "when_required",
        description=(
            "When boto3 adds checksums of its own (`when_required`, `when_supported`); R2, B2 and older MinIO refuse "
            "them."
        ),
    )
    storage_link_expiry: int = Field(
        0,
        ge=0,
        le=7 * 24 * 3600,
        description=(
            "For a private bucket: seconds (up to 7 days) for which signed links are valid. Results have such links, "
            "and rows have keys instead of URLs. 0: public URLs."
        ),
    )
    storage_public_base_url: str | None = Field(
        None,
        description=(
            "The URL under which browsers read the results, with the prefix: of a CDN or a public bucket. Default: "
            "S3's own URL of bucket and prefix, or the directory's file URL."
        ),
    )

    @field_validator("storage_url")
    @classmethod
    def _storage(cls, value: str) -> str:
        if not value:
            msg = "not set; set it to where the uploads are: s3://bucket/prefix or file:///absolute/directory"
            raise ValueError(msg)
        parse_location(value)
        return value

    @field_validator("s3_endpoint_url", "storage_public_base_url")
    @classmethod
    def _web(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            msg = "not a plain web address; it looks like https://host or https://host/path"
            raise ValueError(msg)
        return value.rstrip("/")
