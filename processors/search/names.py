"""The names of indexes. A rebuild fills `<index>-<time>`, and the name that the app searches becomes its alias."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

ENTITY = r"^[A-Za-z][A-Za-z0-9_]{0,55}$"  # with `search_` before it, a name in Postgres has 63 characters at most
PREFIX = r"^[a-z0-9][a-z0-9_.-]{0,99}$"
_BUILT = re.compile(r"-\d{17}")

Entity = Annotated[str, Field(pattern=ENTITY, description="the view search_<entity> has its rows")]


def index_of(entity: str, prefix: str) -> str:
    """The index of an entity: engines take small letters only."""
    return f"{prefix}{entity.lower()}"


def built(index: str, now: float) -> str:
    """The name of the index that a rebuild fills from now on (seconds since the epoch)."""
    return f"{index}-{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M%S%f}"[: len(index) + 18]


def is_built(name: str, index: str) -> bool:
    """Whether a rebuild of `index` has made it."""
    return name.startswith(index) and _BUILT.fullmatch(name[len(index) :]) is not None
