"""What triage keeps about cases."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from hubkit.account import Line, lines_about
from hubkit.db import Tx, table_of
from services.triage.tables import METADATA, CaseRow

_CASE = table_of(CaseRow)


async def referral_of(tx: Tx, case_id: UUID) -> UUID | None:
    """Return the referral of a case."""
    row = await tx.row(select(_CASE.c.referral_id).where(_CASE.c.id == case_id))
    return row.referral_id if row is not None else None


async def cases_of(tx: Tx, referral_ids: Collection[UUID]) -> list[UUID]:
    """Return the cases of referrals, oldest first."""
    query = select(_CASE.c.id).where(tx.among(_CASE.c.referral_id, referral_ids)).order_by(_CASE.c.id)
    return [row.id for row in await tx.rows(query)]


async def lines(tx: Tx, case_ids: Collection[UUID]) -> list[Line]:
    """Return everything that is kept about cases, in order of time."""
    return await lines_about(tx, METADATA, {"case_id": case_ids, "case_record_id": case_ids})
