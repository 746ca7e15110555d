"""Objections: the person says no to a use of their data, whatever its basis; the hub decides and it takes effect."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.contracts import ObjectionRecordedV1
from hubkit.contracts.codes import KINDS, ONWARD_HOP
from hubkit.db import Database, Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.consents import Decision, Recorded, record_consent
from services.partners.actions.deps import Deps
from services.partners.model import ALL, MESSAGES
from services.partners.store import cases, registry, rights

UPHELD: Final = "upheld"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Objection:
    """To what the person objects, and what the hub decided: upheld, unless there is a ground on which it is refused."""

    to: str
    reason: str
    method: str | None = None
    objected_at: datetime | None = None
    refused_on: str | None = None
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """An objection as it is kept, and what had gone out of the onward referrals that it took back."""

    row: dict[str, Any]
    withdrawn: tuple[UUID, ...] = ()
    disclosures: Sequence[Any] = field(default=())
    deliveries: Sequence[Any] = field(default=())


async def record_objection(db: Database, deps: Deps, caller: Caller, case_id: UUID, objection: Objection) -> Decided:
    """Record an objection and let it take effect.

    About partners it is a refusal in the consents, which the gate heeds under every basis: what is queued stops, and
    this returns only once no attempt from before is under way. About messages, intake sends none any more.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `unknown_partner`, `in_the_future`.
    """
    async with db.reading() as tx:
        await _check(tx, case_id, objection)
    refusal: Recorded | None = None
    if objection.refused_on is None and objection.to != MESSAGES:
        # First what protects the person: were it interrupted here, the objection is only to be entered again.
        refusal = await record_consent(db, deps, caller, case_id, _refusal(objection))
    async with db.transaction() as tx:
        row = await _keep(tx, caller, case_id, objection, refusal)
    if refusal is None:
        return Decided(row)
    return Decided(row, refusal.withdrawn, refusal.disclosures, refusal.deliveries)


async def list_objections(tx: Tx, case_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return the objections in a case with what was decided, oldest first.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    return await rights.objections_in(tx, case_id, after, limit)


async def _check(tx: Tx, case_id: UUID, objection: Objection) -> None:
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    if objection.objected_at is not None and objection.objected_at > tx.now:
        raise InvalidError(errors=[FieldError("/objected_at", "in_the_future", "must not be in the future")])
    is_partner = objection.to not in {ALL, MESSAGES} | KINDS
    if is_partner and await registry.partner(tx, UUID(objection.to)) is None:
        raise InvalidError(errors=[FieldError("/to", "unknown_partner", "is not a partner")])


def _refusal(objection: Objection) -> Decision:
    recipients = () if objection.to == ALL else (objection.to,)
    # It counts from now on: one from before a later consent would be overridden by that.
    return Decision(hop=ONWARD_HOP, decision="refused", recipients=recipients, method=objection.method)


async def _keep(
    tx: Tx, caller: Caller, case_id: UUID, objection: Objection, refusal: Recorded | None
) -> dict[str, Any]:
    case = (await cases.lock_cases(tx, [case_id]))[case_id]
    row: dict[str, Any] = {
        "id": new_id(),
        "case_id": case_id,
        "recipient": objection.to,
        "reason": objection.reason,
        "method": objection.method,
        "outcome": UPHELD if objection.refused_on is None else REFUSED,
        "ground": objection.refused_on,
        "consent_id": refusal.id if refusal is not None else None,
        "decided_by": objection.decided_by,
        "client_id": caller.client_id,
        "objected_at": objection.objected_at or tx.now,
        "decided_at": tx.now,
    }
    await rights.add_objection(tx, row)
    event = ObjectionRecordedV1(
        objection_id=row["id"],
        case_id=case_id,
        referral_id=case.referral_id,
        to=objection.to,
        reason=objection.reason,
        outcome=row["outcome"],
        decided_at=tx.now,
    )
    tx.emit(event, case_id)
    return row
