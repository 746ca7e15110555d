"""Triages received referrals: opens their cases, or decides again about those that stand."""

from collections.abc import Collection, Sequence
from uuid import UUID

from hubkit.contracts import CaseExcludedV1, CaseOpenedV1, CaseTriagedV1, Contract, Event, ReferralReceivedV1
from hubkit.contracts.case import DecisionFacts
from hubkit.db import Tx
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from hubkit.telemetry import DECISIONS
from services.triage import store
from services.triage.actions.deps import Deps
from services.triage.model import CaseChange, StoredCase
from services.triage.policy.triage import decide


async def triage_referrals(tx: Tx, deps: Deps, events: Sequence[Event[ReferralReceivedV1]]) -> list[Deferred]:
    """Decide about each referral's newest version and say so; older versions than the stored one change nothing."""
    newest = _newest(events)
    standing = await store.lock_cases(tx, newest.keys())
    changes = [
        _decide(tx, deps, event.data, standing.get(referral_id))
        for referral_id, event in sorted(newest.items())
        if referral_id not in standing or event.data.version > standing[referral_id].referral_version
    ]
    new = [change for change in changes if change.before is None]
    created = await store.insert_cases(tx, new)
    # Another replica may have opened one of them since we looked; then this version is compared with that one later.
    done = [change for change in changes if change.before is not None or change.case_id in created]
    await store.update_cases(tx, [change for change in done if change.before is not None])
    await store.insert_decisions(tx, done, deps.versions)
    await store.plan_contacts(tx, done, deps.versions)
    for change in done:
        tx.emit(_event(change, deps.versions.profile), change.case_id)
    tx.after_commit(lambda: _count(done))
    lost = (change.referral.referral_id for change in new if change.case_id not in created)
    return [Deferred(newest[referral_id].id, "the case is being opened elsewhere") for referral_id in lost]


def _newest(events: Sequence[Event[ReferralReceivedV1]]) -> dict[UUID, Event[ReferralReceivedV1]]:
    return {event.data.referral_id: event for event in sorted(events, key=lambda event: event.data.version)}


def _decide(tx: Tx, deps: Deps, referral: ReferralReceivedV1, before: StoredCase | None) -> CaseChange:
    opened_at = before.opened_at if before else None
    triaged = decide(deps.rulebook, referral, opened_at or tx.now, before.assessed_needs if before else None)
    if opened_at is None and triaged.decision.is_accepted:
        opened_at = tx.now
    return CaseChange(before.id if before else new_id(), referral, triaged, opened_at, before)


def _event(change: CaseChange, profile_version: str) -> Contract:
    referral, triaged, decision = change.referral, change.triaged, change.triaged.decision
    facts = DecisionFacts(
        outcome=decision.outcome, reason=decision.reason, profile_version=profile_version, rules=decision.rules
    )
    if change.opened_at is None or not decision.is_accepted:
        return CaseExcludedV1(
            case_id=change.case_id,
            referral_id=referral.referral_id,
            version=change.version,
            source_organisation=referral.source_organisation,
            decision=facts,
            case_status=decision.case_status,
            expected_route=decision.expected_route,
        )
    was_opened = change.before is not None and change.before.opened_at is not None
    contract = CaseTriagedV1 if was_opened else CaseOpenedV1
    return contract(
        case_id=change.case_id,
        referral_id=referral.referral_id,
        version=change.version,
        source_organisation=referral.source_organisation,
        decision=facts,
        opened_at=change.opened_at,
        crime_category=referral.crime.category,
        markers=referral.markers,
        role=referral.role,
        age=referral.age,
        area_code=referral.area_code,
        risk_grade=referral.risk.grade,
        language=referral.language,
        entitlement=triaged.entitlement.level if triaged.entitlement else None,
        priority=triaged.level,
        needs=triaged.needs,
        consents=referral.consents,
    )


def _count(changes: Collection[CaseChange]) -> None:
    for change in changes:
        decision = change.triaged.decision
        DECISIONS.labels("triage", "acceptance", decision.outcome, decision.reason or "none").inc()
