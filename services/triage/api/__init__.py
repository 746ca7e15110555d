"""The request door: the cases of the hub, for its staff and its own systems."""

from services.triage.api.cases import router as cases
from services.triage.api.changes import router as changes
from services.triage.api.links import router as links

ROUTERS = (cases, changes, links)

__all__ = ["ROUTERS"]
