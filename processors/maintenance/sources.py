"""Where values for the app's cache come from: a view, a page of the app, or a function of the team's."""

from __future__ import annotations

import asyncio
import inspect
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from processors.maintenance.app_url import app_url
from queue_lib.errors import PermanentError, TransientError
from queue_lib.plain_json import to_json
from storage.errors import SchemaError, StatementRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from processors.maintenance.payload import CacheWarmPayload
    from processors.outbound import HttpClient
    from queue_lib.feature import CacheSource
    from storage.ports import CacheViews

MEBIBYTE = 1024**2
MAX_VALUE = 5 * MEBIBYTE  # bytes
APP_SECONDS = 30.0
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
NO_TOKEN = SecretStr("")
TOO_LARGE = f"its value has more than {MAX_VALUE // MEBIBYTE} MiB"


@dataclass(frozen=True, slots=True)
class Sources:
    """What this process can ask. `tools` are what the team's functions get."""

    views: CacheViews | None
    http: HttpClient
    app_url: str | None = None
    app_token: SecretStr = NO_TOKEN
    functions: Mapping[str, CacheSource] = field(default_factory=dict)
    tools: Any = None

    def value(self, payload: CacheWarmPayload) -> Awaitable[bytes]:
        """Make the value. Raises PermanentError at once for a source that there is not."""
        kind, _, name = payload.data_source.partition(":")
        match kind:
            case "view":
                return self._of_view(name)
            case "app":
                return self._of_app(name, payload.params)
        return self._of_function(name, payload.params)

    async def _of_view(self, name: str) -> bytes:
        if self.views is None:
            msg = "DATABASE_URL is not set: a source view:<name> needs it"
            raise PermanentError(msg)
        try:
            found = await self.views.read(name, MAX_VALUE)
        except (SchemaError, StatementRefusedError) as error:
            msg = f"view:{name}: {error}"
            raise PermanentError(msg) from error
        if found is None:
            raise PermanentError(TOO_LARGE)
        return found.encode()

    async def _of_app(self, path: str, params: dict[str, Any]) -> bytes:
        if self.app_url is None:
            msg = "APP_INTERNAL_URL is not set: a source app:<path> needs it"
            raise PermanentError(msg)
        from yarl import URL  # noqa: PLC0415 -- as aiohttp: many workers send no request

        url = URL(app_url(self.app_url, path, params), encoded=True)  # one parser, one meaning
        token = {"Authorization": f"Bearer {self.app_token.get_secret_value()}"}
        answer = await self.http.request(
            "GET", url, seconds=APP_SECONDS, headers=token, trusted=True, max_body=MAX_VALUE
        )
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in PASSING:
            msg = f"the app answers {answer.status}"
            raise TransientError(msg)
        if answer.status != HTTPStatus.OK:
            msg = f"the app answers {answer.status}, not 200; redirects are not followed"
            raise PermanentError(msg)
        if not answer.is_whole:
            if len(answer.body) >= MAX_VALUE:
                raise PermanentError(TOO_LARGE)
            msg = "the app's answer broke off"
            raise TransientError(msg)
        return answer.body

    async def _of_function(self, name: str, params: dict[str, Any]) -> bytes:
        made = self.functions.get(name)
        if made is None:
            known = ", ".join(sorted(self.functions)) or "none"
            msg = f"own:{name}: no module of JOBS has it in CACHE_SOURCES; there are {known}"
            raise PermanentError(msg)
        if inspect.iscoroutinefunction(made):
            found = made(self.tools, params)
        else:
            found = await asyncio.to_thread(made, self.tools, params)
        value = as_bytes(await found if inspect.isawaitable(found) else found)
        if len(value) > MAX_VALUE:
            raise PermanentError(TOO_LARGE)
        return value


def as_bytes(value: Any) -> bytes:
    """A text or bytes as they are, anything else as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode(errors="replace")
    made = to_json(value, max_bytes=2 * MAX_VALUE)
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
