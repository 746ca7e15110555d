"""Route guards for FastAPI. Each is an object that can be found on its route, so that a test can list them all."""

import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

from fastapi import FastAPI, Request, routing
from fastapi.dependencies.models import Dependant

from hubkit.auth.tokens import Caller, Verifier
from hubkit.errors import UnauthenticatedError

_log = logging.getLogger(__name__)


def bearer(request: Request) -> str:
    """Return the bearer token of a request.

    Raises
    ------
    UnauthenticatedError
        Unless there is exactly one `Authorization` header, and it is `Bearer`.
    """
    values = request.headers.getlist("authorization")
    scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
    if scheme.lower() != "bearer" or not token or token != token.strip():
        raise UnauthenticatedError
    return token


class ScopeGuard:
    """A dependency that gives the verified caller, and refuses one without `scope`.

    Parameters
    ----------
    scope
        The scope that is needed, or None for any verified caller.
    verifier
        Who checks the token; without one, `app.state.verifier` of the application that serves the request.
    """

    def __init__(self, scope: str | None, verifier: Verifier | None = None) -> None:
        self.scope = scope
        self._verifier = verifier

    async def __call__(self, request: Request) -> Caller:
        """Return the caller of `request`."""
        verifier = self._verifier or cast("Verifier", request.app.state.verifier)
        try:
            caller = verifier.verify(bearer(request))
        except UnauthenticatedError:
            # Only deployables call each other with these tokens: one that is not believed is a fault or an intruder.
            _log.warning("access_refused", extra={"code": "unauthenticated", "method": request.method})
            raise
        if self.scope is not None:
            caller.require(self.scope)
        return caller


@lru_cache(maxsize=256)
def requires(scope: str) -> ScopeGuard:
    """Return the guard for `scope`: `caller: Annotated[Caller, Depends(requires("referrals:write"))]`.

    The application puts its verifier at `app.state.verifier` before it serves.
    """
    return ScopeGuard(scope)


def caller_dependency(verifier: Verifier | None = None) -> ScopeGuard:
    """Return a guard that takes any verified caller (`scope` is None)."""
    return ScopeGuard(None, verifier)


def route_guards(app: FastAPI) -> dict[str, tuple[ScopeGuard, ...]]:
    """Return every route of `app` (`"GET /v1/cases/{id}"`) with the guards before it; none means that it is public.

    Dependencies of the application and of included routers count. A mounted application is one entry, `"* <path>"`.
    """
    found: dict[str, tuple[ScopeGuard, ...]] = {}
    for context in routing.iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        guards = tuple(call for call in _calls(dependant) if isinstance(call, ScopeGuard))
        for method in sorted(context.methods or {"*"}):
            found[f"{method} {context.path}"] = guards
    return found


def _calls(dependant: Dependant | None) -> Iterator[object]:
    for dependency in dependant.dependencies if dependant else ():
        yield dependency.call
        yield from _calls(dependency)
