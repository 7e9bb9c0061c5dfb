"""The file of an export while it is written: part by part, compressed if asked for, and never beyond its limit."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Self

from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1024**2
LEVEL = 6  # of gzip
AS_GZIP = 31  # zlib's sign for gzip's head and end, in which no time is written


class Output:
    """Writes a file. All of it blocks: call it in a thread."""

    def __init__(self, path: Path, max_bytes: int, *, gzip: bool = False) -> None:
        """Makes the file."""
        self._file = path.open("wb")
        self._max_bytes = max_bytes
        self._gzip = zlib.compressobj(LEVEL, wbits=AS_GZIP) if gzip else None
        self._digest = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, whole or not."""
        self._file.close()

    def write(self, data: bytes) -> None:
        """Add bytes. Raises PermanentError before the file has more than it may have."""
        self._write(data if self._gzip is None else self._gzip.compress(data))

    def finish(self) -> str:
        """End the file. Returns its SHA-256 in hex."""
        if self._gzip is not None:
            self._write(self._gzip.flush())
        self._file.flush()
        return self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        self.bytes += len(data)
        refuse_above(self._max_bytes, self.bytes)
        self._digest.update(data)
        self._file.write(data)


def refuse_above(max_bytes: int, size: int) -> None:
    """Raise PermanentError for a file of more bytes than it may have."""
    if size > max_bytes:
        msg = f"the file has more than {max_bytes // MEBIBYTE:,} MiB (EXPORT_MAX_BYTES): take filters or fewer columns"
        raise PermanentError(msg)
