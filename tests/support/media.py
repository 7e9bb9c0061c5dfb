"""What the media tests share."""

from __future__ import annotations

from typing import Any

from processors.media.sandbox.wire import RefusedError


class FakeParent:
    """A task's parent that grants everything, or nothing."""

    def __init__(self, refuses: str | None = None) -> None:
        """With `refuses` no memory is granted, for that reason."""
        self.reserved: list[int] = []
        self.percents: list[float] = []
        self._refuses = refuses

    def progress(self, percent: float) -> None:
        """See Parent."""
        self.percents.append(percent)

    def reserve(self, need: int) -> None:
        """See Parent."""
        if self._refuses is not None:
            raise RefusedError(self._refuses)
        self.reserved.append(need)


def wishes(**changes: Any) -> dict[str, Any]:
    """The image task's arguments as a job without options has them."""
    return {
        "formats": ["jpeg"],
        "quality": 85,
        "progressive": False,
        "widths": [],
        "crop": "center",
        "background": "#ffffff",
        "alpha": "flatten",
        "animation": "keep",
        **changes,
    }
