"""Who wants no messages."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hubkit.db import Tx, table_of
from services.intake.tables import MessageObjectionRow

_OBJECTION = table_of(MessageObjectionRow)


async def add(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep objections to messages; one that stands is left as it is."""
    await tx.insert_new(MessageObjectionRow, rows, conflict=["referral_id"], returning="referral_id")


async def among(tx: Tx, referral_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these referrals whose person wants no messages."""
    query = select(_OBJECTION.c.referral_id).where(tx.among(_OBJECTION.c.referral_id, referral_ids))
    return {row.referral_id for row in await tx.rows(query)}
