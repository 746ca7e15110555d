"""What staff ask of the gate, and decide to protect a person."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import acknowledgements, preview, protection, safeguarding
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.protection import (
    AcknowledgementBody,
    Approval,
    GatePreview,
    GatePreviews,
    NewPairs,
    NewProtection,
    NewSafeguarding,
    NewStatement,
    PairsBody,
    ProtectionBody,
    SafeguardingBody,
    StatementBody,
)

router = new_router("/v1", tags=["protection"])
Reader = Annotated[Caller, Depends(requires("cases:read"))]
Writer = Annotated[Caller, Depends(requires("cases:write"))]
State = Literal["awaited", "overdue", "given"]


@router.get("/cases/{case_id}/gate")
async def preview_gate(
    request: Request,
    _caller: Reader,
    case_id: Id,
    partner: Annotated[Id, Query(description="the partner that would receive it")],
    service: Annotated[Id | None, Query(description="one of its services; without it, each of them")] = None,
) -> GatePreviews:
    """Say what the gate would allow a partner now, field by field, and why not the rest. Nothing is recorded by it."""
    async with database(request).reading() as tx:
        found, previews = await preview.preview_gate(tx, dependencies(request), case_id, partner, service)
    services = [GatePreview.model_validate(each) for each in previews]
    return GatePreviews(case_id=case_id, partner_id=found.id, partner_name=found.name, services=services)


@router.put("/cases/{case_id}/protection")
async def protect_case(request: Request, caller: Writer, case_id: Id, body: NewProtection) -> ProtectionBody:
    """Say who alone may be told of a case, and whether its address is kept back.

    It is answered when nothing that was allowed before is still under way, which can take 20 seconds.
    """
    wanted = protection.NewProtection(**body.model_dump())
    kept = await protection.protect_case(database(request), dependencies(request), caller, case_id, wanted)
    return ProtectionBody.model_validate(kept)


@router.put("/partners/{partner_id}/kept-from")
async def keep_apart(
    request: Request, _caller: Annotated[Caller, Depends(requires("directory:write"))], partner_id: Id, body: NewPairs
) -> PairsBody:
    """Say from which organisations nothing reaches a partner; it holds from the next attempt and reading on."""
    async with database(request).transaction() as tx:
        found = await protection.keep_apart(tx, partner_id, body.organisations)
    return PairsBody(partner_id=found.id, organisations=found.kept_from)


@router.post("/cases/{case_id}/safeguarding-disclosures", status_code=201)
async def decide_safeguarding(request: Request, caller: Writer, case_id: Id, body: NewSafeguarding) -> SafeguardingBody:
    """Decide to disclose without consent on a legal ground; nothing goes out before a second person approves."""
    wanted = safeguarding.NewDecision(**body.model_dump())
    async with database(request).transaction() as tx:
        decided = await safeguarding.decide(tx, dependencies(request), caller, case_id, wanted)
    return _safeguarding(decided)


@router.post("/cases/{case_id}/safeguarding-disclosures/{decision_id}/approve")
async def approve_safeguarding(
    request: Request, caller: Writer, case_id: Id, decision_id: Id, body: Approval
) -> SafeguardingBody:
    """Approve what somebody else decided: an onward referral goes out on it, with exactly its data categories."""
    async with database(request).transaction() as tx:
        decided = await safeguarding.approve(tx, dependencies(request), caller, case_id, decision_id, body.approved_by)
    return _safeguarding(decided)


@router.get("/cases/{case_id}/safeguarding-disclosures")
async def list_safeguarding(
    request: Request, caller: Reader, case_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[SafeguardingBody]:
    """List what was decided to go out of a case without consent, with who decided and approved it."""
    name = f"safeguarding {case_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await safeguarding.list_decisions(tx, dependencies(request), case_id, after, limit + 1)
    return page(request, caller, name, found, limit, _safeguarding)


@router.get("/withdrawal-acknowledgements")
async def list_acknowledgements(
    request: Request,
    caller: Reader,
    state: Annotated[State | None, Query(description="awaited includes what is overdue")] = None,
    case: Annotated[Id | None, Query(description="of one case")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AcknowledgementBody]:
    """List what partners are asked about data that was taken back, rectified or erased, and what they stated."""
    name = f"acknowledgements {state} {case}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await acknowledgements.list_all(tx, dependencies(request), state, case, after, limit + 1)
    return page(request, caller, name, found, limit, AcknowledgementBody.model_validate)


@router.post("/onward-referrals/{onward_referral_id}/withdrawal-acknowledgement")
async def acknowledge_withdrawal(
    request: Request,
    caller: Annotated[Caller, Depends(requires("onward:write"))],
    onward_referral_id: Id,
    body: NewStatement,
) -> StatementBody:
    """Say what this partner did with the data of somebody who took consent back."""
    async with database(request).transaction() as tx:
        said = acknowledgements.Statement(body.statement, body.note)
        given = await acknowledgements.acknowledge(tx, dependencies(request), caller, (onward_referral_id, 0), said)
    return StatementBody.model_validate(given)


def _safeguarding(decided: Any) -> SafeguardingBody:
    return SafeguardingBody.model_validate({**decided.row.model_dump(), "reason": decided.reason})
