"""Queries on deliveries and their attempts."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select, union_all, update

from hubkit.db import Rows, Tx, table_of
from services.partners.model import VERIFICATION, Sought, Status
from services.partners.store import onward
from services.partners.tables.cases import OnwardReferral
from services.partners.tables.delivery import Attempt, Delivery, Endpoint

_DELIVERY = table_of(Delivery)
_ATTEMPT = table_of(Attempt)
_ENDPOINT = table_of(Endpoint)
_ONWARD = table_of(OnwardReferral)
_WAITING = ("queued", "parked")
_NEWS = ("endpoint_id", "onward_referral_id", "type", "number")
# Not an `in`: PostgreSQL reads each part of an `or` from the partial index that it implies, and a list from no index.
_IS_WAITING = or_(*(_DELIVERY.c.state == state for state in _WAITING))


async def add(tx: Tx, rows: Rows) -> set[UUID]:
    """Insert deliveries and return the ids of those that are new: the same news goes to one endpoint once."""
    hope = all(onward.is_own(tx, row["onward_referral_id"]) for row in rows)
    return await tx.insert_new(_DELIVERY, rows, conflict=_NEWS, returning="id", hope=hope)


async def revive(tx: Tx, rows: Rows) -> None:
    """Queue again what stands as stopped, found by endpoint, onward referral, type and number."""
    same = and_(*(_DELIVERY.c[name] == bindparam(f"_{name}") for name in _NEWS))
    fresh = {"state": "queued", "reason": None, "failures": 0, "lease_token": None}
    statement = update(_DELIVERY).where(same, _DELIVERY.c.state == "stopped")
    statement = statement.values(**fresh, due_at=tx.now, changed_at=tx.now)
    await tx.run(statement, [{f"_{name}": row[name] for name in _NEWS} for row in rows])


async def due(tx: Tx, shares: Mapping[UUID, int], pending: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return what may be claimed: for each endpoint at most its share, oldest first. Locks nothing.

    To a pending endpoint only its challenge goes.
    """
    parts = [
        select(_DELIVERY)
        .where(
            _DELIVERY.c.endpoint_id == endpoint_id,
            _DELIVERY.c.state == "queued",
            _DELIVERY.c.due_at <= tx.now,
            *((_DELIVERY.c.type == VERIFICATION,) if endpoint_id in pending else ()),
        )
        .order_by(_DELIVERY.c.due_at)
        .limit(share)
        .subquery()
        for endpoint_id, share in shares.items()
    ]
    return await tx.rows(union_all(*(select(part) for part in parts)))


async def lease(tx: Tx, delivery_ids: Collection[UUID], token: UUID, until: datetime) -> set[UUID]:
    """Lease those that are still to be had and return their ids."""
    statement = (
        update(_DELIVERY)
        .where(tx.among(_DELIVERY.c.id, delivery_ids), _DELIVERY.c.state == "queued", _DELIVERY.c.due_at <= tx.now)
        .values(lease_token=token, due_at=until)
        .returning(_DELIVERY.c.id)
    )
    return set((await tx.run(statement)).scalars())


