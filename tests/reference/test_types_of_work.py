"""Further job types of a queue manager, with the payloads that they have there.

What such a job may read is decided by the app's migrations and the worker's operator, not by the job.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"QUEUES": "exports"}
APP = {
    "queue.manager.ts": """
import { Queue } from "bullmq";
import { connection } from "@/lib/connection";

const QUEUES = {
  DATA_EXPORT: new Queue("exports", { connection }),
};

export const addJob = (type: keyof typeof QUEUES, data: object) => QUEUES[type].add(type, data);
"""
}


async def done(team: Team, kind: str, **data: Any) -> dict[str, Any]:
    """The result of a job of this type."""
    code = """
import { addJob } from "@/queue.manager";
import { finished } from "@/lib/finished";

export default await finished(await addJob(given.kind, given.data));
"""
    return dict(await team.node(code, kind=kind, data=data))


@pytest.mark.parametrize("export_type", ["csv", "json"])
async def test_an_export(team: Team, export_type: str) -> None:
    """`DATA_EXPORT` with `filters` and `columns`. The rows are those of the view that the migrations call an export."""
    data = {"exportType": export_type, "filters": {"product": "Tea"}, "columns": ["id", "product"]}
    result = await done(team, "DATA_EXPORT", **data)
    text = (team.app.folder / "store" / result["key"]).read_text("utf-8-sig")

    assert 2 == result["rows"]
    if export_type == "json":
        assert [{"id": "o1", "product": "Tea"}, {"id": "o3", "product": "Tea"}] == json.loads(text)
    else:
        assert ["id,product", "o1,Tea", "o3,Tea"] == text.splitlines()
