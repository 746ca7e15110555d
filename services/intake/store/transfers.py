"""Transfers and what became of their rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from hubkit.db import Rows, Tx, table_of
from services.intake.model import Outcome, TransferStatus
from services.intake.schemas import TransferView
from services.intake.tables import TransferLineRow, TransferRow

_TRANSFER = table_of(TransferRow)
_LINE = table_of(TransferLineRow)


async def add_transfer(tx: Tx, transfer_id: UUID, organisation: str) -> None:
    """Store a transfer that begins."""
    row = {"id": transfer_id, "organisation": organisation, "status": TransferStatus.RECEIVING, "received_at": tx.now}
    await tx.insert(TransferRow, [row | {outcome.value: 0 for outcome in Outcome}])


async def add_lines(tx: Tx, transfer_id: UUID, rows: Rows, counts: Mapping[Outcome, int]) -> None:
    """Store what became of rows, and add them to the transfer's counts."""
    await tx.insert(TransferLineRow, [{"transfer_id": transfer_id, **row} for row in rows])
    added = {outcome.value: _TRANSFER.c[outcome.value] + count for outcome, count in counts.items()}
    await tx.run(update(_TRANSFER).where(_TRANSFER.c.id == transfer_id).values(added))


async def close_transfer(tx: Tx, transfer_id: UUID, status: TransferStatus, at: datetime | None) -> None:
    """Write how a transfer ended, and when it was complete."""
    values = {"status": status.value, "completed_at": at}
    await tx.run(update(_TRANSFER).where(_TRANSFER.c.id == transfer_id).values(values))


async def find_own(tx: Tx, transfer_id: UUID, organisation: str) -> TransferView | None:
    """Return a transfer and its counts if `organisation` sent it."""
    query = select(TransferRow).where(_TRANSFER.c.id == transfer_id, _TRANSFER.c.organisation == organisation)
    row = await tx.model(query)
    if row is None:
        return None
    return TransferView(
        id=row.id,
        status=TransferStatus(row.status),
        rows=row.accepted + row.updated + row.duplicate + row.rejected,
        accepted=row.accepted,
        updated=row.updated,
        duplicate=row.duplicate,
        rejected=row.rejected,
        received_at=row.received_at,
        completed_at=row.completed_at,
    )


async def lines_after(tx: Tx, transfer_id: UUID, outcome: Outcome | None, after: int, limit: int) -> list[Row[Any]]:
    """Return rows of a transfer whose line is greater than `after`, in order."""
    query = select(_LINE).where(_LINE.c.transfer_id == transfer_id, _LINE.c.line > after)
    if outcome is not None:
        query = query.where(_LINE.c.outcome == outcome.value)
    return list(await tx.rows(query.order_by(_LINE.c.line).limit(limit)))
