"""What changed after a partner had read it, and what it has read."""

from typing import Annotated

from fastapi import Depends, Path, Request

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import acknowledgements, amendments
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.amendments import AmendmentBody, ReceiptBody
from services.partners.schemas.protection import NewRectification, StatementBody

router = new_router("/v1/onward-referrals/{onward_referral_id}", tags=["onward referrals"])
Reader = Annotated[Caller, Depends(requires("onward:read"))]


@router.get("/amendments")
async def list_amendments(
    request: Request, caller: Reader, onward_referral_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[AmendmentBody]:
    """List what changed after this partner had read it, field by field, oldest first; reading again shows how."""
    name = f"amendments {onward_referral_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await amendments.list_amendments(tx, caller, onward_referral_id, after, limit + 1)
    return page(request, caller, name, found, limit, AmendmentBody.model_validate)


@router.post("/amendments/{number}/acknowledgement")
async def acknowledge_amendment(
    request: Request,
    caller: Annotated[Caller, Depends(requires("onward:write"))],
    onward_referral_id: Id,
    number: Annotated[int, Path(ge=1, le=1_000_000)],
    body: NewRectification,
) -> StatementBody:
    """Say what this partner did about data that it had received and that was rectified or erased at the hub."""
    async with database(request).transaction() as tx:
        said = acknowledgements.Statement(body.statement, body.note)
        about = (onward_referral_id, number)
        given = await acknowledgements.acknowledge(tx, dependencies(request), caller, about, said)
    return StatementBody.model_validate(given)


@router.get("/receipts")
async def list_receipts(
    request: Request, caller: Reader, onward_referral_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[ReceiptBody]:
    """List what this partner has read, oldest first: the fields and the hash of each disclosure."""
    name = f"receipts {onward_referral_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await amendments.list_receipts(tx, caller, onward_referral_id, after, limit + 1)
    return page(request, caller, name, found, limit, ReceiptBody.model_validate)
