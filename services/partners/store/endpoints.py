"""Queries on webhook endpoints."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, not_, or_, select, update

from hubkit.db import Rows, Tx, table_of
from services.partners.model import VERIFICATION
from services.partners.policy.breaker import Breaker
from services.partners.tables.delivery import Delivery, Endpoint

_ENDPOINT = table_of(Endpoint)
_DELIVERY = table_of(Delivery)
_MOST_AT_ONCE = 64


async def add(tx: Tx, row: Mapping[str, Any]) -> None:
    """Insert one endpoint."""
    await tx.insert(_ENDPOINT, [row])


async def count_of(tx: Tx, partner_id: UUID) -> int:
    """Return how many endpoints a partner has."""
    query = select(func.count()).where(_ENDPOINT.c.partner_id == partner_id, _ENDPOINT.c.status != "deleted")
    row = await tx.row(query)
    return int(row[0]) if row is not None else 0


async def one(tx: Tx, partner_id: UUID, endpoint_id: UUID) -> Row[Any] | None:
    """Lock a partner's own endpoint and return it."""
    query = select(_ENDPOINT).where(
        _ENDPOINT.c.id == endpoint_id, _ENDPOINT.c.partner_id == partner_id, _ENDPOINT.c.status != "deleted"
    )
    return await tx.row(query.with_for_update())


async def of_partners(tx: Tx, partner_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return the endpoints of these partners that are not deleted, oldest first."""
    query = select(_ENDPOINT).where(tx.among(_ENDPOINT.c.partner_id, partner_ids), _ENDPOINT.c.status != "deleted")
    return await tx.rows(query.order_by(_ENDPOINT.c.id))


async def locked(tx: Tx, endpoint_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Lock these endpoints and return them."""
    query = select(_ENDPOINT).where(tx.among(_ENDPOINT.c.id, endpoint_ids)).order_by(_ENDPOINT.c.id)
    return await tx.rows(query.with_for_update())


async def with_due(tx: Tx, passed: Collection[UUID] = ()) -> Sequence[Row[Any]]:
    """Return endpoints with something to claim and no open breaker, the one that waited longest first.

    They are active, or pending with their challenge to be sent, and none of those that are `passed` over.
    """
    is_due = (
        _DELIVERY.c.endpoint_id == _ENDPOINT.c.id,
        _DELIVERY.c.state == "queued",
        _DELIVERY.c.due_at <= tx.now,
        or_(_ENDPOINT.c.status == "active", _DELIVERY.c.type == VERIFICATION),
    )
    oldest = select(func.min(_DELIVERY.c.due_at)).where(*is_due).scalar_subquery()
    query = select(_ENDPOINT).where(
        _ENDPOINT.c.status.in_(("active", "pending")),
        or_(_ENDPOINT.c.open_until.is_(None), _ENDPOINT.c.open_until <= tx.now),
        exists().where(*is_due),
        *([not_(tx.among(_ENDPOINT.c.id, passed))] if passed else []),
    )
    return await tx.rows(query.order_by(oldest).limit(_MOST_AT_ONCE))


async def change(tx: Tx, endpoint_id: UUID, values: Mapping[str, Any]) -> None:
    """Change one endpoint."""
    await tx.run(update(_ENDPOINT).where(_ENDPOINT.c.id == endpoint_id).values(values))


async def change_each(tx: Tx, rows: Rows) -> None:
    """Change endpoints, each mapping by its `id`."""
    await tx.update_each(_ENDPOINT, "id", rows)


async def hold_probes(tx: Tx, endpoint_ids: Collection[UUID], until: datetime) -> None:
    """Let nothing else through to these endpoints while their probe is out."""
    await tx.run(update(_ENDPOINT).where(tx.among(_ENDPOINT.c.id, endpoint_ids)).values(open_until=until))


def breaker_of(row: Row[Any]) -> Breaker:
    """Return the breaker in an endpoint's row."""
    return Breaker(row.window_from, row.window_requests, row.window_failures, row.openings, row.open_until)


def breaker_columns(breaker: Breaker) -> dict[str, Any]:
    """Return the columns in which a breaker is kept."""
    return {
        "window_from": breaker.window_from,
        "window_requests": breaker.requests,
        "window_failures": breaker.failures,
        "openings": breaker.openings,
        "open_until": breaker.open_until,
    }
