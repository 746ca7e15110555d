"""Partners and their services."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.paging import DEFAULT_LIMIT, Limit, Page
from hubkit.web import etag, if_match_version, new_router
from services.partners.actions import directory
from services.partners.api.common import Cursor, database, page, position
from services.partners.schemas.directory import (
    ListedService,
    NewPartner,
    NewService,
    PartnerBody,
    ServiceBody,
    ServiceChanges,
)

router = new_router("/v1", tags=["directory"])
Reader = Annotated[Caller, Depends(requires("cases:read"))]
Writer = Annotated[Caller, Depends(requires("directory:write"))]


@router.get("/partners")
async def list_partners(
    request: Request, caller: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[PartnerBody]:
    """List the partner organisations and their services."""
    after = position(request, caller, "partners", cursor)
    async with database(request).reading() as tx:
        found = await directory.list_partners(tx, after, limit + 1)
    services = {partner.id: offered for partner, offered in found}

    def body(partner: Any) -> PartnerBody:
        return _partner(partner, services[partner.id])

    return page(request, caller, "partners", [partner for partner, _ in found], limit, body)


@router.post("/partners", status_code=201)
async def add_partner(request: Request, _caller: Writer, body: NewPartner) -> PartnerBody:
    """Add an organisation; nothing goes to it before it has a service and an agreement."""
    async with database(request).transaction() as tx:
        added = await directory.add_partner(tx, body.organisation, body.name)
    return _partner(added, [])


@router.post("/partners/{partner_id}/services", status_code=201)
async def add_service(
    request: Request, response: Response, _caller: Writer, partner_id: Id, body: NewService
) -> ListedService:
    """List a service of a partner; it can be asked from now on, under an agreement."""
    async with database(request).transaction() as tx:
        added, partner = await directory.add_service(tx, partner_id, directory.Offer(**body.model_dump()))
    response.headers["ETag"] = etag(added.version)
    return _service(added, partner)


@router.get("/services")
async def list_services(
    request: Request, caller: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[ListedService]:
    """List every support service with what it is chosen by."""
    after = position(request, caller, "services", cursor)
    async with database(request).reading() as tx:
        found = await directory.list_services(tx, after, limit + 1)
    partners = {service.id: partner for service, partner in found}

    def body(service: Any) -> ListedService:
        return _service(service, partners[service.id])

    return page(request, caller, "services", [service for service, _ in found], limit, body)


@router.put("/services/{service_id}")
async def change_service(
    request: Request, response: Response, _caller: Writer, service_id: Id, body: ServiceChanges
) -> ListedService:
    """Change a service; what is not given stays. A suspended one is asked no more and keeps whom it has."""
    version = if_match_version(request)
    async with database(request).transaction() as tx:
        changes = body.model_dump(exclude_unset=True)
        changed, partner = await directory.change_service(tx, service_id, version, changes)
    response.headers["ETag"] = etag(changed.version)
    return _service(changed, partner)


def _partner(partner: Any, services: list[Any]) -> PartnerBody:
    return PartnerBody(
        id=partner.id,
        organisation=partner.organisation,
        name=partner.name,
        status=partner.status,
        services=[ServiceBody.model_validate(each) for each in services],
    )


def _service(service: Any, partner: Any) -> ListedService:
    return ListedService.model_validate({**service.model_dump(), "partner_name": partner.name})
