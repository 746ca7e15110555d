"""Messages that are to be sent, and how far each has come."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, select, update

from hubkit.db import Rows, Tx, table_of
from services.intake.model import Sending, SendState
from services.intake.tables import MessageRow

_MESSAGE = table_of(MessageRow)


async def add(tx: Tx, rows: Rows) -> None:
    """Store messages; one whose id stands already is left as it is."""
    await tx.insert_new(MessageRow, rows, conflict=["id"], returning="id")


async def lock_due(tx: Tx, limit: int) -> Sequence[Row[Any]]:
    """Return messages that are due, locked, longest due first; those that another process holds are passed over."""
    query = select(_MESSAGE).where(_MESSAGE.c.due_at <= tx.now).order_by(_MESSAGE.c.due_at).limit(limit)
    return await tx.rows(query.with_for_update(skip_locked=True))


async def lock(tx: Tx, message_id: UUID) -> Row[Any] | None:
    """Return one message, locked."""
    return await tx.row(select(_MESSAGE).where(_MESSAGE.c.id == message_id).with_for_update())


async def change_each(tx: Tx, rows: Rows) -> None:
    """Change messages, each found by its `id`."""
    await tx.update_each(MessageRow, "id", rows)


async def stop(tx: Tx, referral_ids: Collection[UUID], reason: str, before: datetime | None = None) -> None:
    """Stop the messages of referrals that are not settled, or of those only what was requested before a moment."""
    statement = update(_MESSAGE).where(_MESSAGE.c.due_at.is_not(None), tx.among(_MESSAGE.c.referral_id, referral_ids))
    if before is not None:
        statement = statement.where(_MESSAGE.c.requested_at < before)
    # What is under way stays leased; it is settled when its attempt has ended.
    due_at = case((_MESSAGE.c.lease_token.is_(None), tx.now), else_=_MESSAGE.c.due_at)
    await tx.run(statement.values(stop_reason=reason, due_at=due_at))


def stored(sendings: Sequence[Sending]) -> list[dict[str, Any]]:
    """Return sendings as they stand in their column."""
    return [
        {
            "method": each.method,
            "due_at": each.due_at.isoformat(),
            "state": each.state.value,
            "reason": each.reason,
            "attempts": each.attempts,
            "receipt": each.receipt,
        }
        for each in sendings
    ]


def sendings_of(column: Sequence[Mapping[str, Any]]) -> tuple[Sending, ...]:
    """Return sendings as they were stored."""
    return tuple(
        Sending(**{**each, "state": SendState(each["state"]), "due_at": datetime.fromisoformat(each["due_at"])})
        for each in column
    )
