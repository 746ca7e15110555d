"""Persons that are deleted, and what holds their deletion."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select, update

from hubkit.db import Tx, table_of
from services.intake.model import PersonKeys
from services.intake.store import persons
from services.intake.tables import HoldRow, PersonRow

_PERSON = table_of(PersonRow)
_HOLD = table_of(HoldRow)
_INDEXES = ("identity_index", "phone_index", "email_index")
_DETAILS = tuple(_PERSON.c[name] for name in (*persons.SEALED, *_INDEXES))
_IS_LEFT = or_(*(column.is_not(None) for column in _DETAILS))


async def left(tx: Tx, referral_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these referrals of whose person anything is left."""
    query = select(_PERSON.c.referral_id).where(tx.among(_PERSON.c.referral_id, referral_ids), _IS_LEFT)
    return {row.referral_id for row in await tx.rows(query)}


async def lock(tx: Tx, referral_id: UUID) -> Row[Any] | None:
    """Return the sealed columns and indexes of a referral's person, locked; None when nothing is left of them."""
    query = select(_PERSON.c.referral_id, *_DETAILS).where(_PERSON.c.referral_id == referral_id, _IS_LEFT)
    return await tx.row(query.with_for_update())


async def erase(tx: Tx, referral_id: UUID) -> None:
    """Overwrite everything of a referral's person: all sealed values, and the indexes by which they were found."""
    await tx.run(
        update(_PERSON)
        .where(_PERSON.c.referral_id == referral_id)
        .values(dict.fromkeys(column.name for column in _DETAILS))
    )


def keys_of(row: Row[Any]) -> PersonKeys:
    """Return the blind indexes of a locked person."""
    return PersonKeys(row.identity_index, row.phone_index, row.email_index)


async def add_hold(tx: Tx, row: Mapping[str, Any]) -> None:
    """Keep a hold."""
    await tx.insert(HoldRow, [row])


async def holds(tx: Tx, today: date) -> Sequence[Row[Any]]:
    """Return the holds that stand on a local day, oldest first."""
    stands = or_(_HOLD.c.until.is_(None), _HOLD.c.until >= today)
    return await tx.rows(select(_HOLD).where(_HOLD.c.lifted_at.is_(None), stands).order_by(_HOLD.c.id))


async def lift_hold(tx: Tx, hold_id: UUID, lifted_by: str) -> UUID | None:
    """End a hold; returns its referral, or None when there is no such hold or it was lifted before."""
    statement = update(_HOLD).where(_HOLD.c.id == hold_id, _HOLD.c.lifted_at.is_(None))
    statement_ = statement.values(lifted_by=lifted_by, lifted_at=tx.now).returning(_HOLD.c.referral_id)
    return (await tx.run(statement_)).scalar_one_or_none()
