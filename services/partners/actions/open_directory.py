"""What anybody may read of the directory, in the form of Open Referral UK 3.0."""

import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.partners.model import Wanted
from services.partners.policy import oruk
from services.partners.policy.listing import withheld
from services.partners.store import listings
from services.partners.store.listings import Found

_log = logging.getLogger(__name__)


def describe(public_url: str) -> dict[str, Any]:
    """Return what the directory says of itself."""
    return oruk.metadata(public_url)


async def list_services(
    tx: Tx, wanted: Wanted, page: int, per_page: int, *, language: str = "en", full: bool = False
) -> dict[str, Any]:
    """Return one page of the public services; `full` with everything that belongs to each."""
    total, found = await listings.shown_services(tx, wanted, (page - 1) * per_page, per_page)
    shown = [each for each in found if _may_be_shown(each)]
    contents = [
        oruk.service(each.entry, each.kinds, language) if full else oruk.service_in_list(each.entry, language)
        for each in shown
    ]
    return oruk.page(contents, total, page, per_page)


async def list_by_terms(
    tx: Tx, wanted: Wanted, terms: tuple[UUID | None, UUID | None], page: int, per_page: int, **form: Any
) -> dict[str, Any]:
    """Return a page of the services that are classified by a term and by a taxonomy; None does not limit.

    What this directory does not know classifies nothing.
    """
    term, taxonomy = terms
    kind = wanted.kind if term is None else oruk.TERMS.get(term)
    is_unknown = (term is not None and kind is None) or taxonomy not in (None, oruk.TAXONOMY_ID)
    if is_unknown or wanted.kind not in (None, kind):
        return oruk.page([], 0, page, per_page)
    return await list_services(tx, replace(wanted, kind=kind), page, per_page, **form)


async def read_service(tx: Tx, service_id: UUID, *, language: str = "en") -> dict[str, Any]:
    """Return one public service.

    Raises
    ------
    NotFoundError
        When there is none: the answer is the same for one that is kept from the public.
    """
    found = await listings.shown_service(tx, service_id)
    if found is None or not _may_be_shown(found):
        raise NotFoundError
    return oruk.service(found.entry, found.kinds, language)


async def list_organisations(tx: Tx, page: int, per_page: int, *, language: str = "en") -> dict[str, Any]:
    """Return one page of the organisations that have a public service."""
    total, found = await listings.shown_organisations(tx, (page - 1) * per_page, per_page)
    contents = [oruk.organisation(id, public, language) for id, public in found]
    return oruk.page(contents, total, page, per_page)


async def read_organisation(tx: Tx, partner_id: UUID, *, language: str = "en") -> dict[str, Any]:
    """Return one organisation that has a public service.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    _, found = await listings.shown_organisations(tx, 0, 1, only=partner_id)
    if not found:
        raise NotFoundError
    return oruk.organisation(*found[0], language)


def list_taxonomies(page: int, per_page: int) -> dict[str, Any]:
    """Return the one taxonomy as a list."""
    return _cut([oruk.taxonomy()], page, per_page)


def read_taxonomy(id: UUID) -> dict[str, Any]:
    """Return the taxonomy.

    Raises
    ------
    NotFoundError
        When `id` is another's.
    """
    if id != oruk.TAXONOMY_ID:
        raise NotFoundError
    return oruk.taxonomy()


def list_terms(page: int, per_page: int) -> dict[str, Any]:
    """Return one page of the terms, which are the kinds of support."""
    return _cut([oruk.term(id) for id in oruk.TERMS], page, per_page)


def read_term(id: UUID) -> dict[str, Any]:
    """Return one term.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    if id not in oruk.TERMS:
        raise NotFoundError
    return oruk.term(id)


def _cut(every: list[dict[str, Any]], page: int, per_page: int) -> dict[str, Any]:
    return oruk.page(every[(page - 1) * per_page : page * per_page], len(every), page, per_page)


def _may_be_shown(found: Found) -> bool:
    """Ask the rule itself once more: a mistake in a query must not show what nobody may see."""
    reasons = withheld(found.entry)
    if reasons:
        _log.error("directory_withheld", extra={"service_id": found.entry.service_id, "reasons": reasons})
    return not reasons
