"""The API's tokens, and what each may do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute

from queue_lib.settings import load
from queue_lib.web import tokens
from queue_lib.web.settings import ApiSettings
from tests.support.api_client import FULL, JOB, READ, READ_SECRET, SECRET, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

OPEN = {"/healthz", "/readyz"}
OTHER_TOKEN = {"/hirefire", "/hirefire/x/info"}  # HIREFIRE_TOKEN, which is not set here


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of each route, `x` for each parameter."""
    found = [
        (method, re.sub(r"\{\w+\}", "x", route.path))
        for part in app.routes
        for route in (
            [part] if isinstance(part, APIRoute) else getattr(getattr(part, "original_router", None), "routes", [])
        )
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(found) > 12
    yield from found


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {SECRET}"}])
async def test_nothing_answers_without_a_token(ask: Client, headers: dict[str, str]) -> None:
    """Except the two health checks. Without a token no body is read, because it may be endless."""

    async def endless() -> AsyncIterator[bytes]:
        pytest.fail("the body is read")
        yield b""

    for method, path in routes(ask.app):
        body = endless() if method == "POST" else None
        answer = await ask.http.request(method, path, headers=headers, content=body)
        if path in OPEN:
            assert 200 == answer.status_code
        elif path in OTHER_TOKEN:
            assert 404 == answer.status_code
        else:
            assert (401, "Bearer") == (answer.status_code, answer.headers.get("www-authenticate")), path


async def test_a_token_that_may_only_read_changes_nothing(ask: Client) -> None:
    """Whichever route it calls."""
    for method, path in routes(ask.app):
        answer = await ask.http.request(
            method, path, headers={"Authorization": f"Bearer {READ_SECRET}"}, json=JOB if method == "POST" else None
        )
        assert (403 == answer.status_code) == (method != "GET"), (method, path, answer.text)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "API_TOKENS: not set, and required"),
        (SECRET, "API_TOKENS: an entry is not of the form"),
        (f"{tokens.entry(FULL)},{tokens.entry(FULL)}", "API_TOKENS: two tokens have the same name"),
        (",", "API_TOKENS: "),
    ],
)
def test_the_settings_refuse_bad_tokens(monkeypatch: pytest.MonkeyPatch, value: str | None, fault: str) -> None:
    """A process without tokens does not start; a value set by mistake is not repeated."""
    monkeypatch.delenv("API_TOKENS", raising=False)
    if value is not None:
        monkeypatch.setenv("API_TOKENS", value)
    with pytest.raises(Exception, match=fault) as refused:
        load(ApiSettings)
    assert SECRET not in str(refused.value)


def test_tokens_are_read_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, each with its role."""
    monkeypatch.setenv("API_TOKENS", f"{tokens.entry(FULL)}, {tokens.entry(READ)}")
    [settings] = load(ApiSettings)

    assert (FULL, READ) == settings.api_tokens
    assert FULL == tokens.find(settings.api_tokens, SECRET)
    assert tokens.find(settings.api_tokens, SECRET[:-1]) is None
    assert SECRET not in str(settings)
