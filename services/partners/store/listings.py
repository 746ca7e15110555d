"""The directory's entries in the database. What the public reads goes through `_SHOWN` alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select, update

from hubkit.db import Tx, table_of
from services.partners.model import Entry, Wanted
from services.partners.tables.listings import PartnerListing, ServiceListing, ServiceOverlay
from services.partners.tables.registry import Partner, Service

_partner = table_of(Partner).c
_service = table_of(Service).c
_public = table_of(ServiceListing).c
_organisation = table_of(PartnerListing).c
_overlay = table_of(ServiceOverlay).c

#: Everything that has to hold before the public sees a service; a missing row of any table hides it.
_SHOWN: Final = (
    _public.is_public.is_(True),
    _overlay.confidential.is_(False),
    _service.status == "active",
    _organisation.is_public.is_(True),
    _organisation.confidential.is_(False),
    _partner.status == "active",
)
_ORDERS: Final[dict[str, tuple[ColumnElement[Any], ...]]] = {
    "added": (_public.service_id,),
    "name": (_public.name, _public.service_id),
    "modified": (_public.modified_at, _public.service_id),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A service that the public may see, with its kinds."""

    entry: Entry
    kinds: tuple[str, ...]


async def shown_services(tx: Tx, wanted: Wanted, offset: int = 0, limit: int | None = None) -> tuple[int, list[Found]]:
    """Return how many public services are wanted, and some of them; of when they are open nothing is asked here."""
    conditions = (*_SHOWN, *_wanted(wanted))
    total = await tx.row(_joined(select(func.count())).where(*conditions))
    query = _joined(select(*_COLUMNS)).where(*conditions).order_by(*_ORDERS[wanted.sort])
    rows = await tx.rows(query.offset(offset).limit(limit))
    return (total[0] if total else 0), [_found(row) for row in rows]


async def shown_service(tx: Tx, service_id: UUID) -> Found | None:
    """Return one public service."""
    row = await tx.row(_joined(select(*_COLUMNS)).where(*_SHOWN, _public.service_id == service_id))
    return _found(row) if row is not None else None


async def shown_organisations(
    tx: Tx, offset: int, limit: int, only: UUID | None = None
) -> tuple[int, list[tuple[UUID, dict[str, Any]]]]:
    """Return how many organisations have a public service, and some of them with what is public of them."""
    with_service = _joined(select(_service.partner_id)).where(*_SHOWN)
    conditions: list[ColumnElement[bool]] = [_organisation.partner_id.in_(with_service)]
    if only is not None:
        conditions.append(_organisation.partner_id == only)
    total = await tx.row(select(func.count()).select_from(PartnerListing).where(*conditions))
    query = select(_organisation.partner_id, _organisation.document).where(*conditions)
    rows = await tx.rows(query.order_by(_organisation.partner_id).offset(offset).limit(limit))
    return (total[0] if total else 0), [(row.partner_id, row.document) for row in rows]


async def listing(tx: Tx, service_id: UUID) -> ServiceListing | None:
    """Return a service's entry."""
    return await tx.model(select(ServiceListing).where(_public.service_id == service_id))


async def overlay(tx: Tx, service_id: UUID) -> ServiceOverlay | None:
    """Return what only the hub knows of a service."""
    return await tx.model(select(ServiceOverlay).where(_overlay.service_id == service_id))


async def organisation(tx: Tx, partner_id: UUID) -> PartnerListing | None:
    """Return a partner's entry."""
    return await tx.model(select(PartnerListing).where(_organisation.partner_id == partner_id))


async def of_partner(tx: Tx, partner_id: UUID) -> tuple[list[ServiceListing], list[ServiceOverlay]]:
    """Return the entries of all services of a partner, and what only the hub knows of them."""
    own = select(_service.id).where(_service.partner_id == partner_id)
    return (
        await tx.models(select(ServiceListing).where(_public.service_id.in_(own))),
        await tx.models(select(ServiceOverlay).where(_overlay.service_id.in_(own))),
    )


