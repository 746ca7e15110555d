"""What triage has to say in the account of a person."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final
from uuid import UUID

from hubkit.account import Line
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.triage.store import account

#: Entries of the timeline that partners itself keeps, and says more of.
_KEPT_BY_PARTNERS: Final = ("consent.", "disclosure.", "objection.")
_TIMELINE: Final = "entry"


async def referral_of_case(tx: Tx, case_id: UUID) -> UUID:
    """Return the referral of a case.

    Raises
    ------
    NotFoundError
        When there is no such case.
    """
    found = await account.referral_of(tx, case_id)
    if found is None:
        raise NotFoundError("There is no such case")
    return found


async def cases_of_referrals(tx: Tx, referral_ids: Collection[UUID]) -> list[UUID]:
    """Return the cases of referrals, oldest first."""
    return await account.cases_of(tx, referral_ids)


async def lines_of(tx: Tx, case_ids: Collection[UUID]) -> list[Line]:
    """Return decisions, contacts, attempts and what the timeline heard, in order of time.

    What the timeline heard has the name of its event.
    """
    return [
        _heard(line) if line.what == _TIMELINE else line
        for line in await account.lines(tx, case_ids)
        if line.what != _TIMELINE or not str(line.codes["type"]).startswith(_KEPT_BY_PARTNERS)
    ]


def _heard(line: Line) -> Line:
    codes = {"case_id": line.codes["case_id"], **line.codes["codes"]}
    return replace(line, what=line.codes["type"], codes=codes)
