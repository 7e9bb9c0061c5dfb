"""How much may be submitted: bodies have a limit, and so has a token in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from queue_lib.api.guard import MAX_BODY, WINDOW, Limiter
from tests.support.api_client import JOB, Client, api, client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_large_bodies_are_refused(ask: Client) -> None:
    """Also where their length is not said before."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 65_536 + 1):
            yield b" " * 65_536

    assert 413 == (await ask("POST", "/queue/jobs", content=b" " * (MAX_BODY + 1))).status_code
    assert 413 == (await ask("POST", "/queue/jobs", content=chunks())).status_code


async def test_submissions_are_limited(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each token; the answer says when to come back. A batch counts as many as it has, or not at all."""
    async with client_of(api(redis_url, monkeypatch, rate=5)) as ask:
        answers = [await ask("POST", "/queue/jobs", json=JOB) for _ in range(4)]
        answers += [await ask("POST", "/queue/jobs/batch", json={"jobs": [JOB] * count}) for count in (6, 2, 1)]
        answers += [await ask("POST", "/queue/jobs", json=JOB)]
        looked = await ask("GET", "/queue/stats")

    assert [*[202] * 4, 413, 429, 202, 429] == [answer.status_code for answer in answers]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= WINDOW
    assert 5 == looked.json()["queues"][1]["counts"]["waiting"]


def test_the_limit_is_by_token_and_window() -> None:
    """One token's haste is nobody else's, and a minute later it may go on."""
    now = 0.0
    limiter = Limiter(1, clock=lambda: now)
    limiter.count("a")
    limiter.count("b")
    with pytest.raises(Exception, match="more than 1 jobs in a minute"):
        limiter.count("a")
    now = WINDOW
    limiter.count("a")
