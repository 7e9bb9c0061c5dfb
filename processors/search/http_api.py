"""JSON requests to a search engine, and what its statuses mean."""

from __future__ import annotations

import base64
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from processors.outbound import NoAnswerError
from processors.search.engine import (
    AWAY_FOR,
    EngineAwayError,
    EngineRefusesError,
    RequestRefusedError,
    RequestTooLargeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from processors.outbound import Answer, HttpClient

SECONDS = 30.0  # that a request may take
MAX_ANSWER = 32 * 1024 * 1024  # bytes: each of 500 items may have a long reason
MAX_REASON = 300  # characters
LONGEST_PAUSE = 300.0  # seconds that an engine may ask for
AWAY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
UNKNOWN_PATH = "no handler found"  # Elasticsearch's 400 for a path that is none of its own
UNREAD = object()  # an answer that is no JSON
# Engines repeat what they could not read, and that is the users' data.
_VALUE = re.compile(r"value \[.*\] ")  # to the last bracket: the value may have some, too
_CUT = re.compile(r"(\. Preview of field's value|, the prefix of the first immense|parse err).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Location:
    """Where the engine is: `base` is the URL without the user; `headers` sign in."""

    base: str
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read SEARCH_URL."""
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        headers = {}
        if parts.username is not None:
            signature = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(signature).decode()}"
        return cls(urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", "")), headers)


class Api:
    """The engine's HTTP API."""

    def __init__(self, http: HttpClient, location: Location) -> None:
        """Requests go over the client that all features share."""
        self._http = http
        self._location = location

    async def call(
        self, method: str, path: str, body: Any = None, *, missing: Any = None, lines: bytes | None = None
    ) -> Any:
        """The JSON that is answered; `missing` for a 404. `body` is JSON, `lines` is NDJSON.

        Raises EngineAwayError, EngineRefusesError, RequestTooLargeError or RequestRefusedError.
        """
        kind = "application/json" if lines is None else "application/x-ndjson"
        sent = lines if lines is not None else None if body is None else json.dumps(body).encode()
        try:
            answer = await self._http.request(
                method,
                self._location.base + path,
                seconds=SECONDS,
                headers={**self._location.headers, "Content-Type": kind, "Accept": "application/json"},
                body=sent,
                trusted=True,
                max_body=MAX_ANSWER,
            )
        except NoAnswerError as error:
            raise EngineAwayError(str(error)) from None
        return _read(answer, missing)


def _read(answer: Answer, missing: Any) -> Any:
    status = answer.status
    if status == HTTPStatus.NOT_FOUND and missing is not None:
        return missing
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise RequestTooLargeError
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in AWAY:
        msg = f"it answers {status} ({_why(answer)})"
        raise EngineAwayError(msg, _pause(answer))
    if status == HTTPStatus.BAD_REQUEST and UNKNOWN_PATH not in _why(answer):
        raise RequestRefusedError(_why(answer))
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        msg = f"it answers {status}: is SEARCH_URL right, and may its user do this? ({_why(answer)})"
        raise EngineRefusesError(msg)
    found = _parsed(answer)
    if found is UNREAD:
        msg = "its answer is no JSON, or broke off; is something else at SEARCH_URL?"
        raise EngineAwayError(msg)
    return found


@contextmanager
def shape_expected() -> Iterator[None]:
    """Within this block an answer is read: one that lacks what is looked for raises EngineAwayError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError):
        msg = "its answer is not a search engine's; is something else at SEARCH_URL?"
        raise EngineAwayError(msg) from None


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body) if answer.is_whole else UNREAD
    except (ValueError, RecursionError):
        return UNREAD


def _pause(answer: Answer) -> float:
    try:
        return min(LONGEST_PAUSE, max(AWAY_FOR, float(answer.headers.get("Retry-After", AWAY_FOR))))
    except ValueError:
        return AWAY_FOR


def _why(answer: Answer) -> str:
    found = _parsed(answer)
    return reason(found.get("error") if isinstance(found, dict) else None) or "no reason given"


def reason(error: Any) -> str:
    """An engine's error in one line, without the value that it could not read."""
    if isinstance(error, dict):
        error = ": ".join(str(error[part]) for part in ("type", "reason") if error.get(part))
    text = " ".join(str(error).split()) if error else ""
    return _CUT.sub("", _VALUE.sub("value ", text))[:MAX_REASON]


def path_of(*names: str) -> str:
    """A path of names that may have any character."""
    return "".join(f"/{quote(name, safe='')}" for name in names)
