"""The directory's entries, as staff keep them."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from hubkit.auth import Caller, requires
from hubkit.fields import Id
from hubkit.web import etag, if_match_version, new_router
from services.partners.actions import listings
from services.partners.api.common import database, dependencies
from services.partners.schemas.listings import Listing, ListingBody, PartnerListing, PartnerListingBody

router = new_router("/v1", tags=["directory"])
Keeper = Annotated[Caller, Depends(requires("directory:write"))]


@router.get("/services/{service_id}/listing")
async def read_listing(request: Request, response: Response, _caller: Keeper, service_id: Id) -> ListingBody:
    """Read a service's entry, whether the public sees it, and why not. Its first version is set with If-Match "0"."""
    async with database(request).reading() as tx:
        view = await listings.read_listing(tx, dependencies(request).keyring, service_id)
    return _listing(view, response)


@router.put("/services/{service_id}/listing")
async def set_listing(
    request: Request, response: Response, _caller: Keeper, service_id: Id, body: Listing
) -> ListingBody:
    """Set a service's whole entry. Only a public entry of a public partner is shown, and never a confidential one."""
    version = if_match_version(request)
    async with database(request).transaction() as tx:
        view = await listings.set_listing(tx, dependencies(request).keyring, service_id, version, body)
    return _listing(view, response)


@router.get("/partners/{partner_id}/listing")
async def read_partner_listing(
    request: Request, response: Response, _caller: Keeper, partner_id: Id
) -> PartnerListingBody:
    """Read a partner's entry, whether the public sees it, and why not."""
    async with database(request).reading() as tx:
        view = await listings.read_partner_listing(tx, partner_id)
    return _partner_listing(view, response)


@router.put("/partners/{partner_id}/listing")
async def set_partner_listing(
    request: Request, response: Response, _caller: Keeper, partner_id: Id, body: PartnerListing
) -> PartnerListingBody:
    """Set a partner's whole entry; of a confidential partner nothing is public, whatever its services say."""
    version = if_match_version(request)
    async with database(request).transaction() as tx:
        view = await listings.set_partner_listing(tx, dependencies(request).keyring, partner_id, version, body)
    return _partner_listing(view, response)


def _listing(view: listings.View, response: Response) -> ListingBody:
    said = _said(view, response) | {"service_id": view.id, "private": view.private}
    return ListingBody.model_validate(said | {"missing_since": view.row.missing_since if view.row else None})


def _partner_listing(view: listings.View, response: Response) -> PartnerListingBody:
    said = _said(view, response) | {"partner_id": view.id}
    return PartnerListingBody.model_validate(said | {"confidential": view.is_confidential})


def _said(view: listings.View, response: Response) -> dict[str, Any]:
    """Return what entries of services and of partners have in common."""
    response.headers["ETag"] = etag(view.version)
    row = view.row
    return {
        "version": view.version,
        "is_public": row.is_public if row else False,
        "shown": not view.withheld,
        "withheld": view.withheld,
        "public": row.document if row else None,
        "feed": row.feed if row else None,
        "feed_id": row.feed_id if row else None,
        "modified_at": row.modified_at if row else None,
    }
