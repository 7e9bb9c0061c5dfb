"""What the jobs of search carry, and what comes back."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from processors.lenient import Flag, Id, Moment, NullsLeftOut, OrNull
from processors.search.names import Entity  # noqa: TC001 -- pydantic reads it
from queue_lib.plain_json import readable
from queue_lib.processor import Model

MAX_ID = 512  # bytes: the engines' own limit
MAX_VERSION = 2**63 - 1
PAGE = 500  # rows of a page, at most; ZincSearch gets no more in one request
SHOWN = 100  # of the ids that failed

Action = Literal["upsert", "delete"]


def _short(row_id: str) -> str:
    if len(row_id.encode(errors="replace")) > MAX_ID:
        msg = f"has more than {MAX_ID} bytes, and no engine takes it"
        raise ValueError(msg)
    return row_id


class IndexPayload(NullsLeftOut):
    """`index_doc`: a row has changed."""

    model_config = ConfigDict(title="IndexDoc")

    entity: Entity
    id: Annotated[Id, AfterValidator(_short)]
    action: Annotated[Action, OrNull()] = "upsert"
    version: Annotated[int, Field(ge=0, le=MAX_VERSION)] | None = Field(
        None, description="of the document, or of a delete; a row brings its own"
    )
    document: dict[str, Any] | None = Field(None, description="in place of the row, as it is")

    def text(self) -> str | None:
        """The document as JSON in one line, without what UTF-8 or JSON lacks. Raises ValueError, RecursionError."""
        if self.document is None:
            return None
        return json.dumps(readable(self.document), allow_nan=False, separators=(",", ":"))


class IndexResult(Model):
    """What became of a document."""

    index: str
    id: str
    result: Literal["indexed", "deleted", "stale", "missing"] = Field(
        description="stale: the index has a newer version; missing: there was none to delete"
    )


class BackfillPayload(Model):
    """`backfill`: all rows of an entity, or those that were changed in a span."""

    model_config = ConfigDict(title="Backfill")

    entity: Entity
    start: Moment | None = Field(None, alias="from", description="only rows whose updatedAt is not before it")
    end: Moment | None = Field(None, alias="to", description="only rows whose updatedAt is before it")
    page_size: Annotated[int, Field(ge=1, le=PAGE), OrNull()] = PAGE
    rebuild: Annotated[Flag, OrNull()] = Field(
        default=False, description="fill a new index, and let it take the place of the old one"
    )

    @field_validator("page_size", "rebuild", mode="before")
    @classmethod
    def _default(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value

    @model_validator(mode="after")
    def _whole(self) -> BackfillPayload:
        if self.rebuild and (self.start is not None or self.end is not None):
            msg = "rebuild takes all rows: leave out from and to"
            raise ValueError(msg)
        return self


class BackfillResult(Model):
    """What a backfill has done."""

    index: str
    indexed: int = 0
    failed: int = Field(0, description="rows that the engine refused, or that are too large")
    pages: int = 0
    seconds: float = Field(0, description="of its runs, without the waits between them")
    failed_ids: list[str] = Field([], description=f"the first {SHOWN}")