async def of_feed(tx: Tx, feed: str) -> tuple[list[ServiceListing], list[PartnerListing]]:
    """Return the entries that came from a feed."""
    return (
        await tx.models(select(ServiceListing).where(_public.feed == feed).order_by(_public.service_id)),
        await tx.models(select(PartnerListing).where(_organisation.feed == feed)),
    )


async def put_listing(tx: Tx, row: Mapping[str, Any], *, new: bool) -> None:
    """Store a service's entry; of one that stands, what `row` names."""
    await _put(tx, ServiceListing, "service_id", row, new=new)


async def put_overlay(tx: Tx, row: Mapping[str, Any], *, new: bool) -> None:
    """Store what only the hub knows of a service."""
    await _put(tx, ServiceOverlay, "service_id", row, new=new)


async def put_organisation(tx: Tx, row: Mapping[str, Any], *, new: bool) -> None:
    """Store a partner's entry; of one that stands, what `row` names."""
    await _put(tx, PartnerListing, "partner_id", row, new=new)


async def touch(tx: Tx, service_ids: Collection[UUID], now: datetime) -> None:
    """Say that what the public reads of these services has changed."""
    await tx.run(update(ServiceListing).where(tx.among(_public.service_id, service_ids)).values(modified_at=now))


async def flag_missing(tx: Tx, service_ids: Sequence[UUID], since: datetime | None) -> None:
    """Say since when a feed has these services no more, or that it has them."""
    await tx.run(update(ServiceListing).where(tx.among(_public.service_id, service_ids)).values(missing_since=since))


async def _put(tx: Tx, model: Any, key: str, row: Mapping[str, Any], *, new: bool) -> None:
    if new:
        await tx.insert(model, [row])
    else:
        await tx.update_each(model, key, [row])


_COLUMNS: Final = (
    _public.service_id,
    _public.document,
    _public.kinds,
    _public.modified_at,
    _public.is_public,
    _overlay.confidential,
    _service.status,
    _service.partner_id,
    _organisation.document.label("organisation"),
    _organisation.is_public.label("is_partner_public"),
    _organisation.confidential.label("is_partner_confidential"),
    _partner.status.label("partner_status"),
)


def _joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(ServiceListing)
        .join(ServiceOverlay, _overlay.service_id == _public.service_id)
        .join(Service, _service.id == _public.service_id)
        .join(Partner, _partner.id == _service.partner_id)
        .join(PartnerListing, _organisation.partner_id == _service.partner_id)
    )


def _found(row: Any) -> Found:
    entry = Entry(
        row.service_id,
        row.partner_id,
        row.document,
        row.organisation,
        row.modified_at,
        is_public=row.is_public,
        is_confidential=row.confidential,
        is_service_active=row.status == "active",
        is_partner_public=row.is_partner_public,
        is_partner_confidential=row.is_partner_confidential,
        is_partner_active=row.partner_status == "active",
    )
    return Found(entry, tuple(row.kinds))


def _wanted(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.search is not None:
        conditions.append(_contains(_public.searched, wanted.search.casefold()))
    if wanted.kind is not None:
        conditions.append(_has(_public.kinds, wanted.kind))
    if wanted.area is not None:
        conditions.append(or_(_has(_public.areas, wanted.area), cast(_public.areas, String) == "[]"))
    if wanted.organisation_id is not None:
        conditions.append(_service.partner_id == wanted.organisation_id)
    if wanted.modified_after is not None:
        conditions.append(_public.modified_at >= wanted.modified_after)
    if wanted.minimum_age is not None:
        conditions.append(or_(_public.maximum_age.is_(None), _public.maximum_age >= wanted.minimum_age))
    if wanted.maximum_age is not None:
        conditions.append(or_(_public.minimum_age.is_(None), _public.minimum_age <= wanted.maximum_age))
    return [and_(*conditions)] if conditions else []


def _has(column: ColumnElement[Any], code: str) -> ColumnElement[bool]:
    """Whether a JSON list has a code; the text of both databases puts it in quotation marks, and no code has any."""
    return _contains(cast(column, String), f'"{code}"')


def _contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether text holds other text as it is written: the wildcards of LIKE stand for themselves."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return column.like(f"%{text}%", escape="\\")
