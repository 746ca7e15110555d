"""What hub staff record of the person's decisions."""

from typing import Annotated

from fastapi import Depends, Request

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import consents
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.consents import (
    ConsentBody,
    FaultBody,
    NewConsent,
    PastDelivery,
    PastDisclosure,
    RecordedConsent,
)
from services.partners.schemas.protection import AcknowledgementBody

router = new_router("/v1/cases", tags=["consents"])


@router.post("/{case_id}/consents", status_code=201)
async def record_consent(
    request: Request, caller: Annotated[Caller, Depends(requires("cases:write"))], case_id: Id, body: NewConsent
) -> RecordedConsent:
    """Record a decision; what waited for it goes out, what it takes back stops. A draft is kept and does nothing.

    It is answered when nothing that was allowed before it is still under way, which can take 20 seconds; where the
    person says no, the answer names what had gone out.
    """
    decision = consents.Decision(**body.model_dump())
    recorded = await consents.record_consent(database(request), dependencies(request), caller, case_id, decision)
    return RecordedConsent(
        **{**body.model_dump(), "recorded_at": recorded.recorded_at},
        acknowledgements=[AcknowledgementBody.model_validate(each) for each in recorded.acknowledgements],
        faults=[FaultBody.model_validate(fault) for fault in recorded.faults],
        id=recorded.id,
        case_id=case_id,
        stands=recorded.stands,
        withdrawn=recorded.withdrawn,
        disclosures=[PastDisclosure.model_validate(each) for each in recorded.disclosures],
        deliveries=[PastDelivery.model_validate(each) for each in recorded.deliveries],
    )


@router.get("/{case_id}/consents")
async def list_consents(
    request: Request,
    caller: Annotated[Caller, Depends(requires("cases:read"))],
    case_id: Id,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[ConsentBody]:
    """List every decision of the person that was recorded, in the order of recording."""
    name = f"consents {case_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        rows = await consents.list_consents(tx, dependencies(request), case_id, after, limit + 1)
    return page(request, caller, name, rows, limit, _body)


def _body(entry: consents.Entry) -> ConsentBody:
    kept = {**entry.row.model_dump(), "giver_note": entry.giver_note, "draft": entry.row.is_draft}
    return ConsentBody.model_validate(kept)
