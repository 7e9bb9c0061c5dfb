"""What the jobs of maintenance carry, and what comes back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from processors.lenient import Flag, NullsLeftOut, OrNull
from processors.storage_key import StorageKey  # noqa: TC001 -- pydantic reads it
from queue_lib.processor import Model
from queue_lib.queues import DAY, HOUR

MONTH = round(30 * DAY)  # seconds
LEAST_AGE, MOST_AGE = round(HOUR * 1000), round(100 * 365 * DAY * 1000)  # milliseconds
SHOWN = 10  # samples
# What a view's name may be: with `cache_` before it, a name in Postgres has 63 characters at most.
SOURCE = r"^(view:[A-Za-z][A-Za-z0-9_]{0,56}|app:/.{0,2000}|own:[A-Za-z0-9][A-Za-z0-9._-]{0,99})$"
PATTERN = r"^[^\\\u0000-\u001f\u007f]{1,200}$"

TargetType = Literal["temp_files", "old_logs", "expired_sessions"]


def _key(value: str) -> str:
    if not value.isprintable():
        msg = "has a character that is not printable"
        raise ValueError(msg)
    return value


def _glob(value: str) -> str:
    if "**" in value or re.search(r"(^|/)(\.{1,2})?(/|$)", value):
        msg = "is no glob such as *.csv or */parts/*: no **, no empty part, no . and .."
        raise ValueError(msg)
    return value


class CacheWarmPayload(NullsLeftOut):
    """`cache-warm`: a value is made before anybody asks for it."""

    model_config = ConfigDict(title="CacheWarm")

    cache_key: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_key)] = Field(
        description="begins with CACHE_PREFIX"
    )
    data_source: Annotated[str, Field(pattern=SOURCE)] = Field(
        examples=["app:/"],
        description="`view:<name>` (the view cache_<name>), `app:<path>` (of the app) or `own:<name>` (a function)",
    )
    ttl: Annotated[int, Field(ge=1, le=MONTH), OrNull()] = Field(3600, description="seconds, of which 10 % are chance")
    params: Annotated[dict[str, Any], OrNull()] = Field({}, description="for the app's query, or for the function")

    @model_validator(mode="after")
    def _fit(self) -> CacheWarmPayload:
        if self.params and self.data_source.startswith("view:"):
            msg = "a view takes no params"
            raise ValueError(msg)
        return self


class CacheWarmResult(Model):
    """What is in the cache now."""

    cache_key: str
    bytes: int
    ttl: float = Field(description="seconds that are left")
    source: str
    unchanged: bool = Field(description="the value is as it was, or another job has made it meanwhile")


class CleanupPayload(NullsLeftOut):
    """`cleanup`: delete what is old."""

    # A misspelt `pattern` or `dryRun` must not delete all there is.
    model_config = ConfigDict(title="Cleanup", extra="forbid")

    target_type: TargetType
    older_than: Annotated[int, Field(ge=LEAST_AGE, le=MOST_AGE)] = Field(description="milliseconds, an hour at least")
    path: StorageKey | None = Field(
        None, description="of temp_files: within CLEANUP_PREFIXES or CLEANUP_DIRS; not needed where those name one"
    )
    pattern: Annotated[str, Field(pattern=PATTERN), AfterValidator(_glob)] | None = Field(
        None, description="a glob for the names of temp_files; with a slash, for their paths below `path`"
    )
    dry_run: Annotated[Flag, OrNull()] = Field(default=False, description="delete nothing")

    @model_validator(mode="after")
    def _fit(self) -> CleanupPayload:
        if self.target_type != "temp_files" and (self.path is not None or self.pattern is not None):
            msg = f"{self.target_type} deletes rows: leave out path and pattern"
            raise ValueError(msg)
        return self

    @property
    def age(self) -> float:
        """In seconds."""
        return self.older_than / 1000


class CleanupResult(Model):
    """What was deleted."""

    matched: int = 0
    deleted: int = 0
    bytes: int = Field(0, description="of all that was deleted, or would be; 0 for rows")
    dry_run: bool
    samples: list[str] = Field([], description=f"the first {SHOWN}: keys, or the times of rows")
    truncated: bool = Field(default=False, description="there is more; CLEANUP_MAX or the job's time was reached")


class HousekeepingPayload(Model):
    """`housekeeping`: the worker's own, once a day."""


class Pruned(Model):
    """Push subscriptions that were looked at, and those that nobody can be reached by."""

    looked: int = 0
    pruned: int = 0


class HousekeepingResult(Model):
    """What was done; null for what is not configured."""

    subscriptions: Pruned | None = None
    exports: CleanupResult | None = None
