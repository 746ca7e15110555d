"""`/internal/disclosures`: partners fetches exactly the fields that its gate has allowed."""

from typing import Annotated

from fastapi import Depends, Request

from hubkit.auth import Caller, requires
from hubkit.errors import ForbiddenError
from hubkit.web import new_router
from services.intake.actions.disclose import read_fields
from services.intake.schemas import DisclosureRequest, DisclosureView

router = new_router("/internal/disclosures")

_ALLOWED_ISSUER = "partners"


@router.post("", include_in_schema=False)
async def post_disclosure(
    request: Request, body: DisclosureRequest, caller: Annotated[Caller, Depends(requires("person:read"))]
) -> DisclosureView:
    """Return the named fields of a referral's person, to the partners service alone."""
    if caller.issuer != _ALLOWED_ISSUER:
        raise ForbiddenError
    state = request.app.state
    async with state.service.db.reading() as tx:
        return await read_fields(tx, state.deps, body.referral_id, body.fields)
