"""Routes of the API: ids in the path, and checks of a request before its body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from queue_lib.web.api.dependencies import bearer, token_of
from queue_lib.web.api.problems import Fault, UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine
    from typing import Any

    from fastapi import Request, Response
    from starlette.routing import Match
    from starlette.types import Scope


class ApiRoute(APIRoute):
    """A route that checks the token first. FastAPI would read the body before it asks for one."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it was sent if it has a %2F: that is a part of an id, as a decoded / could not be."""
        sent: bytes = scope.get("raw_path") or b""
        if b"%2f" not in sent.lower():
            return super().matches(scope)
        match, found = super().matches({**scope, "path": sent.decode("ascii", errors="replace")})
        ids = {name: unquote(value) for name, value in found.get("path_params", {}).items()}
        return match, {**found, "path_params": ids}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the checks."""
        handle = super().get_route_handler()
        known = {param.alias for param in get_flat_params(self.dependant) if isinstance(param.field_info, Query)}

        async def check_first(request: Request) -> Response:
            token_of(request, await bearer(request))
            _check_query(request, known)
            return await handle(request)

        return check_first


def _check_query(request: Request, known: Collection[str]) -> None:
    """Raise UnfitError for parameters that would be ignored: `?queu=` would apply an action to all queues."""
    given = [name for name, _ in request.query_params.multi_items()]
    faults = {
        name: f"not known; known are: {', '.join(sorted(known)) or 'none'}" for name in given if name not in known
    }
    faults |= {name: "given more than once" for name in given if name in known and given.count(name) > 1}
    if faults:
        raise UnfitError([Fault(field=f"query.{name[:100]}", detail=fault) for name, fault in faults.items()])
