"""The timeline of cases."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from hubkit.db import Tx
from services.triage.model import Entry
from services.triage.tables import EntryRow

_TIMELINE_LIMIT = 1_000


async def insert_entries(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Add entries to timelines."""
    await tx.insert(EntryRow, rows)


async def entries_of(tx: Tx, case_id: UUID) -> list[Entry]:
    """Return the newest entries of a case's timeline, the oldest of them first."""
    newest = select(EntryRow).where(col(EntryRow.case_id) == case_id)
    newest = newest.order_by(col(EntryRow.at).desc(), col(EntryRow.id).desc()).limit(_TIMELINE_LIMIT)
    return [Entry(row.type, row.at, row.codes) for row in reversed(await tx.models(newest))]
