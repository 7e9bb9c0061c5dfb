"""The environment: read here and nowhere else, once, with every fault reported at once."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import dotenv
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, create_model, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from queue_lib.errors import ConfigurationError
from queue_lib.job import Backoff, Wire
from queue_lib.queues import QUEUES, Queue

if TYPE_CHECKING:
    from collections.abc import Iterable

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

ENV_FILE = ".env"
SIMILAR = 0.88  # of two names that differ in one letter out of eight, or less
LONG_ENOUGH = 6  # letters of a name: shorter ones are like too many others
SETTINGS = "It takes no arguments: its settings are environment variables, and README.md has them all."
PROCESSES = "Processes of one worker that take its jobs; more than one only where the queue keeps a whole core busy."


class WorkerSettings(BaseSettings):
    """What the queue itself needs to know."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    redis_tls_url: str | None = Field(None, description="Redis over TLS (`rediss://...`); wins over `REDIS_URL`.")
    redis_url: str | None = Field(
        None,
        validate_default=True,
        description="Redis or Valkey, 6.2 or newer (`redis://...` or `rediss://...`).",
    )
    redis_tls_ca: str | None = Field(None, description="Path of a CA certificate (PEM) that signed Redis's own.")
    redis_tls_insecure: bool = Field(
        default=False, description="Accept any certificate of Redis, as Heroku's self-signed ones need."
    )
    bullmq_prefix: str = Field("bull", min_length=1, description="BullMQ's key prefix, as the app sets it.")
    queues: Annotated[tuple[str, ...], NoDecode] = Field(
        tuple(queue.name for queue in QUEUES), description="Which queues this process serves, comma-separated."
    )
    wires: Annotated[tuple[Wire, ...], NoDecode] = Field(
        tuple(Wire), description="Which wires this process serves, comma-separated."
    )
    lease_duration: float = Field(
        30.0,
        ge=1,
        description="Seconds a job stays with a worker that has gone silent before another one takes it.",
    )
    shutdown_grace: float = Field(22.0, gt=0, description="Seconds from SIGTERM to the end of the process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`console` is for people, `json` for machines, `auto` looks for a terminal."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Where the worker serves `/metrics`, `/healthz` and `/readyz`. Default: nowhere. "
        "A second process serves the next port, and so on.",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="The address of that port. It asks nobody for a token: `0.0.0.0` is for private networks.",
    )
    sentry_dsn: SecretStr | None = Field(
        None, description="Where dead jobs and faults are reported, without payloads: `pip install sentry-sdk`."
    )

    @field_validator("queues", "wires", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("queues")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [queue.name for queue in QUEUES]
        unknown = sorted(set(value) - set(known))
        if unknown or not value:
            msg = f"no such queue: {', '.join(unknown) or '(none given)'}; there are {', '.join(known)}"
            raise ValueError(msg)
        return value

    @field_validator("wires", "queues")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            msg = "name at least one, and none twice"
            raise ValueError(msg)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("redis_url")
    @classmethod
    def _given(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("redis_tls_url") is None:
            msg = "not set; set it to the Redis that the app enqueues to, e.g. redis://localhost:6379"
            raise ValueError(msg)
        return value

    @property
    def redis(self) -> str:
        """The URL of Redis."""
        return self.redis_tls_url or self.redis_url or ""

    @property
    def redis_variable(self) -> str:
        """Where it stands."""
        return "REDIS_TLS_URL" if self.redis_tls_url else "REDIS_URL"


def load(*models: type[BaseSettings]) -> tuple[Any, ...]:
    """Read the environment (and `.env`, in development) into instances of `models`, in that order.

    Raises ConfigurationError with one line for each fault of all the models together. Values are never repeated in
    a line: they may be secrets.
    """
    dotenv.load_dotenv(ENV_FILE)
    loaded: list[BaseSettings] = []
    faults: list[str] = []
    for model in models:
        try:
            loaded.append(model())
        except ValidationError as error:
            faults += _lines(model, error)
    if faults:
        meant = misspelt(*models).items()
        raise ConfigurationError(*faults, *(f"{name}: no such setting; is {known} meant?" for name, known in meant))
    return tuple(loaded)


def misspelt(*models: type[BaseSettings]) -> dict[str, str]:
    """Variables of the environment that are no setting of `models`, but look like one that is not set: which one."""
    given = {name.upper() for name in os.environ}  # noqa: TID251 -- here it is read
    known = {
        f"{model.model_config.get('env_prefix', '')}{name}".upper() for model in models for name in model.model_fields
    }
    free = [name for name in known - given if len(name) >= LONG_ENOUGH]
    close = {name: difflib.get_close_matches(name, free, n=1, cutoff=SIMILAR) for name in sorted(given - known)}
    return {name: found[0] for name, found in close.items() if found}


def _lines(model: type[BaseSettings], error: ValidationError) -> Iterable[str]:
    prefix = model.model_config.get("env_prefix", "")
    for fault in error.errors(include_input=False, include_url=False):
        name = prefix + "_".join(str(part) for part in fault["loc"][:1])
        text = "not set, and required" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        yield f"{name.upper()}: {text}"


def queue_settings(queue: Queue) -> type[BaseSettings]:
    """The settings class for one row of the queue table: `<QUEUE>_CONCURRENCY` and so on."""
    return create_model(
        f"{queue.name}-settings",
        __base__=_QueueSettings,
        __cls_kwargs__={"env_prefix": f"{env_name(queue)}_"},
        processes=(int, Field(queue.processes, ge=1, le=32, description=PROCESSES)),
        concurrency=(int, Field(queue.concurrency, ge=1, le=1000, description="Jobs at once in one process.")),
        rate_max=(int, Field(queue.rate_max, ge=0, description="Jobs in one window, over all processes; 0: no limit.")),
        rate_duration=(float, Field(queue.rate_duration, ge=0.001, description="Length of that window, in seconds.")),
        attempts=(int, Field(queue.attempts, ge=1, description="Attempts where the producer gave no number.")),
        backoff=(float, Field(queue.backoff.delays[0], ge=0, description="Seconds before attempt 2; then it doubles.")),
        timeout=(float, Field(queue.timeout, gt=0, description="Seconds that one attempt may take.")),
    )


def env_name(queue: Queue) -> str:
    """`push-notifications` -> `PUSH_NOTIFICATIONS`."""
    return queue.name.upper().replace("-", "_")


class _QueueSettings(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")


def apply(queue: Queue, values: Any) -> Queue:
    """The row with the environment's values in it."""
    return Queue(
        name=queue.name,
        needs=queue.needs,
        processes=values.processes,
        concurrency=values.concurrency,
        rate_max=values.rate_max,
        rate_duration=values.rate_duration,
        attempts=values.attempts,
        backoff=Backoff((values.backoff,), exponential=queue.backoff.exponential),
        timeout=values.timeout,
        keep_completed=queue.keep_completed,
        keep_failed=queue.keep_failed,
    )
