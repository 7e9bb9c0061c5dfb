"""Hostile values in jobs: the dashboard shows them and does not obey them."""

from __future__ import annotations

import html
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.showcase import FILES, IMAGE

if TYPE_CHECKING:
    from tests.support.dashboard_client import Browser
    from tests.support.wires import Mess

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_hostile_content_is_shown_and_not_obeyed(ada: Browser, mess: Mess, wire: str) -> None:
    """Markup, terminal escapes, lone surrogates, huge and deep payloads, in every field that a producer writes."""
    job_id = await (_hostile_bullmq(mess) if wire == "bullmq" else _hostile_rq(mess))
    listed = await ada.get(f"/queue/{FILES.name}?state=waiting&wire={wire}")
    [link] = re.findall(rf'href="{PREFIX}(/job\?[^"]+)"', listed.text)
    job = await ada.get(html.unescape(link))
    sought = await ada.get(f"/queue/{FILES.name}", params={"wire": wire, "text": "<script>"})

    for page in (listed, job, sought):
        assert 200 == page.status_code
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert not set("\x1b\u202e\ud800\x00") & set(page.text)
        assert len(page.text) < 400_000
    assert html.escape(job_id) in job.text
    assert "and more" in job.text


async def _hostile_bullmq(mess: Mess) -> str:
    """A job with hostile fields, as anyone with the Redis URL can write it."""
    job_id = "../a/b c?d#e%2F&amp;"
    await mess.bullmq(HOSTILE, {}, queue=FILES.name, jobId=job_id)
    texts = json.dumps([HOSTILE + "\ud800", "x" * 5_000_000])
    failures = json.dumps([f"{HOSTILE}\n    at {HOSTILE}"] * 5)
    mess.redis.hset(
        f"bull:{FILES.name}:{job_id}",
        mapping={"data": texts, "stacktrace": failures, "failedReason": HOSTILE * 100, "progress": texts},
    )
    mess.redis.rpush(f"bull:{FILES.name}:{job_id}:logs", HOSTILE, b"\xff\xfe")
    return job_id


async def _hostile_rq(mess: Mess) -> str:
    """A job of RQ's, whose ids allow few characters."""
    [job_id] = mess.rq(HOSTILE.replace("\x1b", ""), {"a": HOSTILE, "long": "x" * 2_000_000}, queue=FILES.name)
    return job_id


async def test_a_deeply_nested_payload_is_no_fault(ada: Browser, mess: Mess) -> None:
    """It is shown as far as possible."""
    [job_id] = await mess.bullmq("process-image", IMAGE, queue=FILES.name)
    mess.redis.hset(f"bull:{FILES.name}:{job_id}", "data", "[" * 900 + "]" * 900)
    page = await ada.get(f"/job?queue={FILES.name}&wire=bullmq&id={job_id}")
    assert (200, True) == (page.status_code, "Payload" in page.text)


@pytest.mark.parametrize(("kind", "seconds"), [("minute", 60), ("span", 600), ("names", 1800)])
async def test_numbers_that_cannot_be_read_hide_no_job(ada: Browser, mess: Mess, kind: str, seconds: int) -> None:
    """The queue's page says so, and the overview does not say that all is well."""
    [job_id] = await mess.bullmq("process-image", IMAGE, queue=FILES.name)
    for number in range(2):  # a span may begin meanwhile
        mess.redis.set(f"bull:pulse:{kind}:{FILES.name}:{int(time.time() // seconds) + number}", "odd")
    period = "hour" if kind == "minute" else "day"
    page = await ada.get(f"/queue/{FILES.name}?period={period}")
    assert 200 == page.status_code
    assert f"wire=bullmq&amp;id={job_id}" in page.text
    assert "Not all of it can be read: a key in Redis has the wrong type." in page.text
    if kind != "names":  # these are not on the overview
        assert "What the workers did can&#39;t be read" in (await ada.get(f"/?period={period}")).text
