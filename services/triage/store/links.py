"""Links between cases in the database."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from hubkit.db import Tx
from services.triage.tables import LinkRow


async def add(tx: Tx, row: Mapping[str, Any]) -> None:
    """Store a link; one that stands already is left as it is."""
    await tx.insert_new(LinkRow, [row], conflict=["case_id", "other_id", "relation"], returning="id")


async def links_of(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> list[LinkRow]:
    """Return the links of a case, from whichever side they were made, oldest first."""
    query = select(LinkRow).where(or_(col(LinkRow.case_id) == case_id, col(LinkRow.other_id) == case_id))
    if after is not None:
        query = query.where(col(LinkRow.id) > after)
    return await tx.models(query.order_by(col(LinkRow.id)).limit(limit))