async def locked(tx: Tx, delivery_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Lock these deliveries and return them."""
    query = select(_DELIVERY).where(tx.among(_DELIVERY.c.id, delivery_ids)).order_by(_DELIVERY.c.id)
    return await tx.rows(query.with_for_update())


async def change_each(tx: Tx, rows: Rows) -> None:
    """Change deliveries, each mapping by its `id`."""
    await tx.update_each(_DELIVERY, "id", rows)


async def add_attempts(tx: Tx, rows: Rows) -> None:
    """Insert attempts."""
    await tx.insert(_ATTEMPT, rows)


async def stop_each(tx: Tx, reasons: Mapping[UUID, str]) -> None:
    """Stop what waits, each for its reason; a lease stays, so that the attempt under way is still recorded."""
    statement = update(_DELIVERY).where(_DELIVERY.c.id == bindparam("_id"), _IS_WAITING)
    statement = statement.values(state="stopped", reason=bindparam("_reason"), changed_at=tx.now)
    await tx.run(statement, [{"_id": key, "_reason": reason} for key, reason in reasons.items()])


async def stop_news(tx: Tx, onward_ids: Collection[UUID], types: Collection[str], reason: str) -> None:
    """Stop what waits of these types, as `stop_each`."""
    statement = update(_DELIVERY).where(
        tx.among(_DELIVERY.c.onward_referral_id, onward_ids),
        _DELIVERY.c.type.in_(sorted(types)),
        _DELIVERY.c.state.in_(_WAITING),
    )
    await tx.run(statement.values(state="stopped", reason=reason, changed_at=tx.now))


async def lock_own(tx: Tx, partner_id: UUID, endpoint_id: UUID, type: str) -> None:
    """Lock what waits of one type at a partner's endpoint: before the endpoint itself, as whoever records results."""
    query = select(_DELIVERY.c.id).where(
        _DELIVERY.c.endpoint_id == endpoint_id,
        _DELIVERY.c.partner_id == partner_id,
        _DELIVERY.c.type == type,
        _DELIVERY.c.state.in_(_WAITING),
    )
    await tx.rows(query.order_by(_DELIVERY.c.id).with_for_update())


async def stop_own(tx: Tx, endpoint_id: UUID, type: str, reason: str) -> None:
    """Stop what waits of one type at one endpoint, as `stop_each`."""
    statement = update(_DELIVERY).where(
        _DELIVERY.c.endpoint_id == endpoint_id, _DELIVERY.c.type == type, _DELIVERY.c.state.in_(_WAITING)
    )
    await tx.run(statement.values(state="stopped", reason=reason, changed_at=tx.now))


async def leased_news(tx: Tx, endpoint_id: UUID) -> bool:
    """Return whether an attempt at this endpoint may be under way, other than of its challenge."""
    query = select(_DELIVERY.c.id).where(
        _DELIVERY.c.endpoint_id == endpoint_id,
        _DELIVERY.c.type != VERIFICATION,
        _DELIVERY.c.lease_token.is_not(None),
        _DELIVERY.c.due_at > tx.now,
    )
    return await tx.row(query.limit(1)) is not None


async def waiting_unverified(tx: Tx, type: str) -> Sequence[UUID]:
    """Return onward referrals that are ready and whose news of this type waits for an endpoint to be verified."""
    query = (
        select(_ONWARD.c.id)
        .join(_DELIVERY, _DELIVERY.c.onward_referral_id == _ONWARD.c.id)
        .join(_ENDPOINT, _ENDPOINT.c.id == _DELIVERY.c.endpoint_id)
        .where(
            _ENDPOINT.c.status == "pending",
            _DELIVERY.c.type == type,
            _DELIVERY.c.state == "queued",
            _ONWARD.c.status == Status.READY.value,
        )
    )
    return [row[0] for row in await tx.rows(query.limit(500))]


async def begun(tx: Tx, onward_ids: Collection[UUID], types: Collection[str]) -> Sequence[Row[Any]]:
    """Return the deliveries of these types of which an attempt was made or is under way."""
    query = select(_DELIVERY).where(
        tx.among(_DELIVERY.c.onward_referral_id, onward_ids),
        _DELIVERY.c.type.in_(sorted(types)),
        or_(_DELIVERY.c.attempts > 0, _DELIVERY.c.lease_token.is_not(None)),
    )
    return await tx.rows(query.order_by(_DELIVERY.c.id))


async def stranded(tx: Tx) -> Sequence[Row[Any]]:
    """Return what waits at deleted endpoints."""
    deleted = select(_ENDPOINT.c.id).where(_ENDPOINT.c.status == "deleted")
    query = select(_DELIVERY.c.id, _DELIVERY.c.onward_referral_id, _DELIVERY.c.type)
    query = query.where(_IS_WAITING, _DELIVERY.c.endpoint_id.in_(deleted))
    return await tx.rows(query.order_by(_DELIVERY.c.id).limit(500))


async def elsewhere(tx: Tx, onward_ids: Collection[UUID], type: str) -> set[UUID]:
    """Return those onward referrals whose news of one type a verified endpoint has, or waits for."""
    query = (
        select(_DELIVERY.c.onward_referral_id)
        .join(_ENDPOINT, _ENDPOINT.c.id == _DELIVERY.c.endpoint_id)
        .where(
            tx.among(_DELIVERY.c.onward_referral_id, onward_ids),
            _DELIVERY.c.type == type,
            _DELIVERY.c.state.in_((*_WAITING, "delivered")),
            _ENDPOINT.c.status.in_(("active", "paused")),
        )
    )
    return {row[0] for row in await tx.rows(query)}


async def park_paused(tx: Tx) -> None:
    """Park what is due at paused endpoints."""
    paused = select(_ENDPOINT.c.id).where(_ENDPOINT.c.status == "paused")
    statement = update(_DELIVERY).where(
        _DELIVERY.c.state == "queued", _DELIVERY.c.due_at <= tx.now, _DELIVERY.c.endpoint_id.in_(paused)
    )
    await tx.run(statement.values(state="parked", reason="endpoint_paused", lease_token=None, changed_at=tx.now))


async def unpark(tx: Tx, endpoint_id: UUID, reasons: Sequence[str]) -> None:
    """Queue again what was parked at an endpoint for these reasons."""
    await _requeue(
        tx,
        _DELIVERY.c.endpoint_id == endpoint_id,
        _DELIVERY.c.state == "parked",
        _DELIVERY.c.reason.in_(reasons),
    )


async def replay(tx: Tx, delivery_ids: Collection[UUID] | None, states: Sequence[str]) -> int:
    """Queue deliveries in these states afresh, those named or all, at active endpoints; returns how many."""
    conditions = _replayable(states)
    if delivery_ids is not None:
        conditions.append(tx.among(_DELIVERY.c.id, delivery_ids))
    return await _requeue(tx, *conditions)


async def replay_since(
    tx: Tx, partner_id: UUID, states: Collection[str], since: datetime, endpoint_id: UUID | None
) -> int:
    """Queue a partner's deliveries in these states afresh that were made since a moment, at its active endpoints."""
    conditions = [*_replayable(states), _DELIVERY.c.partner_id == partner_id, _DELIVERY.c.created_at >= since]
    if endpoint_id is not None:
        conditions.append(_DELIVERY.c.endpoint_id == endpoint_id)
    return await _requeue(tx, *conditions)


def _replayable(states: Collection[str]) -> list[ColumnElement[bool]]:
    """Return what holds of all that may be sent again; a challenge is not, since there are new ones."""
    active = select(_ENDPOINT.c.id).where(_ENDPOINT.c.status == "active")
    return [_DELIVERY.c.state.in_(states), _DELIVERY.c.endpoint_id.in_(active), _DELIVERY.c.type != VERIFICATION]


async def _requeue(tx: Tx, *conditions: ColumnElement[bool]) -> int:
    fresh = {"state": "queued", "reason": None, "failures": 0, "lease_token": None}
    statement = update(_DELIVERY).where(*conditions).values(**fresh, due_at=tx.now, changed_at=tx.now)
    return (await tx.run(statement)).rowcount


async def find(tx: Tx, wanted: Sought, *, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Return deliveries in the order they were made, from the one behind `after` on."""
    query = select(_DELIVERY)
    for name in ("partner_id", "state", "endpoint_id", "onward_referral_id"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(_DELIVERY.c[name] == value)
    if wanted.since is not None:
        query = query.where(_DELIVERY.c.created_at >= wanted.since)
    if after is not None:
        query = query.where(_DELIVERY.c.id > after)
    return await tx.rows(query.order_by(_DELIVERY.c.id).limit(limit))


async def one(tx: Tx, partner_id: UUID, delivery_id: UUID) -> Row[Any] | None:
    """Return a partner's own delivery with the status of its endpoint as `endpoint_status`."""
    query = (
        select(_DELIVERY, _ENDPOINT.c.status.label("endpoint_status"))
        .join(_ENDPOINT, _ENDPOINT.c.id == _DELIVERY.c.endpoint_id)
        .where(_DELIVERY.c.id == delivery_id, _DELIVERY.c.partner_id == partner_id)
    )
    return await tx.row(query)


async def attempts_of(tx: Tx, delivery_id: UUID) -> Sequence[Row[Any]]:
    """Return the attempts of a delivery, oldest first."""
    query = select(_ATTEMPT).where(_ATTEMPT.c.delivery_id == delivery_id)
    return await tx.rows(query.order_by(_ATTEMPT.c.number, _ATTEMPT.c.id))


async def counts(tx: Tx) -> dict[str, int]:
    """Return how many deliveries are queued and parked."""
    query = select(_DELIVERY.c.state, func.count().label("total")).where(_IS_WAITING)
    found = {row.state: row.total for row in await tx.rows(query.group_by(_DELIVERY.c.state))}
    return {**dict.fromkeys(_WAITING, 0), **found}
