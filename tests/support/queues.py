"""The queues of all features, as they are where the environment says nothing."""

from __future__ import annotations

from processors.features import FEATURES
from queue_lib.feature import queues_of

QUEUES = queues_of(FEATURES)
