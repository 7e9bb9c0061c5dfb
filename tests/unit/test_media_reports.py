"""A child's report is not trusted, because the child has read hostile bytes."""

from __future__ import annotations

from typing import Any

import pytest

from processors.media.job_steps import read_report
from processors.media.reports import ImageReport
from queue_lib.errors import TransientError

FILE = {"variant": "thumbnail", "name": "thumbnail.jpg", "format": "jpeg", "contentType": "image/jpeg", "bytes": 3}
REPORT = {"files": [FILE], "blurhash": "L", "dominantColor": "#000000", "animation": None, "kind": "PNG"}


@pytest.mark.parametrize(
    "report",
    [
        {},
        REPORT | {"files": []},
        REPORT | {"files": [FILE | {"name": "../../etc/passwd"}]},
        REPORT | {"files": [FILE | {"contentType": "text/html"}]},
        REPORT | {"dominantColor": "url(x)"},
    ],
)
def test_a_report_that_can_t_be_read_counts_as_a_crash(report: dict[str, Any]) -> None:
    """Another attempt may help, and nothing of the report is used."""
    with pytest.raises(TransientError, match="the task's report can't be read"):
        read_report(ImageReport, report)


def test_a_report_without_an_image_that_was_wanted_counts_as_a_crash() -> None:
    """The reason names the image; the one that exists is found."""
    report = read_report(ImageReport, REPORT)

    assert "thumbnail.jpg" == report.output("thumbnail").name
    with pytest.raises(TransientError, match="it has no compressed image"):
        report.output("compressed")
