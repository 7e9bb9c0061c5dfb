"""What the environment says of the app's cache, and of what may be deleted."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from storage.errors import InvalidKeyError
from storage.objects.base import check_key, is_key

KINDS = ("cleanup_prefixes", "cleanup_dirs", "cleanup_logs", "cleanup_sessions", "cleanup_subscriptions")
Column = tuple[str, str]  # a table, and its column


class MaintenanceSettings(BaseSettings):
    """What `cleanup` may delete, and where `cache-warm` writes. Each check reads the fields above its own."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    cleanup_prefixes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Prefixes of the object store below which `cleanup` may delete, comma-separated: `exports,tmp`. "
        "Exports below `exports` go after 7 days. It needs `STORAGE_URL`.",
    )
    cleanup_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description="Directories of this machine below which `cleanup` may delete, comma-separated and absolute. A "
        "job names one by the last part of its path.",
    )
    cleanup_logs: Annotated[Column | None, NoDecode] = Field(
        None, description="The table of `old_logs`, and its column with the time: `AuditLog.createdAt`."
    )
    cleanup_sessions: Annotated[Column | None, NoDecode] = Field(
        None, description="The table of `expired_sessions`, and its column with their end: `Session.expires`."
    )
    cleanup_subscriptions: bool = Field(
        default=False,
        description="1: once a day, delete push subscriptions that have expired or were ended by their browser, also "
        "those of users who get no pushes.",
    )
    cleanup_max: int = Field(
        100_000, ge=1, le=10_000_000, description="Objects, files or rows that one job deletes at most."
    )
    cache_redis_url: SecretStr | None = Field(
        None, description="The Redis of the app's cache, if it is not the queues' own."
    )
    app_internal_url: str | None = Field(
        None, description="The app, for sources `app:<path>`: `https://app.internal`, or with a path."
    )
    app_internal_token: SecretStr | None = Field(
        None,
        description="The app knows the worker by it: `Authorization: Bearer <token>`. Needed with `APP_INTERNAL_URL`.",
    )
    cache_prefix: str | None = Field(
        None,
        validate_default=True,
        max_length=200,
        description="What the keys begin with that `cache-warm` may write: `cache:`. Not needed where a `CLEANUP_...` "
        "is set; the queue `maintenance` is served where either is.",
    )

    @field_validator("cleanup_prefixes", "cleanup_dirs", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cleanup_prefixes")
    @classmethod
    def _prefixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(check_key(prefix.removesuffix("/")) for prefix in value)
        except InvalidKeyError:
            msg = "not a list of prefixes; write exports,tmp: relative, not empty, without . and .."
            raise ValueError(msg) from None

    @field_validator("cleanup_dirs")
    @classmethod
    def _dirs(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        if not all(path.is_absolute() and ".." not in path.parts and is_key(path.name) for path in value):
            msg = "not a list of absolute directories; write /var/tmp/app, without .."
            raise ValueError(msg)
        taken = [prefix.split("/")[0] for prefix in info.data.get("cleanup_prefixes", ())]
        names = [path.name for path in value]
        if len(set(names)) < len(names) or set(names) & set(taken):
            msg = (
                "two have the same name, or one has the name of a prefix in CLEANUP_PREFIXES; jobs could not tell them"
            )
            raise ValueError(msg)
        return value

    @field_validator("cleanup_logs", "cleanup_sessions", mode="before")
    @classmethod
    def _column(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        table, _, column = value.rpartition(".")
        if not table or not column:
            msg = "not a table with its column; write Session.expires, as the database spells them"
            raise ValueError(msg)
        return table, column

    @field_validator("app_internal_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            is_fit = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_fit = False
        if not is_fit or "@" in parts.netloc or parts.query or parts.fragment or "/." in parts.path:
            msg = "not a plain web address; it looks like https://app.internal or http://app:3000/api"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("app_internal_token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            msg = "has a character that no header may have"
            raise ValueError(msg)
        return value

    @field_validator("cache_prefix")
    @classmethod
    def _something(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and not any(info.data.get(kind, True) for kind in KINDS):
            msg = "not set, nor is any CLEANUP_...: set what the queue `maintenance` may do"
            raise ValueError(msg)
        return value
