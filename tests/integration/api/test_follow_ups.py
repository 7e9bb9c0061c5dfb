"""A push and its follow-up jobs: a client gets from each to the next one, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.push_chain import chain
from tests.support.showcase import PUSHES

if TYPE_CHECKING:
    from tests.support.api_client import Client
    from tests.support.wires import Mess


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_jobs_lead_both_ways(ask: Client, mess: Mess, wire: str) -> None:
    """From the push to its follow-up and on to the next; back to the one before and to the first."""
    first, second, third = await chain(mess, wire)

    jobs = [
        (await ask("GET", f"/queue/jobs/{job_id}?queue={PUSHES.name}&wire={wire}")).json()
        for job_id in (first, second, third)
    ]

    assert [1, 1] == [job["result"]["retrying"] for job in jobs[:2]]
    assert [_refs(second), _refs(third), []] == [job["followUps"] for job in jobs]
    assert [[], _refs(first), _refs(second, first)] == [job["followUpOf"] for job in jobs]


def _refs(*ids: str) -> list[dict[str, str]]:
    return [{"id": job_id, "queue": PUSHES.name} for job_id in ids]
