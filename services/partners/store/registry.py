"""Partners, their services and agreements in the database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from hubkit.db import Tx, table_of
from services.partners.policy import gate
from services.partners.tables.registry import Agreement, Partner, Service

_partner = table_of(Partner).c
_service = table_of(Service).c
_agreement = table_of(Agreement).c


async def partner_of(tx: Tx, organisation: str) -> UUID | None:
    """Return the partner that an organisation of a token is, if it is one."""
    row = await tx.row(select(_partner.id).where(_partner.organisation == organisation))
    return row[0] if row is not None else None


async def share_partners(
    tx: Tx, partner_ids: Collection[UUID], service_ids: Collection[UUID], hop: str, *, lock: bool = True
) -> tuple[dict[UUID, gate.Partner], dict[tuple[UUID, UUID], str]]:
    """Return partners with their agreements for a hop as the gate takes them, under locks that changes wait for.

    Beside them, what is shared with those of `service_ids` that are theirs, by partner and service. A partner without
    any agreement, or with none of these services, is absent. Without `lock` it is for looking alone.
    """
    columns = (
        _partner.id.label("partner_id"),
        _partner.status.label("standing"),
        _partner.ring_fenced,
        _partner.organisation,
        _partner.kept_from,
        _agreement.id,
        _agreement.version,
        _agreement.status,
        _agreement.lawful_basis,
        _agreement.purposes,
        _agreement.data_categories,
        _agreement.crimes_excluded,
        _agreement.starts_on,
        _agreement.ends_on,
        _agreement.hops,
        _agreement.fields,
        _agreement.delivery,
        _service.id.label("service_id"),
        _service.shares,
    )
    query = (
        select(*columns)
        .join(Agreement, _agreement.partner_id == _partner.id)
        .join(Service, _service.partner_id == _partner.id)
        .where(tx.among(_partner.id, partner_ids), tx.among(_service.id, service_ids))
        .order_by(_agreement.id, _service.id)
    )
    if lock:
        query = query.with_for_update(read=True)
    found: dict[UUID, gate.Partner] = {}
    shares: dict[tuple[UUID, UUID], str] = {}
    seen: set[UUID] = set()
    for row in await tx.rows(query):
        shares[row.partner_id, row.service_id] = row.shares
        if row.id in seen:
            continue
        seen.add(row.id)
        known = found.get(row.partner_id) or _gate_partner(row.partner_id, row.standing, row)
        found[row.partner_id] = known
        if hop not in row.hops:
            continue
        agreement = gate.Agreement(
            row.id,
            row.version,
            row.status,
            row.lawful_basis,
            frozenset(row.purposes),
            frozenset(row.data_categories),
            frozenset(row.crimes_excluded),
            row.starts_on,
            row.ends_on,
            frozenset(row.fields) if row.fields is not None else None,
            row.delivery,
        )
        found[row.partner_id] = replace(known, agreements=(*known.agreements, agreement))
    return found, shares


async def without_agreements(tx: Tx, partner_ids: Collection[UUID], *, lock: bool = True) -> dict[UUID, gate.Partner]:
    """Return partners as `share_partners` does, as if nothing were agreed."""
    columns = (_partner.id, _partner.status, _partner.ring_fenced, _partner.organisation, _partner.kept_from)
    query = select(*columns).where(tx.among(_partner.id, partner_ids)).order_by(_partner.id)
    rows = await tx.rows(query.with_for_update(read=True) if lock else query)
    return {row.id: _gate_partner(row.id, row.status, row) for row in rows}


def _gate_partner(id: UUID, status: str, row: Row[Any]) -> gate.Partner:
    return gate.Partner(id, status == "active", row.ring_fenced, (), row.organisation, frozenset(row.kept_from or ()))


async def keep_from(tx: Tx, partner_id: UUID, organisations: Sequence[str]) -> None:
    """Write from which organisations nothing reaches a partner whose row is locked."""
    await tx.run(update(Partner).where(_partner.id == partner_id).values(kept_from=list(organisations)))


async def list_partners(tx: Tx, after: UUID | None, limit: int) -> list[Partner]:
    """Return partners in the order they were made."""
    query = select(Partner).order_by(_partner.id).limit(limit)
    return await tx.models(query if after is None else query.where(_partner.id > after))


async def partner(tx: Tx, id: UUID, *, for_update: bool = False) -> Partner | None:
    """Return one partner; for a change of what it has, under a lock."""
    query = select(Partner).where(_partner.id == id)
    return await tx.model(query.with_for_update() if for_update else query)


async def list_services(tx: Tx, after: UUID | None, limit: int) -> list[Service]:
    """Return services in the order they were made."""
    query = select(Service).order_by(_service.id).limit(limit)
    return await tx.models(query if after is None else query.where(_service.id > after))


async def service(tx: Tx, id: UUID, *, for_update: bool = False) -> Service | None:
    """Return one service; for a change, under a lock."""
    query = select(Service).where(_service.id == id)
    return await tx.model(query.with_for_update() if for_update else query)


async def services_with_partners(tx: Tx, ids: Collection[UUID]) -> dict[UUID, tuple[Service, Partner]]:
    """Return services, each with its partner; unknown ones are absent."""
    services = await tx.models(select(Service).where(tx.among(_service.id, ids)))
    owners = {each.partner_id for each in services}
    partners = {each.id: each for each in await tx.models(select(Partner).where(tx.among(_partner.id, owners)))}
    return {each.id: (each, partners[each.partner_id]) for each in services}


async def change_service(tx: Tx, id: UUID, values: Mapping[str, Any]) -> None:
    """Write a service's new values."""
    await tx.run(update(Service).where(_service.id == id).values(**values))


async def agreements_of(tx: Tx, partner_id: UUID) -> list[Agreement]:
    """Return the agreements with a partner in the order they were made."""
    return await tx.models(select(Agreement).where(_agreement.partner_id == partner_id).order_by(_agreement.id))


async def services_of(tx: Tx, partner_ids: Collection[UUID]) -> list[Service]:
    """Return the services of partners."""
    return await tx.models(select(Service).where(tx.among(_service.partner_id, partner_ids)).order_by(_service.id))


async def list_agreements(tx: Tx, after: UUID | None, limit: int) -> list[Agreement]:
    """Return agreements in the order they were made."""
    query = select(Agreement).order_by(_agreement.id).limit(limit)
    return await tx.models(query if after is None else query.where(_agreement.id > after))


async def agreement(tx: Tx, id: UUID, *, for_update: bool = False) -> Agreement | None:
    """Return one agreement; for a change, under the lock that permits wait for."""
    query = select(Agreement).where(_agreement.id == id)
    return await tx.model(query.with_for_update() if for_update else query)


async def change_agreement(tx: Tx, id: UUID, values: Mapping[str, Any]) -> None:
    """Write an agreement's new values."""
    await tx.run(update(Agreement).where(_agreement.id == id).values(**values))


async def add_partners(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Store partners whose organisation is not a partner yet; returns the ids of the new ones."""
    return await tx.insert_new(Partner, rows, conflict=["organisation"], returning="id")


async def add_services(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store services."""
    await tx.insert(Service, rows)


async def add_agreements(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store agreements."""
    await tx.insert(Agreement, rows)
