"""Partners and the agreements with them."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import etag, if_match_version, new_router
from services.partners.actions import agreements
from services.partners.api.common import Cursor, database, page, position
from services.partners.schemas.agreements import AgreementBody, AgreementTerms, PartnerBody, ServiceBody

router = new_router("/v1", tags=["agreements"])
Reader = Annotated[Caller, Depends(requires("agreements:read"))]


@router.get("/partners")
async def list_partners(
    request: Request,
    caller: Annotated[Caller, Depends(requires("cases:read"))],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PartnerBody]:
    """List the partner organisations and their services."""
    after = position(request, caller, "partners", cursor)
    async with database(request).reading() as tx:
        found = await agreements.list_partners(tx, after, limit + 1)
    services = {partner.id: offered for partner, offered in found}

    def body(partner: Any) -> PartnerBody:
        offered = [ServiceBody.model_validate(each) for each in services[partner.id]]
        return PartnerBody(
            id=partner.id,
            organisation=partner.organisation,
            name=partner.name,
            status=partner.status,
            services=offered,
        )

    return page(request, caller, "partners", [partner for partner, _ in found], limit, body)


@router.get("/agreements")
async def list_agreements(
    request: Request, caller: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[AgreementBody]:
    """List the data sharing agreements."""
    after = position(request, caller, "agreements", cursor)
    async with database(request).reading() as tx:
        rows = await agreements.list_agreements(tx, after, limit + 1)
    return page(request, caller, "agreements", rows, limit, AgreementBody.model_validate)


@router.get("/agreements/{agreement_id}")
async def read_agreement(request: Request, response: Response, _caller: Reader, agreement_id: Id) -> AgreementBody:
    """Read one agreement."""
    async with database(request).reading() as tx:
        found = await agreements.read_agreement(tx, agreement_id)
    response.headers["ETag"] = etag(found.version)
    return AgreementBody.model_validate(found)


@router.put("/agreements/{agreement_id}")
async def change_agreement(
    request: Request,
    response: Response,
    _caller: Annotated[Caller, Depends(requires("agreements:write"))],
    agreement_id: Id,
    body: AgreementTerms,
) -> AgreementBody:
    """Set whether an agreement stands, from when, until when; the next attempt and reading are judged by it."""
    version = if_match_version(request)
    terms = agreements.Terms(body.status, body.starts_on, body.ends_on)
    async with database(request).transaction() as tx:
        changed = await agreements.change_agreement(tx, agreement_id, version, terms)
    response.headers["ETag"] = etag(changed.version)
    return AgreementBody.model_validate(changed)
