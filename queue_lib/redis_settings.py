"""Where the jobs are: the variables of Redis."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

NONE = "null"  # as frameworks write it into a `.env`


class RedisSettings(BaseSettings):
    """Where the jobs are."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    redis_tls_url: str | None = Field(None, description="Redis over TLS (`rediss://...`); wins over `REDIS_URL`.")
    redis_host: str | None = Field(
        None,
        description=(
            "In place of `REDIS_URL`, for a Redis without TLS: its host, with `REDIS_PORT`, `REDIS_PASSWORD` and "
            "`REDIS_DB`."
        ),
    )
    redis_url: str | None = Field(
        None,
        validate_default=True,
        description="Redis or Valkey, 6.2 or newer (`redis://...` or `rediss://...`).",
    )
    redis_port: int = Field(6379, ge=1, le=65535, description="With `REDIS_HOST`: its port.")
    redis_password: SecretStr | None = Field(
        None, description="With `REDIS_HOST`: its password, as it is. `null` stands for none."
    )
    redis_db: int = Field(0, ge=0, description="With `REDIS_HOST`: the number of the database.")
    redis_tls_ca: str | None = Field(
        None, description="Path of the CA certificate (PEM) that signed Redis's certificate."
    )
    redis_tls_insecure: bool = Field(
        default=False, description="1: accept any certificate of Redis, such as Heroku's self-signed ones."
    )
    bullmq_prefix: str = Field("bull", min_length=1, description="BullMQ's key prefix: the same as in the app.")

    @field_validator("redis_url")
    @classmethod
    def _given(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and not (info.data.get("redis_tls_url") or info.data.get("redis_host")):
            msg = "not set; set it to the Redis that the app enqueues to, e.g. redis://localhost:6379"
            raise ValueError(msg)
        return value

    @field_validator("redis_port", "redis_db", mode="before")
    @classmethod
    def _in_use(cls, value: Any, info: ValidationInfo) -> Any:
        """Beside a URL neither is read: Kubernetes sets REDIS_PORT to `tcp://...` where a service is called redis."""
        has_url = info.data.get("redis_tls_url") or info.data.get("redis_url")
        return cls.model_fields[str(info.field_name)].default if has_url else value

    @property
    def redis(self) -> str:
        """The URL of Redis."""
        return self.redis_tls_url or self.redis_url or self._redis_of_host()

    def _redis_of_host(self) -> str:
        password = self.redis_password.get_secret_value() if self.redis_password else NONE
        login = "" if password == NONE else f":{quote(password, safe='')}@"
        host = f"[{self.redis_host}]" if ":" in str(self.redis_host) else self.redis_host
        return f"redis://{login}{host}:{self.redis_port}/{self.redis_db}"

    @property
    def redis_variable(self) -> str:
        """Where it stands."""
        given = (("REDIS_TLS_URL", self.redis_tls_url), ("REDIS_URL", self.redis_url), ("REDIS_HOST", self.redis_host))
        return next((name for name, value in given if value), "REDIS_URL")
