"""The public directory: Open Referral UK 3.0, for everybody.

The gateway asks nobody for a token here and calls with a right that no client can have.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Query, Request, Response

from hubkit.auth import Caller, requires
from hubkit.errors import NotFoundError
from hubkit.fields import Id
from hubkit.telemetry import DIRECTORY_ANSWERS
from hubkit.web import new_router
from services.partners.actions import open_directory
from services.partners.api.common import database, dependencies
from services.partners.model import Wanted
from services.partners.schemas.open_directory import InLanguage, OrganisationsAsked, Paged, ServicesAsked

router = new_router("/directory", tags=["public directory"])
Anybody = Annotated[Caller, Depends(requires("directory:public"))]
#: Short, so that what is taken out of the directory is soon nowhere.
_CACHE: Final = "public, max-age=60, must-revalidate"


@router.get("")
@router.get("/", include_in_schema=False)
async def describe(request: Request, _caller: Anybody) -> Response:
    """Say which standard this directory keeps to, and where it is described."""
    return _answer(request, "directory", open_directory.describe(dependencies(request).public_url))


@router.get("/services")
async def list_services(request: Request, _caller: Anybody, asked: Annotated[ServicesAsked, Query()]) -> Response:
    """List the services that are open to the public."""
    async with database(request).reading() as tx:
        found = await open_directory.list_services(
            tx, _wanted(asked), asked.page, asked.per_page, language=asked.language, full=asked.full
        )
    return _answer(request, "services", found, asked.language)


@router.get("/services/{service_id}")
async def read_service(
    request: Request, _caller: Anybody, service_id: Id, asked: Annotated[InLanguage, Query()]
) -> Response:
    """Read one service with everything that belongs to it."""
    async with database(request).reading() as tx:
        with _counting("service"):
            found = await open_directory.read_service(tx, service_id, language=asked.language)
    return _answer(request, "service", found, asked.language)


@router.get("/service_at_locations")
async def list_at_locations(request: Request, _caller: Anybody, asked: Annotated[ServicesAsked, Query()]) -> Response:
    """List the places of the services that are open to the public."""
    async with database(request).reading() as tx:
        found = await open_directory.list_at_locations(
            tx, _wanted(asked), asked.page, asked.per_page, language=asked.language, full=asked.full
        )
    return _answer(request, "service_at_locations", found, asked.language)


@router.get("/service_at_locations/{at_location_id}")
async def read_at_location(
    request: Request, _caller: Anybody, at_location_id: Id, asked: Annotated[InLanguage, Query()]
) -> Response:
    """Read one place of a service, with the service."""
    async with database(request).reading() as tx:
        with _counting("service_at_location"):
            found = await open_directory.read_at_location(tx, at_location_id, language=asked.language)
    return _answer(request, "service_at_location", found, asked.language)


@router.get("/organizations")
async def list_organisations(
    request: Request, _caller: Anybody, asked: Annotated[OrganisationsAsked, Query()]
) -> Response:
    """List the organisations that have a public service."""
    async with database(request).reading() as tx:
        found = await open_directory.list_organisations(tx, asked.page, asked.per_page, language=asked.language)
    return _answer(request, "organizations", found, asked.language)


@router.get("/organizations/{organization_id}")
async def read_organisation(
    request: Request, _caller: Anybody, organization_id: Id, asked: Annotated[InLanguage, Query()]
) -> Response:
    """Read one organisation that has a public service."""
    async with database(request).reading() as tx:
        with _counting("organization"):
            found = await open_directory.read_organisation(tx, organization_id, language=asked.language)
    return _answer(request, "organization", found, asked.language)


@router.get("/taxonomies")
async def list_taxonomies(request: Request, _caller: Anybody, asked: Annotated[Paged, Query()]) -> Response:
    """List the taxonomies, of which there is one."""
    return _answer(request, "taxonomies", open_directory.list_taxonomies(asked.page, asked.per_page))


@router.get("/taxonomies/{taxonomy_id}")
async def read_taxonomy(request: Request, _caller: Anybody, taxonomy_id: Id) -> Response:
    """Read the taxonomy."""
    with _counting("taxonomy"):
        found = open_directory.read_taxonomy(taxonomy_id)
    return _answer(request, "taxonomy", found)


@router.get("/taxonomy_terms")
async def list_terms(request: Request, _caller: Anybody, asked: Annotated[Paged, Query()]) -> Response:
    """List the terms: the kinds of support."""
    return _answer(request, "taxonomy_terms", open_directory.list_terms(asked.page, asked.per_page))


@router.get("/taxonomy_terms/{term_id}")
async def read_term(request: Request, _caller: Anybody, term_id: Id) -> Response:
    """Read one term."""
    with _counting("taxonomy_term"):
        found = open_directory.read_term(term_id)
    return _answer(request, "taxonomy_term", found)


def _wanted(asked: ServicesAsked) -> Wanted:
    same = (
        "search",
        "kind",
        "area",
        "minimum_age",
        "maximum_age",
        "modified_after",
        "day",
        "start_time",
        "end_time",
        "sort",
    )
    return Wanted(
        term=asked.taxonomy_term_id,
        taxonomy=asked.taxonomy_id,
        organisation_id=asked.organization_id,
        **{name: getattr(asked, name) for name in same},
    )


@contextmanager
def _counting(what: str) -> Iterator[None]:
    """Count what is not there, or not for everybody: the two are the same to the caller."""
    try:
        yield
    except NotFoundError:
        DIRECTORY_ANSWERS.labels(what, "not_found").inc()
        raise


def _answer(request: Request, what: str, content: Mapping[str, Any], language: str | None = None) -> Response:
    """Return an answer that may be kept for a minute, or that what the caller keeps still stands."""
    body = orjson.dumps(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"cache-control": _CACHE, "etag": tag}
    if language is not None:
        headers["content-language"] = language
    given = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if given & {tag, "*"}:
        DIRECTORY_ANSWERS.labels(what, "not_modified").inc()
        return Response(status_code=304, headers=headers)
    DIRECTORY_ANSWERS.labels(what, "found").inc()
    return Response(body, media_type="application/json", headers=headers)
