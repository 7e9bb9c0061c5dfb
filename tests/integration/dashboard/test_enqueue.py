"""The form for a test job: a sample, the model's faults, and the job in its queue."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import READ_SECRET, Browser
from tests.support.showcase import FILES, IMAGE

if TYPE_CHECKING:
    import httpx

    from tests.support.wires import Mess

ADD = f"/queue/{FILES.name}/add"


def payload_of(page: httpx.Response) -> str:
    """What is in the form's field."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.text, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_the_sample_can_be_added(ada: Browser, wire: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On the wire that the form says; the page of the job follows, and the log names the user."""
    assert f'href="{PREFIX}{ADD}"' in (await ada.get(f"/queue/{FILES.name}")).text
    page = await ada.get(f"{ADD}?name=process-image")
    sample = payload_of(page)
    assert {"fileId", "filePath", "userId"} == set(json.loads(sample))

    answer = await ada.act(f"{ADD}?name=process-image", wire=wire, payload=sample)
    assert 303 == answer.status_code
    shown = await ada.http.get(answer.headers["location"])
    assert "The job is added." in shown.text
    assert f"wire={wire}" in answer.headers["location"]
    assert re.search(r"job_added.*by=.*ada.*name=process-image", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("{", "this is no JSON: Expecting property name enclosed in double quotes in line 1, column 2"),
        ("", "this is no JSON"),
        ("[" * 20_000, "this is no JSON"),
        ('{"fileId": NaN}', "this is no JSON"),
        ("{}", "filePath: Field required"),
        (json.dumps(IMAGE | {"filePath": "../x"}), "filePath: "),
        ('"<script>alert(1)</script>"', "bad payload for process-image"),
    ],
)
async def test_faults_are_shown_at_the_form(ada: Browser, mess: Mess, payload: str, told: str) -> None:
    """What was written stays, and nothing is added."""
    page = await ada.act(f"{ADD}?name=process-image", wire="bullmq", payload=payload)
    assert 422 == page.status_code
    assert html.escape(told, quote=False) in html.unescape(page.text)
    assert 'aria-invalid="true" aria-describedby="faults"' in page.text
    assert payload == payload_of(page)
    assert "<script>alert" not in page.text
    assert not mess.redis.exists(f"bull:{FILES.name}:wait")


async def test_a_payload_of_several_lines_stays_json(ada: Browser) -> None:
    """Browsers send CRLF. What is shown again can be corrected and sent again."""
    page = await ada.act(f"{ADD}?name=process-image", wire="bullmq", payload='{\r\n  "fileId": 7\r\n}')
    assert 422 == page.status_code
    assert '{\n  "fileId": 7\n}' == payload_of(page)


@pytest.mark.parametrize(
    ("path", "wire", "status"),
    [
        (f"{ADD}?name=push-notification", "bullmq", 404),
        (f"{ADD}?name=odd", "bullmq", 404),
        ("/queue/none/add", "bullmq", 404),
        (f"{ADD}?name=process-image", "odd", 422),
        (f"{ADD}?name=process-image", "", 422),
    ],
)
async def test_other_jobs_and_wires_are_refused(ada: Browser, path: str, wire: str, status: int) -> None:
    """A queue takes its own jobs only."""
    assert status == (await ada.act(path, wire=wire, payload="{}")).status_code


async def test_who_may_only_read_gets_no_form(stranger: Browser) -> None:
    """Neither the link nor the page."""
    await stranger.sign_in(READ_SECRET)
    assert f"{ADD}" not in (await stranger.get(f"/queue/{FILES.name}")).text
    assert 403 == (await stranger.get(ADD)).status_code
    assert 403 == (await stranger.act(ADD, wire="bullmq", payload=json.dumps(IMAGE))).status_code
