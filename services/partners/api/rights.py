"""What staff record of persons' rights: objections, and requests for information about victims."""

from types import SimpleNamespace
from typing import Annotated

from fastapi import Depends, Request

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import new_router
from services.partners.actions import information, objections
from services.partners.api.common import Cursor, database, dependencies, page, position
from services.partners.schemas.consents import PastDelivery, PastDisclosure
from services.partners.schemas.rights import (
    InformationRequestBody,
    NewInformationDecision,
    NewInformationRequest,
    NewObjection,
    ObjectionBody,
    RecordedObjection,
)

router = new_router("/v1/cases", tags=["rights"])
Reader = Annotated[Caller, Depends(requires("cases:read"))]
Writer = Annotated[Caller, Depends(requires("cases:write"))]


@router.post("/{case_id}/objections", status_code=201)
async def record_objection(request: Request, caller: Writer, case_id: Id, body: NewObjection) -> RecordedObjection:
    """Record that the person objects to a use of their data; unless it is refused on a ground, it takes effect.

    One about partners is answered when nothing that began before it is still under way, which can take 20 seconds;
    the answer names what had gone out.
    """
    given = objections.Objection(**body.model_dump())
    decided = await objections.record_objection(database(request), dependencies(request), caller, case_id, given)
    return RecordedObjection.model_validate({
        **decided.row,
        "withdrawn": decided.withdrawn,
        "disclosures": [PastDisclosure.model_validate(each) for each in decided.disclosures],
        "deliveries": [PastDelivery.model_validate(each) for each in decided.deliveries],
    })  # fmt: skip


@router.get("/{case_id}/objections")
async def list_objections(
    request: Request, caller: Reader, case_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[ObjectionBody]:
    """List the objections of the person with what was decided, oldest first."""
    name = f"objections {case_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        rows = await objections.list_objections(tx, case_id, after, limit + 1)
    return page(request, caller, name, rows, limit, ObjectionBody.model_validate)


@router.post("/{case_id}/information-requests", status_code=201)
async def register_information_request(
    request: Request, caller: Writer, case_id: Id, body: NewInformationRequest
) -> InformationRequestBody:
    """Keep a victim information request as it came; one for everything is refused with it. Nothing goes out by this."""
    async with database(request).transaction() as tx:
        found = await information.register_request(tx, dependencies(request), caller, case_id, body.model_dump())
    return InformationRequestBody.model_validate(found)


@router.get("/{case_id}/information-requests")
async def list_information_requests(
    request: Request, caller: Reader, case_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[InformationRequestBody]:
    """List the victim information requests about a case with what was decided, oldest first."""
    name = f"information requests {case_id}"
    after = position(request, caller, name, cursor)
    async with database(request).reading() as tx:
        found = await information.list_requests(tx, dependencies(request), case_id, after, limit + 1)
    rows = [SimpleNamespace(**each) for each in found]
    return page(request, caller, name, rows, limit, InformationRequestBody.model_validate)


@router.post("/{case_id}/information-requests/{request_id}/decide")
async def decide_information_request(
    request: Request, caller: Writer, case_id: Id, request_id: Id, body: NewInformationDecision
) -> InformationRequestBody:
    """Decide a victim information request, once: what is released, or on what ground it is refused."""
    decision = information.Decision(**body.model_dump())
    async with database(request).transaction() as tx:
        found = await information.decide_request(tx, dependencies(request), caller, case_id, request_id, decision)
    return InformationRequestBody.model_validate(found)
