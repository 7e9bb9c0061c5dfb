"""The environment: read here and nowhere else, once, with every fault reported at once."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

import dotenv
from pydantic import AliasChoices, Field, SecretStr, ValidationError, create_model, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from queue_lib.errors import ConfigurationError
from queue_lib.job import Wire
from queue_lib.queues import Profile
from queue_lib.redis_settings import RedisSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic.fields import FieldInfo

    from queue_lib.queues import Queue

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

SIMILAR = 0.88  # of two names that differ in one letter out of eight, or less
LONG_ENOUGH = 6  # letters of a name: shorter ones are like too many others
PROCESSES = "Processes of one worker that run its jobs. More than one helps only if the queue keeps a whole core busy."


class WorkerSettings(RedisSettings):
    """What the queue itself needs to know."""

    wires: Annotated[tuple[Wire, ...], NoDecode] = Field(
        tuple(Wire), description="The wires that this process serves, comma-separated."
    )
    lease_duration: float = Field(
        30.0,
        ge=1,
        description="Seconds after which another worker may take the jobs of a worker that has gone silent.",
    )
    shutdown_grace: float = Field(22.0, gt=0, description="Seconds from SIGTERM to the end of the process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`console` (readable), `json`, or `auto`: `console` on a terminal, else `json`."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description=(
            "The worker's port for `/metrics`, `/healthz` and `/readyz`. Default: no port. A second process serves "
            "the next port, and so on."
        ),
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="The address of that port. It needs no token, so use `0.0.0.0` only in private networks.",
    )
    sentry_dsn: SecretStr | None = Field(
        None, description="Sentry project for failed jobs and faults, without payloads. Needs `pip install sentry-sdk`."
    )

    @field_validator("wires", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("wires")
    @classmethod
    def _distinct(cls, value: tuple[Wire, ...]) -> tuple[Wire, ...]:
        if not value or len(set(value)) < len(value):
            msg = "name at least one, and none twice"
            raise ValueError(msg)
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class QueueChoice(BaseSettings):
    """Which queues a process serves."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    queues: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="The queues that this process serves, comma-separated. Default: those of all configured features.",
    )
    worker_type: Annotated[tuple[Literal[Profile, "all"], ...], NoDecode] = Field(
        ("all",),
        description=(
            "Chooses the queues by the cost of their jobs: `light`, `medium`, `heavy` or `all`, comma-separated. "
            "`QUEUES` overrides it."
        ),
    )

    @field_validator("queues", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("worker_type", mode="before")
    @classmethod
    def _types(cls, value: Any) -> Any:
        return (_listed(value.lower()) or ("all",)) if isinstance(value, str) else value

    @field_validator("queues")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _once(value)

    def among(self, table: Sequence[Queue]) -> tuple[Queue, ...]:
        """The chosen rows of the table. Raises ConfigurationError for a name that it has not."""
        if self.queues:
            return self.named(table)
        profiles = set(self.worker_type)
        return tuple(queue for queue in table if "all" in profiles or queue.profile in profiles)

    def named(self, table: Sequence[Queue]) -> tuple[Queue, ...]:
        """The rows that QUEUES names, or all of them. Raises ConfigurationError for a name that the table has not."""
        known = [queue.name for queue in table]
        if unknown := sorted(set(self.queues) - set(known)):
            msg = f"QUEUES: no such queue: {', '.join(unknown)}; there are {', '.join(known)}"
            raise ConfigurationError(msg)
        return tuple(queue for queue in table if not self.queues or queue.name in self.queues)

    def without_unknown(self, table: Sequence[Queue]) -> Self:
        """The same without the names that the table has not."""
        known = {queue.name for queue in table}
        return self.model_copy(update={"queues": tuple(name for name in self.queues if name in known)})


def _listed(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        msg = "name none twice"
        raise ValueError(msg)
    return names


class JobsSettings(BaseSettings):
    """A team's own jobs."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    jobs: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Python modules with jobs of your own, comma-separated ([how](docs/own-jobs.md))."
    )

    @field_validator("jobs", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("jobs")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _once(value)


class Reading:
    """Reads settings from the environment (and `.env`, in development), and keeps all faults until `end`."""

    def __init__(self) -> None:
        """Read `.env`."""
        self._models: list[type[BaseSettings]] = []
        self.faults: list[str] = []
        try:
            dotenv.load_dotenv(".env")
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(f".env: can't be read: {_short(error)}")

    def read(self, model: type[SettingsT]) -> SettingsT | None:
        """The settings of one class, or None if they are at fault."""
        self._models.append(model)
        try:
            return model()
        except ValidationError as error:
            self.faults += _lines(model, error)
            return None

    def load(self, *models: type[BaseSettings]) -> tuple[Any, ...]:
        """Read the last of the settings: instances of `models`, in that order. Raises as `end` does."""
        loaded = tuple(self.read(model) for model in models)
        self.end()
        return loaded

    def end(self) -> None:
        """Raise ConfigurationError with one line for each fault. No line repeats a value: it may be a secret."""
        if self.faults:
            meant = misspelt(*self._models).items()
            lines = (f"{name}: no such setting; is {known} meant?" for name, known in meant)
            raise ConfigurationError(*self.faults, *lines)


def _short(error: OSError | UnicodeDecodeError) -> str:
    """What is wrong with a file, without a byte of it."""
    return "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else os.strerror(error.errno or 0)


def load(*models: type[BaseSettings]) -> tuple[Any, ...]:
    """Read instances of `models`, in that order. Raises ConfigurationError with the faults of all of them together."""
    return Reading().load(*models)


def is_required(field: FieldInfo) -> bool:
    """Whether a variable must be set: it has no default, or nothing in its place, which is refused."""
    return field.is_required() or (bool(field.validate_default) and field.default in {None, ""})


def is_configured(models: Sequence[type[BaseSettings]], optional: Sequence[type[BaseSettings]] = ()) -> bool:
    """Whether a variable of these classes, or of the `optional` ones, is set, or none of `models` has to be."""
    if not any(is_required(field) for model in models for field in model.model_fields.values()):
        return True
    given = {name.upper() for name, value in os.environ.items() if value}  # noqa: TID251 -- here it is read
    return not given.isdisjoint(_names((*models, *optional)))


def misspelt(*models: type[BaseSettings]) -> dict[str, str]:
    """Variables of the environment that are no setting of `models`, but look like one that is not set: which one."""
    given = {name.upper() for name in os.environ}  # noqa: TID251 -- here it is read
    known = _names(models)
    free = [name for name in known - given if len(name) >= LONG_ENOUGH]
    close = {name: difflib.get_close_matches(name, free, n=1, cutoff=SIMILAR) for name in sorted(given - known)}
    return {name: found[0] for name, found in close.items() if found}


def _names(models: Iterable[type[BaseSettings]]) -> set[str]:
    """The variables of the classes, with their second names."""
    return {
        str(name).upper()
        for model in models
        for own, field in model.model_fields.items()
        for name in (f"{model.model_config.get('env_prefix', '')}{own}", *_aliases(field))
    }


def _aliases(field: FieldInfo) -> Sequence[object]:
    return field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ()


def _lines(model: type[BaseSettings], error: ValidationError) -> Iterable[str]:
    prefix = model.model_config.get("env_prefix", "")
    for fault in error.errors(include_input=False, include_url=False):
        name = prefix + "_".join(str(part) for part in fault["loc"][:1]).upper().removeprefix(prefix)
        text = "not set, and required" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        yield f"{name.upper()}: {text}"


def queue_settings(queue: Queue) -> type[BaseSettings]:
    """The settings class for one row of the queue table: `<QUEUE>_CONCURRENCY` and so on."""
    return create_model(
        f"{queue.name}-settings",
        __base__=_QueueSettings,
        __cls_kwargs__={"env_prefix": f"{env_name(queue)}_"},
        processes=(int, Field(queue.processes, ge=1, le=32, description=PROCESSES)),
        concurrency=(
            int,
            Field(
                queue.concurrency,
                ge=1,
                le=1000,
                validation_alias=_also_of_workers(queue),
                description="Jobs that one process runs at once.",
            ),
        ),
        rate_max=(int, Field(queue.rate_max, ge=0, description="Jobs in one window, in all processes; 0: no limit.")),
        rate_duration=(float, Field(queue.rate_duration, ge=0.001, description="Length of that window in seconds.")),
        attempts=(int, Field(queue.attempts, ge=1, description="Attempts, unless the producer sets a number.")),
        backoff=(
            float,
            Field(queue.backoff.delays[0], ge=0, description="Seconds before attempt 2; then it doubles."),
        ),
        timeout=(float, Field(queue.timeout, gt=0, description="Seconds that one attempt may take.")),
    )


def _also_of_workers(queue: Queue) -> AliasChoices:
    """`<QUEUE>_CONCURRENCY` or, as many apps with BullMQ call it, `<QUEUE>_WORKER_CONCURRENCY`.

    There the queue may be in the singular: `NOTIFICATION_WORKER_CONCURRENCY`.
    """
    name = env_name(queue).lower()
    second = dict.fromkeys((name, name.removesuffix("s")))
    return AliasChoices(f"{name}_concurrency", *(f"{each}_worker_concurrency" for each in second))


def env_name(queue: Queue) -> str:
    """`push-notifications` -> `PUSH_NOTIFICATIONS`."""
    return queue.name.upper().replace("-", "_")


class _QueueSettings(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")


def apply(queue: Queue, values: Any) -> Queue:
    """The row with the environment's values in it."""
    first = queue.backoff.delays[0]
    return replace(
        queue,
        processes=values.processes,
        concurrency=values.concurrency,
        rate_max=values.rate_max,
        rate_duration=values.rate_duration,
        attempts=values.attempts,
        backoff=queue.backoff if values.backoff == first else replace(queue.backoff, delays=(values.backoff,)),
        timeout=values.timeout,
    )
