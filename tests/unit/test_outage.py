"""An outage of storage costs no attempt."""

from __future__ import annotations

import pytest

from processors.outage import PAUSE, outages_put_off
from queue_lib.errors import SnoozeError
from storage.errors import ObjectNotFoundError, StorageAwayError


def test_an_outage_puts_a_job_off() -> None:
    """While the database or the object store is away a job waits, and no attempt is counted."""
    with pytest.raises(SnoozeError, match="the database does not answer") as caught, outages_put_off():
        raise StorageAwayError("the database does not answer")  # noqa: EM101, TRY003
    assert PAUSE == caught.value.delay


def test_other_answers_stay_as_they_are() -> None:
    """A missing object is no outage."""
    with pytest.raises(ObjectNotFoundError), outages_put_off():
        raise ObjectNotFoundError
