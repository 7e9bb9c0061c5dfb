"""What comes back from the push jobs."""

from __future__ import annotations

from collections import Counter

from pydantic import Field, field_validator

from queue_lib.processor import Model

# A result stays in Redis, so it is bounded: a batch has a follow-up for each page, and Windows and Apple many hosts.
MAX_FOLLOW_UPS, MAX_ORIGINS = 100, 50
COUNTS = ("sent", "failed", "pruned", "retrying", "skipped", "expired", "muted", "waiting", "total")  # of a result
OTHER = "other"  # the rest of them


class PushResult(Model):
    """What became of each subscription."""

    sent: int = Field(0, description="the push service accepted it")
    failed: int = Field(
        0, description="refused, never answered, or a row that can't be used (origins says why); the row is kept"
    )
    pruned: int = Field(0, description="gone: the row is deleted or switched off")
    retrying: int = Field(0, description="left to follow-up jobs")
    skipped: int = Field(
        0, description="settled by an earlier run of the job, a second row of the same endpoint, or excludeEndpoint"
    )
    expired: int = Field(0, description="not sent before ttl or expiresAt was over")
    muted: int = Field(0, description="the user does not want it: by a preference, or in quiet hours with quiet: drop")
    waiting: int = Field(0, description="left to follow-up jobs that run when the user's quiet hours end")
    total: int = Field(0, description="the sum of these")
    collapsed: int | None = Field(
        None, description="with options.collapse: for how many events its message is; 0: another job sends it"
    )
    cancelled: bool = Field(default=False, description="its cancelKey was cancelled before it had sent to all")
    follow_ups: tuple[str, ...] = Field((), description="ids of at most 100 follow-up jobs, in the same queue")
    ignored: tuple[str, ...] = Field((), description="at most 20 fields of the job that the worker does not know")
    origins: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="push service -> sent, gone, unreadableKeys, ... -> count; at most 50 services, and other",
    )

    @field_validator("follow_ups")
    @classmethod
    def _named(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return ids[:MAX_FOLLOW_UPS]

    @field_validator("origins")
    @classmethod
    def _capped(cls, origins: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        if len(origins) <= MAX_ORIGINS:
            return origins
        named = [origin for origin in origins if origin != OTHER][: MAX_ORIGINS - 1]
        capped = {origin: origins[origin] for origin in named}
        rest: Counter[str] = Counter()
        for origin in origins.keys() - capped.keys():
            rest.update(origins[origin])
        return {**capped, OTHER: dict(rest)}

    def plus(self, other: PushResult) -> PushResult:
        """Both together."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in (*COUNTS, "follow_ups")}
        origins = {
            origin: dict(Counter(self.origins.get(origin)) + Counter(other.origins.get(origin)))
            for origin in {**self.origins, **other.origins}
        }
        cancelled = self.cancelled or other.cancelled
        return PushResult(**counts, cancelled=cancelled, ignored=self.ignored or other.ignored, origins=origins)
