"""Requests for access to data of a case: decided by the hub's ring-fences and the person's word, and always kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from hubkit.auth import Caller
from hubkit.contracts.profile import Profile
from hubkit.db import Tx
from hubkit.errors import FieldError, InvalidError, NotFoundError
from hubkit.ids import new_id
from services.partners.actions.deps import Deps
from services.partners.policy import gate, ring_fence
from services.partners.policy.second_person import is_same_person
from services.partners.store import cases

_BASIS: Final = "consent"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Who asks for what. A ground needs a reason, who decided, and somebody else who approved."""

    requester: str
    what: str
    ground: str | None = None
    reason: str | None = None
    decided_by: str | None = None
    approved_by: str | None = None


async def request_access(tx: Tx, deps: Deps, caller: Caller, case_id: UUID, asked: AccessRequest) -> dict[str, Any]:
    """Decide a request for access and keep it, whatever was decided; returns it as it is kept.

    Raises
    ------
    NotFoundError
        When the case is not known.
    InvalidError
        `needed_with_ground`, `same_person`.
    """
    faults = _faults(asked)
    if faults:
        raise InvalidError(errors=faults)
    # The lock puts it in one order with the person's decisions.
    known = await cases.lock_cases(tx, [case_id])
    if not known:
        raise NotFoundError
    profile = deps.profile_at(tx.now)
    about = None
    if ring_fence.is_persons_to_decide(asked.what):
        about = _question(tx, profile, known[case_id], asked, (await cases.consents_of(tx, [case_id])).get(case_id, ()))
    basis = profile.basis_for(asked.what) or _BASIS
    answer = ring_fence.decide(
        ring_fence.Access(asked.requester, asked.what, asked.ground),
        profile.ring_fences,
        gate.consent_faults(about, basis) if about is not None else None,
        basis,
    )
    row = _row(tx, deps, caller, case_id, asked)
    row |= {
        "held_by": answer.held_by,
        "outcome": answer.outcome,
        "reason": profile.reason_for(asked.what, answer.reason) if answer.reason else None,
        "basis": answer.basis,
    }
    await cases.add_access_request(tx, row)
    return row


def _faults(asked: AccessRequest) -> list[FieldError]:
    if asked.ground is None:
        return []
    given = {"reason": asked.reason, "decided_by": asked.decided_by, "approved_by": asked.approved_by}
    faults = [
        FieldError(f"/{name}", "needed_with_ground", "is needed where a ground is stated")
        for name, value in given.items()
        if value is None
    ]
    if not faults and is_same_person(asked.decided_by, asked.approved_by):
        faults.append(FieldError("/approved_by", "same_person", "must be somebody other than who decided"))
    return faults


def _question(
    tx: Tx, profile: Profile, case: cases.Case, asked: AccessRequest, consents: Sequence[gate.Consent]
) -> gate.Question:
    """Return what the gate is asked about the person's word on this use: nobody is a partner here."""
    return gate.Question(
        hop=asked.what,
        purpose=asked.requester,
        case_status=case.status,
        crime_category=case.crime_category,
        partner=None,
        shares="nothing",
        is_told=False,
        consents=tuple(consents),
        hop_basis=profile.basis_for(asked.what),
        now=tx.now,
        today=profile.local_day(tx.now),
        markers=frozenset(case.markers or ()),
        age=case.age,
    )


def _row(tx: Tx, deps: Deps, caller: Caller, case_id: UUID, asked: AccessRequest) -> dict[str, Any]:
    id = new_id()
    sealed = (
        deps.keyring.record("access_request", id).seal("explanation", asked.reason.encode()) if asked.reason else None
    )
    return {
        "id": id,
        "case_id": case_id,
        "requester": asked.requester,
        "what": asked.what,
        "ground": asked.ground,
        "explanation": sealed,
        "decided_by": asked.decided_by,
        "approved_by": asked.approved_by,
        "client_id": caller.client_id,
        "decided_at": tx.now,
    }
