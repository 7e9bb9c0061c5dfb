"""The queues of all features, with their default settings."""

from __future__ import annotations

from processors.features import FEATURES
from queue_lib.feature import queues_of

QUEUES = queues_of(FEATURES)
