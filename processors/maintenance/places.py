"""Where `cleanup` may delete: prefixes of the object store and directories, which settings name. Nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from queue_lib.errors import PermanentError
from storage.objects.base import is_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.objects.base import Clearable

NOT_SET = (
    "CLEANUP_PREFIXES is not set: name there the prefixes of objects that may be deleted, or directories in "
    "CLEANUP_DIRS"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What is below the `folder`, or a `pattern` of it."""

    store: Clearable
    folder: str
    pattern: str | None = None

    def has(self, key: str) -> bool:
        """Whether this may be deleted. The last guard before each deletion, whatever a store has listed."""
        if not is_below(key, self.folder):
            return False
        return self.pattern is None or matches(self.pattern, key[len(self.folder) + 1 :])


@dataclass(frozen=True, slots=True)
class Places:
    """All allowed folders, each with its store."""

    stores: Mapping[str, Clearable] = field(default_factory=dict)

    def of(self, path: str | None, pattern: str | None = None) -> Place:
        """The place that a payload names. Raises PermanentError for any other, and if it names none of several."""
        if not self.stores:
            raise PermanentError(NOT_SET)
        if path is None and len(self.stores) > 1:
            msg = f"path: say which one of {', '.join(self.stores)}"
            raise PermanentError(msg)
        wanted = next(iter(self.stores)) if path is None else path
        for folder, store in self.stores.items():
            if wanted == folder or is_below(wanted, folder):
                return Place(store, wanted, pattern)
        msg = f"path: not within {', '.join(self.stores)}, which CLEANUP_PREFIXES and CLEANUP_DIRS name"
        raise PermanentError(msg)


def is_below(key: str, folder: str) -> bool:
    """Whether the key is a valid one, and inside the folder."""
    return is_key(key) and key.startswith(f"{folder}/")


def matches(pattern: str, path: str) -> bool:
    """Whether a glob matches: without a slash the last name of the path, else all its names, one by one."""
    wanted, names = pattern.split("/"), path.split("/")
    if len(wanted) == 1:
        names = names[-1:]
    return len(wanted) == len(names) and all(map(fnmatchcase, names, wanted))
