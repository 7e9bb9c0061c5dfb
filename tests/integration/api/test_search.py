"""The route that fills an entity's index."""

from __future__ import annotations

import pytest

from tests.support.api_client import READ_SECRET, Client


async def test_a_backfill_is_enqueued_once(ask: Client) -> None:
    """A second request finds the one that waits; a rebuild is another one."""
    first = await ask("PUT", "/search/index/Post")
    again = await ask("PUT", "/search/index/Post")
    rebuild = await ask("PUT", "/search/index/Post?rebuild=true")

    assert [answer.status_code for answer in (first, again, rebuild)] == [202] * 3
    assert first.json() == {"enqueued": True, "id": first.json()["id"], "queue": "search", "wire": "bullmq"}
    assert again.json() == first.json()
    job = (await ask("GET", f"/queue/jobs/{rebuild.json()['id']}?queue=search")).json()
    assert [job["name"], job["data"]] == ["backfill", {"entity": "Post", "rebuild": True}]


@pytest.mark.parametrize("path", ["/search/index/a%22b", "/search/index/_all", f"/search/index/{'x' * 57}"])
async def test_what_is_no_entity_is_refused(ask: Client, path: str) -> None:
    """It would be the name of a view."""
    assert (await ask("PUT", path)).status_code == 422


async def test_the_rules_of_tokens_hold(ask: Client) -> None:
    """A token that reads adds nothing; an unknown one gets 401; jobs are counted."""
    assert (await ask("PUT", "/search/index/Post", secret=READ_SECRET)).status_code == 403
    assert (await ask("PUT", "/search/index/Post", secret="guess")).status_code == 401
    for _ in range(ask.app.state.limiter.most):
        ask.app.state.limiter.count("app", 1)
    assert (await ask("PUT", "/search/index/Post")).status_code == 429
