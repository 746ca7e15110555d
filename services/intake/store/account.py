"""What intake keeps about referrals, and which referrals are about the same person."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select

from hubkit.account import Line, lines_about
from hubkit.db import Tx, table_of
from services.intake.tables import METADATA, PersonRow, ReferralRow

_PERSON = table_of(PersonRow)
_REFERRAL = table_of(ReferralRow)
_INDEXES: Final = (_PERSON.c.identity_index, _PERSON.c.phone_index, _PERSON.c.email_index)
#: The person, whose columns are sealed; keys of requests; and what is a copy of partners' own records.
_WITHOUT: Final = frozenset({"person", "idempotency", "referral_onward"})


async def find_by_source(tx: Tx, organisation: str, reference: str) -> UUID | None:
    """Return the referral of a source under its own reference."""
    query = select(_REFERRAL.c.id).where(
        _REFERRAL.c.source_organisation == organisation, _REFERRAL.c.source_reference == reference
    )
    row = await tx.row(query)
    return row.id if row is not None else None


async def exists(tx: Tx, referral_id: UUID) -> bool:
    """Return whether there is such a referral."""
    return await tx.row(select(_REFERRAL.c.id).where(_REFERRAL.c.id == referral_id)) is not None


async def same_person(tx: Tx, referral_ids: Collection[UUID]) -> set[UUID]:
    """Return these referrals and all that share a blind index with one of them, or with one that does, and so on."""
    found, fresh = set(referral_ids), set(referral_ids)
    while fresh:
        rows = await tx.rows(select(*_INDEXES).where(tx.among(_PERSON.c.referral_id, fresh)))
        keys = [{row[place] for row in rows if row[place] is not None} for place in range(len(_INDEXES))]
        shared = [tx.among(column, wanted) for column, wanted in zip(_INDEXES, keys, strict=True) if wanted]
        if not shared:
            break
        others = await tx.rows(select(_PERSON.c.referral_id).where(or_(*shared)))
        fresh = {row.referral_id for row in others} - found
        found |= fresh
    return found


async def lines(tx: Tx, referral_ids: Collection[UUID]) -> list[Line]:
    """Return everything that is kept about referrals, but nothing of the person, in order of time."""
    return await lines_about(tx, METADATA, {"referral_id": referral_ids}, without=_WITHOUT)
