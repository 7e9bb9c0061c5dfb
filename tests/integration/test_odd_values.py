"""Odd values in Redis break no page, no answer of the API and no script; and no odd entry hides another."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from queue_lib.observe import log
from queue_lib.web.dashboard.addresses import PREFIX
from scripts import dead_letters, queue_stats, retry_failed
from tests.support.dashboard_client import SECRET, Browser, browser_of, built
from tests.support.odd_values import (
    BULLMQ,
    CHOICES,
    FILES,
    NESTED,
    STATES,
    raw_of,
    write_bullmq,
    write_dead_letter,
    write_heartbeat,
    write_rq,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx
    import pytest
    import typer

COUNT = 130  # odd values at once, on each wire and among the letters
WIRES = {"bullmq": write_bullmq, "rq": write_rq}


def strict(text: str) -> Any:
    """JSON as the strictest reader takes it. Raises ValueError for lone surrogates, NaN and the like."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()
    return value


class Api:
    """A client that accepts only good answers."""

    def __init__(self, browser: Browser) -> None:
        self._http = browser.http

    async def __call__(self, path: str, **query: Any) -> Any:
        """The answer."""
        url = f"{path}?{urlencode(query)}"
        answer = await self._http.get(url, headers={"Authorization": f"Bearer {SECRET}"})
        assert 200 == answer.status_code, (url, answer.text)
        return strict(answer.content.decode())


class Written:
    """What was written: where the jobs are, and which dead letters and jobs are ordinary."""

    def __init__(self, server: redis.Redis, values: Sequence[bytes]) -> None:
        self.jobs: dict[tuple[str, str], list[str]] = {}
        for wire, write in WIRES.items():
            for number, raw in enumerate([*values, *[None] * len(STATES)]):
                state, job_id = write(server, number, raw)
                self.jobs.setdefault((wire, state), []).append(job_id)
        for number, raw in enumerate(values):
            write_dead_letter(server, number, raw)
            write_heartbeat(server, number, raw, time.time())
        self.good_dead_letters = {write_dead_letter(server, COUNT + number, None) for number in range(3)}


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],  # a smaller example would take minutes to find
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(choices=st.lists(CHOICES, min_size=COUNT, max_size=COUNT))
def test_odd_values_on_all_faces(redis_url: str, monkeypatch: pytest.MonkeyPatch, choices: list[int | bytes]) -> None:
    """Hundreds of odd jobs, dead letters and workers: API, dashboard and scripts list and show all jobs."""
    look_everywhere(redis_url, monkeypatch, [raw_of(choice) for choice in choices])


def test_values_that_are_nested_at_any_depth_on_all_faces(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each field."""
    look_everywhere(redis_url, monkeypatch, [raw for raw in NESTED for _ in range(len(BULLMQ))])


def look_everywhere(redis_url: str, monkeypatch: pytest.MonkeyPatch, values: Sequence[bytes]) -> None:
    """All faces show all jobs that have these values."""
    with redis.Redis.from_url(redis_url) as server:
        server.flushall()
        written = Written(server, values)
    asyncio.run(look(redis_url, monkeypatch, written))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setattr(log, "configure", lambda *_: None)  # loggers would keep a script's stream, which is closed then
    run(queue_stats.app, "--json")
    [retryable] = run(retry_failed.app, "--dry-run", "--json")
    assert {each for (_, state), ids in written.jobs.items() if state == "failed" for each in ids} == {
        job["id"] for job in retryable["jobs"]
    }
    listed = {letter["letterId"] for letter in run(dead_letters.app, "list", "--json")}
    exported = {letter["letterId"] for letter in run(dead_letters.app, "export")}
    assert written.good_dead_letters <= listed == exported
    for letter_id in sorted(listed)[:3]:
        run(dead_letters.app, "show", letter_id, "--json")


def run(script: typer.Typer, *words: str) -> list[Any]:
    """Run a script; returns its output, line by line."""
    done = CliRunner().invoke(script, [*words])
    assert 0 == done.exit_code, (words, done.output, done.exception)
    return [json.loads(line) for line in done.stdout.splitlines() if line[:1] in "[{"]


async def look(redis_url: str, monkeypatch: pytest.MonkeyPatch, written: Written) -> None:
    """Check the API and all pages."""
    web, _ = built(redis_url, monkeypatch)
    async with web.router.lifespan_context(web), browser_of(web) as browser:
        assert 303 == (await browser.sign_in()).status_code
        await look_at_jobs(Api(browser), browser, written)
        await look_at_the_rest(Api(browser), browser, written)


async def look_at_jobs(api: Api, browser: Browser, written: Written) -> None:
    """In lists, in searches, and each alone."""
    for (wire, state), ids in written.jobs.items():
        where = {"queue": FILES, "wire": wire, "state": state}
        page = await api("/queue/jobs", **where, count=100)
        assert (sorted(ids), len(ids)) == (sorted(job["id"] for job in page["jobs"]), page["total"])
        found = await api("/queue/jobs", **where, text=f"{wire[:2]}", count=100)
        assert {job["id"] for job in found["jobs"]} == set(ids)
        good(await browser.get(f"/queue/{FILES}", params={"wire": wire, "state": state}))
        for job_id in ids:
            await api(f"/queue/jobs/{job_id}", queue=FILES, wire=wire)
            good(await browser.get("/job", params={"queue": FILES, "wire": wire, "id": job_id}))
        if state != "waiting":
            events = f"/queue/jobs/{ids[0]}/events?queue={FILES}&wire={wire}"
            told = await browser.http.get(events, headers={"Authorization": f"Bearer {SECRET}"})
            strict(told.text.partition("data: ")[2].strip())


async def look_at_the_rest(api: Api, browser: Browser, written: Written) -> None:
    """Dead letters, workers, history, statistics."""
    letters = [letter for start in (0, 100) for letter in await api("/queue/dead-letters", start=start, count=100)]
    ids = {letter["letterId"] for letter in letters}
    assert written.good_dead_letters <= ids
    for letter_id in ids:
        await api(f"/queue/dead-letters/{letter_id}")
        good(await browser.get("/letter", params={"id": letter_id}))
    for path in ("/queue/stats", "/queue/schedules", "/queue/workers"):
        await api(path)
    for path in ("/queue/history", "/queue/names"):
        await api(path, queue=FILES)
    for path in ("/", "/?period=day", "/letters", "/letters?start=50", "/schedules", "/workers", f"/queue/{FILES}"):
        good(await browser.get(path))
    metrics = await browser.http.get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
    assert "pushmill_redis_up 1.0" in metrics.text


def good(page: httpx.Response) -> None:
    """A page that is complete, and can be encoded as it is."""
    assert 200 == page.status_code, (page.url, page.text[-500:])
    assert page.text.rstrip().endswith("</html>") or PREFIX not in str(page.url)
