"""What hub staff see and decide about sharing in a case."""

from typing import Annotated

from fastapi import Depends, Request

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import access, views
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.cases import (
    AccessDecision,
    CaseOnward,
    NewAccessRequest,
    PassageBody,
    ReferredTo,
)

router = new_router("/v1/cases", tags=["cases"])
Reader = Annotated[Caller, Depends(requires("cases:read"))]


@router.get("/{case_id}/onward-referrals")
async def list_onward_referrals(
    request: Request, caller: Reader, case_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[CaseOnward]:
    """List the onward referrals of a case with their services, in the hub's words."""
    name = f"case onward {case_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await views.list_referred(tx, dependencies(request), case_id, after, limit + 1)
    return page(request, caller, name, found, limit, _onward)


@router.get("/{case_id}/disclosures")
async def list_disclosures(
    request: Request, caller: Reader, case_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[PassageBody]:
    """List what went out of a case and what was withheld, to whom, on what ground."""
    name = f"case disclosures {case_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await views.list_passages(tx, dependencies(request), case_id, after, limit + 1)
    return page(request, caller, name, found, limit, PassageBody.model_validate)


@router.post("/{case_id}/access-requests", status_code=201)
async def request_access(
    request: Request,
    caller: Annotated[Caller, Depends(requires("cases:write"))],
    case_id: Id,
    body: NewAccessRequest,
) -> AccessDecision:
    """Decide whether somebody who asks may have data of a case, and keep the decision. Nothing goes out by it."""
    asked = access.AccessRequest(**body.model_dump())
    async with database(request).transaction() as tx:
        decided = await access.request_access(tx, dependencies(request), caller, case_id, asked)
    return AccessDecision.model_validate(decided)


def _onward(found: views.Referred) -> CaseOnward:
    row = found.row
    return CaseOnward(
        id=row.id,
        need=row.kind,
        service=ReferredTo.model_validate(found.service) if found.service is not None else None,
        team=row.team,
        status=str(row.status),
        outcome=found.outcome,
        reason=next(iter(found.reasons), None),
        reasons=found.reasons,
        ended=row.outcome,
        told_about=found.told_about,
        basis=row.basis,
        changed_at=row.changed_at,
    )
