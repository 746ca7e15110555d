"""Deletion of persons who are kept no longer: held back where there is a reason, recorded, and proved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from hubkit.contracts import PersonErasedV1
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from hubkit.ids import new_id
from services.intake.actions.deps import Deps
from services.intake.model import PersonKeys
from services.intake.store import account, messages, persons, register, retention

DELETED: Final = "deletion"
_STOPPED: Final = "person_deleted"


@dataclass(frozen=True, slots=True)
class Erased:
    """A person who was deleted from a referral. `keys` are the indexes by which they could be found before."""

    referral_id: UUID
    keys: PersonKeys


async def hold(tx: Tx, deps: Deps, referral_id: UUID, reason: str, until: date | None, by: str) -> UUID:
    """Keep a referral's person from deletion, for a reason, until a local day (inclusive) or lifted; returns its id.

    Raises
    ------
    NotFoundError
        When there is no such referral.
    """
    if not await account.exists(tx, referral_id):
        raise NotFoundError("There is no such referral")
    row = {"id": new_id(), "referral_id": referral_id, "reason": reason, "until": until, "placed_by": by}
    await retention.add_hold(tx, {**row, "placed_at": tx.now})
    details = {"hold_id": str(row["id"]), "reason": reason, "until": until.isoformat() if until else None}
    await _record(tx, deps, "hold", referral_id, details, by)
    return UUID(str(row["id"]))


async def lift(tx: Tx, deps: Deps, hold_id: UUID, by: str) -> None:
    """End a hold.

    Raises
    ------
    NotFoundError
        When there is no such hold, or it was lifted before.
    """
    referral_id = await retention.lift_hold(tx, hold_id, by)
    if referral_id is None:
        raise NotFoundError("There is no such hold")
    await _record(tx, deps, "hold_lifted", referral_id, {"hold_id": str(hold_id)}, by)


async def list_holds(tx: Tx, deps: Deps) -> Sequence[Any]:
    """Return the holds that stand today, oldest first."""
    return await retention.holds(tx, _today(tx, deps))


async def deletable(tx: Tx, deps: Deps, referral_ids: Collection[UUID]) -> tuple[set[UUID], dict[UUID, list[str]]]:
    """Return of these referrals those whose person can be deleted, and the reasons of the holds on the others.

    Those of whom nothing is left are in neither.
    """
    held: dict[UUID, list[str]] = {}
    for row in await list_holds(tx, deps):
        held.setdefault(row.referral_id, []).append(row.reason)
    left = await retention.left(tx, referral_ids)
    return left - held.keys(), {id: held[id] for id in sorted(left & held.keys())}


async def erase(tx: Tx, deps: Deps, referral_id: UUID, why: Mapping[str, Any], by: str) -> Erased | None:
    """Delete a referral's person and record it; None when there is a hold, or nothing left to delete.

    Every sealed value and every blind index is overwritten; codes stay. What waits to be sent to them is stopped, and
    partners hears of it, which tells every recipient.
    """
    row = await retention.lock(tx, referral_id)
    if row is None or any(each.referral_id == referral_id for each in await list_holds(tx, deps)):
        return None
    erased = Erased(referral_id, retention.keys_of(row))
    fields = [name for name in persons.SEALED if row._mapping[name] is not None]
    await retention.erase(tx, referral_id)
    await messages.stop(tx, [referral_id], _STOPPED)
    await _record(tx, deps, DELETED, referral_id, {**why, "fields": fields}, by)
    tx.emit(PersonErasedV1(referral_id=referral_id, erased_at=tx.now), referral_id)
    return erased


async def is_gone(tx: Tx, deps: Deps, erased: Erased) -> bool:
    """Whether nothing of a deleted person can be opened or found any more, and the register says that it was deleted.

    Looked at afresh, after the commit: no field opens, no index that found the person leads to the referral, the
    register is whole.
    """
    row = await persons.find_person(tx, erased.referral_id)
    opened = persons.opened(deps.keyring, row, frozenset(persons.SEALED)) if row is not None else {}
    found = await persons.earliest_by_keys(tx, [erased.keys])
    recorded = await register.of_referral(tx, erased.referral_id, DELETED)
    is_unreadable = not any(value is not None for value in opened.values())
    is_unfound = erased.referral_id not in found.values() and not await retention.left(tx, [erased.referral_id])
    return (
        is_unreadable and is_unfound and bool(recorded) and await register.first_broken(tx, deps.register_mac) is None
    )


async def _record(tx: Tx, deps: Deps, kind: str, referral_id: UUID, details: Mapping[str, Any], by: str) -> None:
    row = {"kind": kind, "referral_id": referral_id, "details": dict(details), "made_by": by}
    await register.append(tx, deps.register_mac, [row])


def _today(tx: Tx, deps: Deps) -> date:
    return tx.now.astimezone(deps.zone_at(tx.now)).date()
