"""What partners did with data that was taken back, rectified or erased: asked with the news, answered, overdue.

Source: UK GDPR articles 17(1)(b) and 19 (recipients are told of a rectification or an erasure), 7(3) (withdrawal).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hubkit.auth import Caller
from hubkit.contracts.profile import Within
from hubkit.db import Tx
from hubkit.deadlines import WorkingCalendar
from hubkit.errors import ConflictError, FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.deps import Deps
from services.partners.model import CORRECTED, ERASED, ERASED_STATEMENTS, RECTIFIED_STATEMENTS, STATEMENTS, Onward
from services.partners.store import protection, registry

#: Why an onward referral was withdrawn, where the person took it back: then its partner is asked.
_TAKEN_BACK: Final = frozenset({"consent_withdrawn", "consent_refused"})
#: What a partner may state, by why it was asked; of a withdrawal the rest.
_POSSIBLE: Final = {CORRECTED: RECTIFIED_STATEMENTS, ERASED: ERASED_STATEMENTS}
_WITHDRAWALS: Final[Mapping[UUID, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Statement:
    """What a partner says that it did; `note` in its words."""

    statement: str
    note: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What one partner is asked. `state` is awaited, overdue or given; `note` is opened.

    `number` is that of the amendment, 0 for a withdrawal.
    """

    id: UUID
    onward_referral_id: UUID
    number: int
    case_id: UUID
    partner_id: UUID
    reason: str
    state: str
    asked_at: datetime
    due_at: datetime
    statement: str | None
    note: str | None = field(repr=False)
    answered_at: datetime | None


async def ask_taken_back(tx: Tx, deps: Deps, told: Sequence[Onward]) -> Mapping[UUID, datetime]:
    """Ask the partners of those that the person took back; returns until when, by onward referral.

    `told` are onward referrals just withdrawn of which a partner knows, or may know.
    """
    reasons = {row.id: next((each for each in row.reasons if each in _TAKEN_BACK), None) for row in told}
    return await ask(tx, deps, {row: reason for row in told if (reason := reasons[row.id]) is not None})


async def ask(
    tx: Tx, deps: Deps, taken: Mapping[Onward, str], numbers: Mapping[UUID, int] = _WITHDRAWALS
) -> Mapping[UUID, datetime]:
    """Ask the partners of onward referrals, each for a reason; returns until when, by those not asked about before.

    Parameters
    ----------
    numbers
        Which amendment it is about, by onward referral; none for a withdrawal.
    """
    if not taken:
        return {}
    profile = deps.profile_at(tx.now)
    calendar = WorkingCalendar(profile.calendar, ZoneInfo(profile.timezone))
    due = calendar.due(tx.now, Within(amount=deps.acknowledge_working_days, unit="working_days"))
    rows = [
        {
            "id": new_id(),
            "onward_referral_id": row.id,
            "number": numbers.get(row.id, 0),
            "case_id": row.case_id,
            "partner_id": row.partner_id,
            "reason": reason,
            "asked_at": tx.now,
            "due_at": due,
        }
        for row, reason in taken.items()
    ]
    return dict.fromkeys(await protection.ask_for_acknowledgements(tx, rows), due)


async def acknowledge(tx: Tx, deps: Deps, caller: Caller, about: tuple[UUID, int], said: Statement) -> Acknowledgement:
    """Take a partner's statement on an onward referral's withdrawal (0) or amendment; said again it is the same.

    Raises
    ------
    NotFoundError
        When it is not the caller's, or nothing was asked about it.
    InvalidError
        `not_rectified`, when it says that it rectified what was not to be rectified.
    ConflictError
        `already_stated`, when it stated something else before.
    """
    statement, note = said.statement, said.note
    partner_id = await registry.partner_of(tx, caller.organisation)
    row = await protection.acknowledgement(tx, *about)
    if row is None or row.partner_id != partner_id:
        raise NotFoundError
    if statement not in _POSSIBLE.get(row.reason, STATEMENTS):
        raise InvalidError(errors=[FieldError("/statement", "not_rectified", "nothing was rectified")])
    if row.statement is not None:
        if row.statement != statement:
            raise ConflictError("You stated something else before; tell the hub", code="already_stated")
        return _opened(tx, deps, row)
    sealed = deps.keyring.record("withdrawal_acknowledgement", row.id).seal("note", note) if note else None
    given = {"statement": statement, "note": sealed, "answered_at": tx.now, "client_id": caller.client_id}
    await protection.acknowledge(tx, row.id, given)
    return _opened(tx, deps, row, given)


async def list_all(
    tx: Tx, deps: Deps, state: str | None, case_id: UUID | None, after: UUID | None, limit: int
) -> list[Acknowledgement]:
    """Return what partners are asked, oldest first: of one case, or in one state."""
    return [_opened(tx, deps, row) for row in await protection.acknowledgements_in(tx, state, case_id, after, limit)]


async def of_onward(tx: Tx, deps: Deps, onward_ids: Sequence[UUID]) -> dict[UUID, Acknowledgement]:
    """Return what partners are asked about withdrawn onward referrals, by onward referral."""
    found = await protection.acknowledgements_of(tx, onward_ids)
    return {id: _opened(tx, deps, row) for id, row in found.items()}


def _opened(tx: Tx, deps: Deps, row: Any, given: Mapping[str, Any] | None = None) -> Acknowledgement:
    said = given or {"statement": row.statement, "note": row.note, "answered_at": row.answered_at}
    state = "given" if said["answered_at"] is not None else "overdue" if row.due_at <= tx.now else "awaited"
    sealed, sealer = said["note"], deps.keyring.record("withdrawal_acknowledgement", row.id)
    return Acknowledgement(
        id=row.id,
        onward_referral_id=row.onward_referral_id,
        number=row.number,
        case_id=row.case_id,
        partner_id=row.partner_id,
        reason=row.reason,
        state=state,
        asked_at=row.asked_at,
        due_at=row.due_at,
        statement=said["statement"],
        note=sealer.open_text("note", sealed) if sealed is not None else None,
        answered_at=said["answered_at"],
    )


async def count_overdue(tx: Tx) -> int:
    """Return how many statements of partners are overdue."""
    return await protection.count_overdue(tx)
