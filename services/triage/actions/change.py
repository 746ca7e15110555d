"""Changes a case: one way for everything that staff record."""

from collections.abc import Callable, Collection
from dataclasses import replace
from uuid import UUID

from hubkit.contracts import CaseAssessedV1
from hubkit.db import Tx
from hubkit.errors import ConflictError, NotFoundError, PreconditionFailedError
from services.triage.actions import progress as steps
from services.triage.actions.decisions import Happened, decide_again, store_changes
from services.triage.actions.deps import Deps
from services.triage.actions.progress import Standing, Step
from services.triage.model import (
    Attempt,
    CaseChange,
    CaseStatus,
    ContactState,
    Pause,
    PlannedContact,
    StoredCase,
)
from services.triage.schemas.requests import Assessment, ContactPause, NewAttempt
from services.triage.schemas.views import AssessmentView
from services.triage.store import cases, contacts

#: With these the contact has done what it was planned for.
_SETTLES = frozenset({"reached", "refused", "sent"})
_WAITING = (ContactState.PLANNED, ContactState.SUSPENDED)


async def change_case(tx: Tx, deps: Deps, case_id: UUID, version: int, step: Step, by: str) -> CaseChange:
    """Take a step with a case, and decide about it again.

    Parameters
    ----------
    version
        The version of the case that the caller has read.
    by
        The client that asked for it.

    Raises
    ------
    NotFoundError, PreconditionFailedError, ConflictError, InvalidError
        No such case; it has another version; it is in a state that does not allow the step (`wrong_state`); what was
        sent does not fit the case.
    """
    return await _take(tx, deps, await _lock(tx, case_id, version, step.states), step, by)


async def record_attempt(
    tx: Tx, deps: Deps, case: tuple[UUID, int], contact_id: UUID | None, body: NewAttempt, by: str
) -> None:
    """Record an attempt to reach the person, by a planned contact or outside of one.

    Parameters
    ----------
    case
        Its id, and the version of it that the caller has read.

    Raises
    ------
    NotFoundError, PreconditionFailedError, ConflictError, InvalidError
        As `change_case`; and there is no such contact, or it waits no more (`wrong_state`).
    """
    step = steps.attempted(body)
    standing = await _lock(tx, *case, step.states)
    if contact_id is not None:
        await _contact(tx, standing.id, contact_id, "waits", lambda contact: contact.state in _WAITING)
        if body.outcome in _SETTLES:
            await contacts.settle_contacts(tx, {contact_id: ContactState.DONE})
    at = steps.moment(body.at, tx.now)
    attempt = Attempt(standing.id, body.method, body.outcome, at, contact_id=contact_id, recorded_by=by)
    await contacts.insert_attempts(tx, [attempt])
    await _take(tx, deps, standing, step, by)


async def pause_contact(
    tx: Tx, deps: Deps, case: tuple[UUID, int], contact_id: UUID, body: ContactPause, by: str
) -> None:
    """Hold a planned contact back until it is resumed; an automated one is not sent meanwhile.

    Parameters
    ----------
    case
        Its id, and the version of it that the caller has read.

    Raises
    ------
    NotFoundError, PreconditionFailedError, ConflictError
        As `change_case`; and there is no such contact, or it is not planned (`wrong_state`).
    """
    standing = await _lock(tx, *case)
    contact = await _contact(
        tx, standing.id, contact_id, "is planned", lambda contact: contact.state is ContactState.PLANNED
    )
    await contacts.set_pauses(tx, contact_id, (*contact.pauses, Pause(body.reason, tx.now)))
    await _take(tx, deps, standing, steps.paused(contact_id, contact.rule_id, body), by)


async def resume_contact(tx: Tx, deps: Deps, case: tuple[UUID, int], contact_id: UUID, by: str) -> None:
    """Let the clock of a paused contact go on from now.

    Raises
    ------
    NotFoundError, PreconditionFailedError, ConflictError
        As `pause_contact`; and the contact is not paused (`wrong_state`).
    """
    standing = await _lock(tx, *case)
    contact = await _contact(tx, standing.id, contact_id, "is paused", lambda contact: contact.is_paused)
    *others, last = contact.pauses
    await contacts.set_pauses(tx, contact_id, (*others, replace(last, until=tx.now)))
    await _take(tx, deps, standing, steps.resumed(contact_id, contact.rule_id), by)


async def record_assessment(
    tx: Tx, deps: Deps, case_id: UUID, version: int, body: Assessment, by: str
) -> AssessmentView:
    """Record what an assessment with the person found.

    Raises
    ------
    NotFoundError, PreconditionFailedError, ConflictError
        As `change_case`.
    """
    change = await change_case(tx, deps, case_id, version, steps.assessed(body), by)
    event = CaseAssessedV1(
        case_id=case_id,
        referral_id=change.referral.referral_id,
        version=change.version,
        needs=change.triaged.needs,
        kind=change.progress.assessment_kind,
        assessed_by=change.progress.assessed_by,
        sections=change.progress.assessed_sections,
        findings=tuple(sorted(change.progress.findings)),
        risk_grade=change.referral.risk.grade,
        assessed_at=tx.now,
    )
    tx.emit(event, case_id)
    return AssessmentView(
        id=change.decision_id,
        case_id=case_id,
        version=change.version,
        needs=list(change.progress.assessed_needs or ()),
        recorded_at=tx.now,
    )


async def _lock(
    tx: Tx, case_id: UUID, version: int, states: Collection[CaseStatus] = frozenset(CaseStatus)
) -> StoredCase:
    case = (await cases.lock(tx, [case_id])).get(case_id)
    if case is None:
        raise NotFoundError
    if case.version != version:
        raise PreconditionFailedError
    if case.status not in states:
        allowed = " or ".join(sorted(states))
        raise ConflictError(f"This needs a case that is {allowed}; this one is {case.status}", code="wrong_state")
    return case


async def _take(tx: Tx, deps: Deps, case: StoredCase, step: Step, by: str) -> CaseChange:
    profile = deps.ground(case.referral.received_at).profile
    progress = step.apply(Standing(case.progress, tx.now, profile))
    details = {name: value for name, value in step.details.items() if value not in (None, [])}
    change = decide_again(tx, deps, case, case.referral, progress, Happened(step.kind, by, details))
    await store_changes(tx, deps, [change])
    return change


async def _contact(
    tx: Tx, case_id: UUID, contact_id: UUID, needed: str, fits: Callable[[PlannedContact], bool]
) -> PlannedContact:
    contact = await contacts.find_contact(tx, case_id, contact_id)
    if contact is None:
        raise NotFoundError
    if not fits(contact):
        found = "paused" if contact.is_paused else contact.state
        raise ConflictError(f"This needs a contact that {needed}; this one is {found}", code="wrong_state")
    return contact
