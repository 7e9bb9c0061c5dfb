"""Schedules on the dashboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from tests.support.showcase import FILES, schedule

if TYPE_CHECKING:
    from tests.support.dashboard_client import Browser
    from tests.support.wires import Mess


async def test_the_page_of_schedules(ada: Browser, mess: Mess) -> None:
    """When each runs, its next five times, how its last job ended, and why it has stopped."""
    assert "There are no schedules" in (await ada.get("/schedules")).text
    await schedule(mess)
    page = (await ada.get("/schedules")).text
    rows = {re.findall(r"<b>([^<]+)</b>", row)[0]: row for row in page.split("<tr data-key")[1:]}

    assert ["mondays", "pushmill:nightly", "weekly"] == list(rows)
    nightly = rows["pushmill:nightly"]
    assert 5 == nightly.count("<li>")
    for text in ("0 3 * * * Europe/Berlin", 'badge">JOBS<', "2 h ago", "completed", f"/queue/{FILES.name}"):
        assert text in nightly, text
    assert "8 is no day of week" in rows["mondays"]
    assert (True, False) == ("paused</span>" in rows["weekly"], "Resume" in nightly)


async def test_actions_on_schedules(ada: Browser, mess: Mess) -> None:
    """Run now shows the job; the others come back to the page, and the log names the user."""
    await schedule(mess)

    async def act(action: str, schedule_id: str) -> str:
        answer = await ada.act(f"/schedule/{action}?queue={FILES.name}&id={schedule_id}")
        return str(answer.headers.get("location", answer.status_code))

    with capture_logs() as lines:
        ran = await act("run", "weekly")
        assert "said=schedule-resumed" in await act("resume", "weekly")
        assert "said=schedule-not-paused" in await act("resume", "weekly")
        assert "said=schedule-paused" in await act("pause", "pushmill:nightly")
        assert "said=schedule-removed" in await act("remove", "weekly")
        assert "404" == await act("remove", "weekly")
    assert "said=schedule-run" in ran
    assert "process-image" in (await ada.get(ran.removeprefix("/admin/queues"))).text
    events = ["schedule_run", "schedule_resumed", "schedule_paused", "schedule_deleted"]
    assert [(event, "ada") for event in events] == [(line["event"], line["by"]) for line in lines if "schedule" in line]
