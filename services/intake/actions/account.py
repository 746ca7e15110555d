"""What intake has to say in the account of a person."""

from collections.abc import Collection
from uuid import UUID

from hubkit.account import Line
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from services.intake.store import account


async def referrals_of_person(tx: Tx, referral_id: UUID) -> list[UUID]:
    """Return all referrals of the person of one, that one included, in the order in which they arrived.

    Two are of the same person when they share a blind index (name with date of birth, telephone or email).

    Raises
    ------
    NotFoundError
        When there is no such referral.
    """
    if not await account.exists(tx, referral_id):
        raise NotFoundError("There is no such referral")
    return sorted(await account.same_person(tx, [referral_id]))


async def referral_under(tx: Tx, organisation: str, reference: str) -> UUID:
    """Return the referral that a source has under its own reference.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    found = await account.find_by_source(tx, organisation, reference)
    if found is None:
        raise NotFoundError("There is no referral of this source under this reference")
    return found


async def lines_of(tx: Tx, referral_ids: Collection[UUID]) -> list[Line]:
    """Return the referrals, how they came, and the messages to the person, in order of time."""
    return await account.lines(tx, referral_ids)
