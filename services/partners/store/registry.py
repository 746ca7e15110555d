"""Partners, their services and agreements in the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

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


async def share_partners(tx: Tx, partner_ids: Collection[UUID]) -> dict[UUID, gate.Partner]:
    """Return partners with their agreements as the gate takes them, under locks that a change of either waits for.

    A partner without any agreement is absent.
    """
    columns = (
        _partner.id.label("partner_id"),
        _partner.status.label("standing"),
        _partner.ring_fenced,
        _agreement.id,
        _agreement.version,
        _agreement.status,
        _agreement.lawful_basis,
        _agreement.purposes,
        _agreement.data_categories,
        _agreement.crimes_excluded,
        _agreement.starts_on,
        _agreement.ends_on,
    )
    query = (
        select(*columns)
        .join(Agreement, _agreement.partner_id == _partner.id)
        .where(tx.among(_partner.id, partner_ids))
        .order_by(_agreement.id)
        .with_for_update(read=True)
    )
    found: dict[UUID, gate.Partner] = {}
    for row in await tx.rows(query):
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
        )
        known = found.get(row.partner_id)
        agreements = (*known.agreements, agreement) if known else (agreement,)
        found[row.partner_id] = gate.Partner(row.partner_id, row.standing == "active", row.ring_fenced, agreements)
    return found


async def list_partners(tx: Tx, after: UUID | None, limit: int) -> list[Partner]:
    """Return partners in the order they were made."""
    query = select(Partner).order_by(_partner.id).limit(limit)
    return await tx.models(query if after is None else query.where(_partner.id > after))


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
