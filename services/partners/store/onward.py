"""Onward referrals in the database."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from hubkit.db import Tx, table_of
from services.partners.model import Onward, Status
from services.partners.tables.cases import OnwardReferral

_onward = table_of(OnwardReferral).c
_NAMES = tuple(field.name for field in fields(Onward))
_COLUMNS = tuple(_onward[name] for name in _NAMES)
_CHANGING = ("id", "status", "version", "reasons", "outcome", "basis", "changed_at", "ready_at", "sent_at")


async def add(tx: Tx, rows: Sequence[Onward], *, hope: bool = False) -> set[UUID]:
    """Store onward referrals that are not stored yet; returns the ids of the new ones.

    `hope` says that they are nearly always new.
    """
    values = [_values(row, _NAMES) for row in rows]
    new: set[UUID] = await tx.insert_new(OnwardReferral, values, conflict=["id"], returning="id", hope=hope)
    tx.memo.setdefault("onward", set()).update(new)
    return new


def is_own(tx: Tx, onward_id: UUID) -> bool:
    """Whether the onward referral was stored in this transaction, so that nothing can stand about it yet."""
    return onward_id in tx.memo.get("onward", ())


async def save(tx: Tx, rows: Sequence[Onward]) -> None:
    """Write what changes in onward referrals whose rows are locked."""
    await tx.update_each(OnwardReferral, "id", [_values(row, _CHANGING) for row in rows])


async def lock(tx: Tx, ids: Collection[UUID]) -> list[Onward]:
    """Take the row locks of onward referrals, in id order; unknown ones are absent."""
    query = select(*_COLUMNS).where(tx.among(_onward.id, ids)).order_by(_onward.id)
    return await _read(tx, query.with_for_update())


async def lock_live(tx: Tx, case_ids: Collection[UUID], statuses: Collection[Status]) -> list[Onward]:
    """Take the row locks of the onward referrals of cases that stand in one of `statuses`, in id order."""
    query = select(*_COLUMNS).where(tx.among(_onward.case_id, case_ids), _onward.status.in_(statuses))
    return await _read(tx, query.order_by(_onward.id).with_for_update())


async def lock_of(tx: Tx, referral_ids: Collection[UUID]) -> list[Onward]:
    """Take the row locks of the onward referrals of persons of these referrals, in id order."""
    query = select(*_COLUMNS).where(tx.among(_onward.referral_id, referral_ids)).order_by(_onward.id)
    return await _read(tx, query.with_for_update())


async def read(tx: Tx, ids: Collection[UUID]) -> list[Onward]:
    """Return onward referrals; unknown ones are absent."""
    return await _read(tx, select(*_COLUMNS).where(tx.among(_onward.id, ids)))


async def sent_to(tx: Tx, partner_id: UUID, status: str | None, after: UUID | None, limit: int) -> list[Onward]:
    """Return what a partner has been told of, oldest first."""
    query = select(*_COLUMNS).where(_onward.partner_id == partner_id, _onward.sent_at.is_not(None))
    if status is not None:
        query = query.where(_onward.status == status)
    if after is not None:
        query = query.where(_onward.id > after)
    return await _read(tx, query.order_by(_onward.id).limit(limit))


async def of_case(
    tx: Tx, case_id: UUID, statuses: Collection[Status], *, after: UUID | None = None, limit: int | None = None
) -> list[Onward]:
    """Return the onward referrals of a case that stand in one of `statuses`, in the order they were asked for."""
    query = select(*_COLUMNS).where(_onward.case_id == case_id, _onward.status.in_(statuses))
    if after is not None:
        query = query.where(_onward.id > after)
    return await _read(tx, query.order_by(_onward.id).limit(limit))


async def _read(tx: Tx, query: Select[Any]) -> list[Onward]:
    return [_row(**row._mapping) for row in await tx.rows(query)]


def _row(*, status: str, reasons: list[str], **columns: object) -> Onward:
    return Onward(status=Status(status), reasons=tuple(reasons), **columns)  # type: ignore[arg-type]


def _values(row: Onward, names: Sequence[str]) -> dict[str, Any]:
    # dataclasses.asdict copies every value deeply, which was a third of the cost of a batch.
    return {name: getattr(row, name) for name in names}
