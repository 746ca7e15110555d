"""What the routes of triage share."""

from typing import Annotated, cast

from fastapi import Depends, Request

from hubkit.auth import Caller, requires
from hubkit.service import Service
from services.triage.actions.deps import Deps

Reader = Annotated[Caller, Depends(requires("cases:read"))]
Writer = Annotated[Caller, Depends(requires("cases:write"))]


def service(request: Request) -> Service:
    """Return the running service."""
    return cast("Service", request.app.state.service)


def dependencies(request: Request) -> Deps:
    """Return what the actions are given."""
    return cast("Deps", request.app.state.deps)
