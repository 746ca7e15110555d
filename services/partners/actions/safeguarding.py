"""Disclosing without consent on a legal ground: one person decides, a second approves, and then it goes out.

Source: design.md section 5; the facts on consent (reference `domain.md`), sections 3 and 5: only to protect from
serious harm or by law, with who decided, why, what was shared and whether the person was told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.db import Tx
from hubkit.errors import ConflictError, FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.deps import Deps
from services.partners.actions.onward import send_on_safeguarding
from services.partners.model import Onward, Status
from services.partners.policy.gate import SAFEGUARDING
from services.partners.policy.second_person import is_same_person
from services.partners.store import cases, protection, registry

_PENDING: Final = "pending"
_APPROVED: Final = "approved"


@dataclass(frozen=True, slots=True)
class NewDecision:
    """What is to go to one service of a partner, on which legal ground, why, and who decided so."""

    partner: UUID
    service: UUID
    legal_ground: str
    data_categories: tuple[str, ...]
    reason: str = field(repr=False)
    decided_by: str = field(repr=False)
    person_told: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it is kept; `reason` is opened."""

    id: UUID
    row: Any
    reason: str = field(repr=False)


async def decide(tx: Tx, deps: Deps, caller: Caller, case_id: UUID, wanted: NewDecision) -> Decided:
    """Keep a decision; nothing goes out before somebody else has approved it.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `unknown_service`, when the partner has no such service.
    """
    case = (await cases.lock_cases(tx, [case_id])).get(case_id)
    if case is None:
        raise NotFoundError
    service = await registry.service(tx, wanted.service)
    if service is None or service.partner_id != wanted.partner:
        raise InvalidError(errors=[FieldError("/service", "unknown_service", "is not a service of this partner")])
    id = new_id()
    row = {
        "id": id,
        "case_id": case_id,
        "partner_id": wanted.partner,
        "service_id": wanted.service,
        "legal_ground": wanted.legal_ground,
        "reason": deps.keyring.record("safeguarding_decision", id).seal("reason", wanted.reason),
        "data_categories": list(wanted.data_categories),
        "person_told": wanted.person_told,
        "status": _PENDING,
        "decided_by": wanted.decided_by,
        "client_id": caller.client_id,
        "decided_at": tx.now,
    }
    await protection.add_decision(tx, row)
    return await _kept(tx, deps, case_id, id)


async def approve(tx: Tx, deps: Deps, caller: Caller, case_id: UUID, id: UUID, approved_by: str) -> Decided:
    """Approve what another person decided: an onward referral goes out on it, through the gate.

    Raises
    ------
    NotFoundError
        When the case has no such decision.
    InvalidError
        `self_approved`, when the same person approves.
    ConflictError
        `wrong_state`, when it was approved before; the gate's first reason when the gate refuses it all the same.
    """
    case = (await cases.lock_cases(tx, [case_id])).get(case_id)
    row = await protection.decision(tx, case_id, id, for_update=True)
    if case is None or row is None:
        raise NotFoundError
    if is_same_person(row.decided_by, approved_by):
        raise InvalidError(errors=[FieldError("/approved_by", "self_approved", "must be somebody else than decided")])
    if row.status != _PENDING:
        raise ConflictError("It is approved already", code="wrong_state")
    service = await registry.service(tx, row.service_id)
    if service is None:
        raise NotFoundError
    onward = _onward(tx, case, row, service.kind)
    values = {
        "status": _APPROVED,
        "approved_by": approved_by,
        "approving_client_id": caller.client_id,
        "approved_at": tx.now,
        "onward_referral_id": onward.id,
    }
    await protection.approve(tx, id, values)
    refused = await send_on_safeguarding(tx, deps, onward, case)
    if refused:
        raise ConflictError("The gate does not allow it now", code=refused[0])
    return await _kept(tx, deps, case_id, id)


async def list_decisions(tx: Tx, deps: Deps, case_id: UUID, after: UUID | None, limit: int) -> Sequence[Decided]:
    """Return the safeguarding decisions of a case, oldest first.

    Raises
    ------
    NotFoundError
        When the case is not known.
    """
    if not await cases.case_exists(tx, case_id):
        raise NotFoundError
    return [_opened(deps, row) for row in await protection.decisions_in(tx, case_id, after, limit)]


async def _kept(tx: Tx, deps: Deps, case_id: UUID, id: UUID) -> Decided:
    row = await protection.decision(tx, case_id, id)
    if row is None:
        raise NotFoundError
    return _opened(deps, row)


def _opened(deps: Deps, row: Any) -> Decided:
    reason = deps.keyring.record("safeguarding_decision", row.id).open_text("reason", row.reason)
    return Decided(row.id, row, reason)


def _onward(tx: Tx, case: cases.Case, row: Any, kind: str) -> Onward:
    """Return the onward referral that goes out; it is on no pathway of routing, so its pathway is its own."""
    id = new_id()
    return Onward(
        id=id,
        pathway_id=id,
        case_id=case.case_id,
        referral_id=case.referral_id,
        kind=kind,
        partner_id=row.partner_id,
        service_id=row.service_id,
        team=None,
        status=Status.READY,
        version=1,
        reasons=(),
        outcome=None,
        basis=SAFEGUARDING,
        created_at=tx.now,
        changed_at=tx.now,
        ready_at=tx.now,
        sent_at=None,
    )
