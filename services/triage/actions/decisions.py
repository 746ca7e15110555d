"""Decides about cases, and stores what follows: every change of a case goes through here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hubkit.contracts.referral import ReferralReceivedV1
from hubkit.db import Tx
from hubkit.ids import new_id
from hubkit.telemetry import DECISIONS
from services.triage.actions.contacts import Reconciled, apply_plans, reconcile
from services.triage.actions.deps import Deps
from services.triage.actions.say import say
from services.triage.model import CaseChange, ContactState, DecisionKind, Progress, StoredCase, StoredContact
from services.triage.policy.triage import decide
from services.triage.store import cases, contacts


@dataclass(frozen=True, slots=True)
class Happened:
    """Why it is decided again: what happened, who said so (None: nobody), and its codes."""

    kind: DecisionKind = DecisionKind.TRIAGE
    by: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


_RECEIVED = Happened()
_NOTHING_DONE = Progress()


def decide_new(tx: Tx, deps: Deps, referral: ReferralReceivedV1) -> CaseChange:
    """Decide about a referral of which there is no case."""
    ground = deps.ground(referral.received_at)
    triaged = decide(ground.rulebook, referral, tx.now, _NOTHING_DONE)
    opened_at = tx.now if triaged.decision.is_accepted else None
    return CaseChange(new_id(), new_id(), referral, _NOTHING_DONE, triaged, ground.versions, opened_at)


def decide_again(
    tx: Tx,
    deps: Deps,
    case: StoredCase,
    referral: ReferralReceivedV1,
    progress: Progress,
    happened: Happened = _RECEIVED,
) -> CaseChange:
    """Decide about a locked case, with a corrected referral or with other progress."""
    ground = deps.ground(referral.received_at)
    triaged = decide(ground.rulebook, referral, case.opened_at or tx.now, progress)
    opened_at = case.opened_at
    if opened_at is None and triaged.decision.is_accepted:
        opened_at = tx.now
    return CaseChange(
        decision_id=new_id(),
        case_id=case.id,
        referral=referral,
        progress=progress,
        triaged=triaged,
        versions=ground.versions,
        opened_at=opened_at,
        before=case,
        kind=happened.kind,
        by=happened.by,
        details=happened.details,
    )


async def store_changes(tx: Tx, deps: Deps, changes: Sequence[CaseChange]) -> list[CaseChange]:
    """Store changes of cases with their decisions and contacts, and say so; returns those that were stored.

    A new case is not when another replica has opened one for its referral meanwhile.
    """
    plans = await _plans(tx, deps, changes)
    due = {case_id: plan.due_at for case_id, plan in plans.items()}
    new = [change for change in changes if change.before is None]
    created = await cases.insert_cases(tx, new, due)
    done = [change for change in changes if change.before is not None or change.case_id in created]
    await cases.update_cases(tx, [change for change in done if change.before is not None], due)
    await cases.insert_decisions(tx, done)
    await apply_plans(tx, [(change, plans[change.case_id]) for change in done])
    for change in done:
        say(tx, change, deps.ground(change.referral.received_at).profile)
    tx.after_commit(lambda: _count(done))
    return done


async def _plans(tx: Tx, deps: Deps, changes: Iterable[CaseChange]) -> dict[UUID, Reconciled]:
    standing: dict[UUID, list[StoredContact]] = {change.case_id: [] for change in changes if change.before is not None}
    for stored in await contacts.lock_contacts(tx, standing) if standing else ():
        standing[stored.case_id].append(stored)
    return {
        change.case_id: reconcile(
            change.triaged.contacts,
            standing.get(change.case_id, ()),
            deps.ground(change.referral.received_at).rulebook.calendar,
            is_offer_answered=change.progress.offer is not None,
        )
        for change in changes
    }


def earliest_due(stored: Iterable[StoredContact]) -> datetime | None:
    """Return the earliest deadline of the contacts that wait."""
    waiting = (item.contact for item in stored if item.contact.state is ContactState.PLANNED)
    return min((contact.due_at for contact in waiting if contact.due_at is not None), default=None)


def _count(changes: Collection[CaseChange]) -> None:
    for change in changes:
        if change.kind is DecisionKind.TRIAGE:
            decision = change.triaged.decision
            DECISIONS.labels("triage", "acceptance", decision.outcome, decision.reason or "none").inc()
