"""What staff and partners wrote in words about cases, wherever it is kept: every sealed column of a row of a case."""

from collections.abc import Callable, Collection
from uuid import UUID

from sqlalchemy import LargeBinary, select

from hubkit.db import Tx, table_of
from services.partners.tables import METADATA
from services.partners.tables.cases import CaseFacts

_case = table_of(CaseFacts).c


async def cases_of(tx: Tx, referral_ids: Collection[UUID]) -> set[UUID]:
    """Return the cases of referrals."""
    rows = await tx.rows(select(_case.case_id).where(tx.among(_case.referral_id, referral_ids)))
    return {row.case_id for row in rows}


async def overwrite(tx: Tx, case_ids: Collection[UUID], sealed: Callable[[str, UUID, str], bytes]) -> None:
    """Put something else in the place of all words about cases; where none were written, none are.

    A new table of cases needs no line here: whatever of it is bytes is sealed words.

    Parameters
    ----------
    sealed
        Returns what to put there, by table, id of the row and column.
    """
    for table in METADATA.sorted_tables:
        columns = [column for column in table.c if isinstance(column.type, LargeBinary)]
        if "case_id" not in table.c or not columns:
            continue
        for column in columns:
            query = select(table.c.id).where(tx.among(table.c.case_id, case_ids), column.is_not(None))
            rows = [
                {"id": row.id, column.name: sealed(table.name, row.id, column.name)} for row in await tx.rows(query)
            ]
            await tx.update_each(table, "id", rows)
