"""What all answers have in common: their headers, and errors for unknown paths, methods and hosts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from queue_lib.admin.dead_letters import DeadLetterAdmin
from tests.support.api_client import JOB, SECRET, Client

if TYPE_CHECKING:
    import httpx

AUTHORIZATION = {"Authorization": f"Bearer {SECRET}"}


def check(answer: httpx.Response) -> None:
    """The answer may not be cached, or taken for another type."""
    assert ("nosniff", "no-store") == (answer.headers["x-content-type-options"], answer.headers["cache-control"])


async def test_no_answer_is_cached_or_sniffed(ask: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good, refused, of an unknown path, of events, or of a fault."""
    where = (await ask("POST", "/queue/jobs", json=JOB)).headers["location"]
    ask.app.state.watch.close()
    for path in (where, where.replace("?", "/events?"), "/queue/stats", "/metrics", "/healthz", "/openapi.json", "/x"):
        check(await ask.http.get(path, headers=AUTHORIZATION))
    check(await ask.http.get("/queue/stats"))
    check(await ask.http.post("/queue/jobs", headers=AUTHORIZATION, content=b"{"))

    async def broken(_: DeadLetterAdmin) -> int:
        raise LookupError

    monkeypatch.setattr(DeadLetterAdmin, "count", broken)
    fault = await ask.http.get("/queue/stats", headers=AUTHORIZATION)
    check(fault)
    assert 500 == fault.status_code


async def test_all_methods_of_a_path_are_named(ask: Client) -> None:
    """The answer to an unknown method names those of all routes of the path."""
    paths = ask.app.openapi()["paths"]
    for path, methods in paths.items():
        answer = await ask.http.patch(re.sub(r"\{\w+\}", "x", path), headers=AUTHORIZATION)
        assert 405 == answer.status_code, path
        assert {method.upper() for method in methods} <= set(answer.headers["allow"].split(", ")), path
    assert "GET, POST" == (await ask.http.patch("/queue/jobs")).headers["allow"]
    assert "GET, DELETE" == (await ask.http.patch("/queue/jobs/1")).headers["allow"]


@pytest.mark.parametrize("path", ["/queue/stats/", "/queue/jobs/", "/healthz/", "//evil.example/", "/queue//stats"])
async def test_no_redirect_to_a_host_that_a_client_named(ask: Client, path: str) -> None:
    """A slash too many is an unknown path."""
    answer = await ask.http.get(f"http://api{path}", headers={**AUTHORIZATION, "Host": "evil.example"})

    assert 404 == answer.status_code
    assert "evil.example" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", f"/queue/{what}") for what in ("pause", "resume", "drain", "retry/failed", "clean/failed?older=0")),
        *(("GET", f"/queue/{what}") for what in ("history", "jobs?state=failed&wire=rq", "jobs/1", "jobs/1/events")),
    ],
)
async def test_a_queue_without_a_name(ask: Client, method: str, path: str) -> None:
    """An empty name does not mean all queues: the schema forbids it, and the answer names the parameter."""
    mark = "&" if "?" in path else "?"
    empty, unknown = [await ask(method, f"{path}{mark}queue={name}") for name in ("", "mail")]

    assert (422, "query.queue") == (empty.status_code, empty.json()["errors"][0]["field"])
    assert 404 == unknown.status_code
