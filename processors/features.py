"""What this worker can do: one line a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.email.feature import EMAIL
from processors.exports.feature import EXPORTS
from processors.maintenance.feature import MAINTENANCE
from processors.media.feature import MEDIA
from processors.notifications.feature import NOTIFICATIONS
from processors.outbox.feature import BRIDGES, OUTBOX
from processors.own.feature import own_feature
from processors.push.feature import PUSH
from processors.search.feature import SEARCH
from queue_lib.jobs.own_module import OwnJobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.feature import Feature

FEATURES: tuple[Feature, ...] = (PUSH, MEDIA, EMAIL, NOTIFICATIONS, OUTBOX, BRIDGES, SEARCH, EXPORTS, MAINTENANCE)


def with_own_jobs(own: OwnJobs, features: Sequence[Feature] = FEATURES) -> tuple[Feature, ...]:
    """The features, and a team's own jobs as one more, if there are any."""
    return (*features, own_feature(own)) if own != OwnJobs() else tuple(features)
