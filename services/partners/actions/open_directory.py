"""What anybody may read of the directory, in the form of Open Referral UK 3.0."""

import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.partners.model import Wanted
from services.partners.policy import oruk
from services.partners.policy.listing import is_open, withheld
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
    offset = (page - 1) * per_page
    classified = _classified(wanted)
    if classified is None:
        return oruk.page([], 0, page, per_page)
    if _asks_when(classified):
        every = await _matching(tx, classified)
        total, shown = len(every), every[offset : offset + per_page]
    else:
        total, found = await listings.shown_services(tx, classified, offset, per_page)
        shown = [each for each in found if _may_be_shown(each)]
    contents = [_rendered(each, language, full=full) for each in shown]
    return oruk.page(contents, total, page, per_page)


async def list_at_locations(
    tx: Tx, wanted: Wanted, page: int, per_page: int, *, language: str = "en", full: bool = False
) -> dict[str, Any]:
    """Return one page of the places of the public services, as `list_services` finds these."""
    classified = _classified(wanted)
    # Places are no rows of their own: a hub publishes some hundreds of services, and each has few.
    every = await _matching(tx, classified) if classified is not None else []
    places = [(each, place) for each in every for place in oruk.at_locations(each.entry)]
    shown = places[(page - 1) * per_page : page * per_page]
    contents = [
        place | {"service": _rendered(each, language, full=True)}
        if full
        else oruk.at_location_in_list(place, _rendered(each, language))
        for each, place in shown
    ]
    return oruk.page(contents, len(places), page, per_page)


async def read_at_location(tx: Tx, at_location_id: UUID, *, language: str = "en") -> dict[str, Any]:
    """Return one place of a public service.

    Raises
    ------
    NotFoundError
        When there is none: the answer is the same for one that is kept from the public.
    """
    for each in await _matching(tx, Wanted()):
        for place in oruk.at_locations(each.entry):
            if place["id"] == str(at_location_id):
                return place | {"service": _rendered(each, language, full=True)}
    raise NotFoundError


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


def _classified(wanted: Wanted) -> Wanted | None:
    """Return what is wanted with the kind that its term stands for.

    None when that is nothing: what this directory does not know classifies nothing.
    """
    kind = wanted.kind if wanted.term is None else oruk.TERMS.get(wanted.term)
    is_unknown = (wanted.term is not None and kind is None) or wanted.taxonomy not in (None, oruk.TAXONOMY_ID)
    return None if is_unknown or wanted.kind not in (None, kind) else replace(wanted, kind=kind)


def _asks_when(wanted: Wanted) -> bool:
    return (wanted.day, wanted.start_time, wanted.end_time) != (None, None, None)


async def _matching(tx: Tx, wanted: Wanted) -> list[Found]:
    """Return every public service that is wanted, also by when it is open."""
    _, found = await listings.shown_services(tx, wanted)
    return [
        each
        for each in found
        if _may_be_shown(each)
        and (not _asks_when(wanted) or is_open(each.entry.document, wanted.day, wanted.start_time, wanted.end_time))
    ]


def _rendered(each: Found, language: str, *, full: bool = False) -> dict[str, Any]:
    return oruk.service(each.entry, each.kinds, language) if full else oruk.service_in_list(each.entry, language)


def _cut(every: list[dict[str, Any]], page: int, per_page: int) -> dict[str, Any]:
    return oruk.page(every[(page - 1) * per_page : page * per_page], len(every), page, per_page)


def _may_be_shown(found: Found) -> bool:
    """Ask the rule itself once more: a mistake in a query must not show what nobody may see."""
    reasons = withheld(found.entry)
    if reasons:
        _log.error("directory_withheld", extra={"service_id": found.entry.service_id, "reasons": reasons})
    return not reasons
