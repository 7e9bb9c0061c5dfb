"""Turns the errors of libraries that read a damaged document into RefusedError."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from processors.sandbox.protocol import ASKED_WRONG, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What hostile bytes cause in any library.
MISHAPS = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError, EOFError, OSError)


@contextmanager
def refuse_damage(*errors: type[Exception]) -> Iterator[None]:
    """Turn the library's `errors` and MISHAPS into RefusedError.

    An error of the system (with an errno) is raised as it is, unless hostile bytes cause it (ASKED_WRONG).
    """
    damage: tuple[type[Exception], ...] = (*errors, *MISHAPS)
    try:
        yield
    except damage as error:
        if getattr(error, "errno", None) not in ASKED_WRONG:
            raise
        msg = f"the document is damaged: {str(error) or type(error).__name__}"
        raise RefusedError(msg) from error
