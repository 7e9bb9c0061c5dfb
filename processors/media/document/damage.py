"""What a library says of a damaged document, in a job's words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from processors.media.sandbox.protocol import ASKED_WRONG, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What hostile bytes lead Python to, in any library.
MISHAPS = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError, EOFError, OSError)


@contextmanager
def refusing(*errors: type[Exception]) -> Iterator[None]:
    """Turn the library's `errors` and MISHAPS into RefusedError; a fault of the system stays one.

    It has a number that is not of ASKED_WRONG.
    """
    damage: tuple[type[Exception], ...] = (*errors, *MISHAPS)
    try:
        yield
    except damage as error:
        if getattr(error, "errno", None) not in ASKED_WRONG:
            raise
        msg = f"the document is damaged: {str(error) or type(error).__name__}"
        raise RefusedError(msg) from error
