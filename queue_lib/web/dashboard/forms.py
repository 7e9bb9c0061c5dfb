"""HTML forms: reading one, and checking that it is one of the dashboard's own."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from fastapi import Request

MOST_FIELDS = 60  # of a form: a page lists 50 jobs, which may all be ticked
LONGEST_FORM = 64 * 1024  # bytes


def is_https(request: Request) -> bool:
    """Whether the browser asked by https; the platform's router, which ends TLS, says so."""
    told = request.headers.get("x-forwarded-proto", request.url.scheme)
    return told.partition(",")[0].strip().lower() == "https"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of the form that was sent. Raises 413, 415 and 400 for a body that is no form of ours."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this is no form")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the form has more than {LONGEST_FORM} bytes")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the form can't be read") from None


def check_origin(request: Request) -> None:
    """Raise 403 unless the form was sent from a page of this very host."""
    origin = request.headers.get("origin", "")
    scheme = "https" if is_https(request) else "http"
    expected = f"{scheme}://{request.headers.get('host', '')}"
    if origin.lower() != expected.lower():
        hint = ""
        if urlsplit(origin).netloc == urlsplit(expected).netloc:
            hint = " (does the proxy in front send X-Forwarded-Proto?)"
        msg = f"the form was sent from another site: {origin[:100] or 'unknown'}, not {expected[:100]}{hint}"
        raise HTTPException(HTTPStatus.FORBIDDEN, msg)


def check_csrf(expected: str, form: dict[str, str]) -> None:
    """Raise 403 unless the form has this token."""
    if not expected or not hmac.compare_digest(expected.encode(), form.get("csrf", "").encode(errors="replace")):
        msg = "the form is out of date: go back, reload the page, and try again"
        raise HTTPException(HTTPStatus.FORBIDDEN, msg)
