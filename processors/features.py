"""What this worker can do: one line a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.media.feature import MEDIA
from processors.push.feature import PUSH

if TYPE_CHECKING:
    from queue_lib.feature import Feature

FEATURES: tuple[Feature, ...] = (PUSH, MEDIA)
