"""Limits of submissions: of a body's size and time, and of a token's jobs in a minute."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from queue_lib.web import body_limit, tokens
from queue_lib.web.api.submissions import count_jobs
from queue_lib.web.body_limit import LARGEST, BodyLimit
from queue_lib.web.rate_limit import WINDOW, FixedWindow
from tests.support.api_client import JOB, Client, api, client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx


async def test_large_bodies_are_refused(ask: Client) -> None:
    """Also without a Content-Length."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST // 65_536 + 1):
            yield b" " * 65_536

    assert 413 == (await ask("POST", "/queue/jobs", content=b" " * (LARGEST + 1))).status_code
    assert 413 == (await ask("POST", "/queue/jobs", content=chunks())).status_code


async def test_slow_bodies_are_given_up(ask: Client) -> None:
    """A client with a token may not take for ever to send a job."""
    ask.app.user_middleware[:] = [Middleware(BodyLimit, longest=0.2)]

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await ask("POST", "/queue/jobs", content=slow())

    assert (408, "the body took more than 0.2 seconds") == (answer.status_code, answer.json()["detail"])


@pytest.mark.parametrize("bound", ["MOST", "MOST_BYTES"])
async def test_bodies_held_at_once_are_bounded(ask: Client, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """In number and bytes: beyond that a client gets 'come back', and finds room when others end."""
    text = json.dumps(JOB).encode()
    monkeypatch.setattr(body_limit, bound, {"MOST": 2, "MOST_BYTES": 2 * len(text)}[bound])
    sent, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield text
        sent.release()
        await go_on.wait()

    async def submit(content: bytes | AsyncIterator[bytes]) -> httpx.Response:
        return await ask("POST", "/queue/jobs", content=content, headers={"Content-Type": "application/json"})

    holding = [asyncio.create_task(submit(held())) for _ in range(2)]
    for _ in holding:
        await sent.acquire()
    refused = await submit(text)
    go_on.set()

    assert (503, body_limit.BUSY_FOR) == (refused.status_code, refused.headers["retry-after"])
    assert "too much is being sent" in refused.json()["detail"]
    assert [202, 202] == [answer.status_code for answer in await asyncio.gather(*holding)]
    assert 202 == (await submit(text)).status_code


async def test_submissions_are_limited(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By token; the answer says when to come back. A batch counts with all its jobs, or not at all."""
    async with client_of(api(redis_url, monkeypatch, rate=5)) as ask:
        answers = [await ask("POST", "/queue/jobs", json=JOB) for _ in range(4)]
        answers += [await ask("POST", "/queue/jobs/batch", json={"jobs": [JOB] * count}) for count in (6, 2, 1)]
        answers += [await ask("POST", "/queue/jobs", json=JOB)]
        looked = await ask("GET", "/queue/stats")

    assert [*[202] * 4, 413, 429, 202, 429] == [answer.status_code for answer in answers]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= WINDOW
    assert 5 == looked.json()["queues"][1]["counts"]["waiting"]


def test_the_limit_is_by_token_and_window() -> None:
    """One token's haste costs no other token, and a minute later it may go on."""
    now = 0.0
    ada, bob = (tokens.make(name, may_write=True)[1] for name in ("ada", "bob"))
    limiter = FixedWindow(1, clock=lambda: now)
    count_jobs(limiter, ada, 1)
    count_jobs(limiter, bob, 1)
    with pytest.raises(HTTPException, match="more than 1 jobs in a minute"):
        count_jobs(limiter, ada, 1)
    now = WINDOW
    count_jobs(limiter, ada, 1)
