"""Keeps what the source of a referral may ask for: the decision of triage, and the onward referrals."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from hubkit.contracts import CaseExcludedV1, CaseOpenedV1, Event
from hubkit.contracts.onward import OnwardReferralChanged
from hubkit.db import Tx
from hubkit.errors import NotFoundError
from hubkit.inbox import Deferred
from services.intake.actions.deps import Deps
from services.intake.model import RECEIVED
from services.intake.schemas import DecisionView, OnwardView, StatusView
from services.intake.store import messages, referrals

#: How long an Idempotency-Key keeps its answer. A reference keeps it for good.
KEYS_KEPT = timedelta(days=30)


async def record_decisions(tx: Tx, events: Sequence[Event[CaseOpenedV1 | CaseExcludedV1]]) -> list[Deferred]:
    """Keep the newest decision on each referral; an event about a referral that is not here is deferred.

    Who is not taken on gets no message any more.
    """
    versions = await referrals.lock_case_versions(tx, {event.data.referral_id for event in events})
    newest: dict[UUID, CaseOpenedV1 | CaseExcludedV1] = {}
    for event in events:
        case = event.data
        if case.referral_id in versions and case.version > versions[case.referral_id]:
            versions[case.referral_id] = case.version
            newest[case.referral_id] = case
    rows = [
        {
            "id": referral_id,
            "status": case.decision.outcome,
            "decision_reason": case.decision.reason,
            "case_version": case.version,
        }
        for referral_id, case in newest.items()
    ]
    await referrals.change_referrals(tx, rows)
    excluded = [referral_id for referral_id, case in newest.items() if isinstance(case, CaseExcludedV1)]
    if excluded:
        await messages.stop(tx, excluded, "case_excluded")
    return [Deferred(event.id, "unknown referral") for event in events if event.data.referral_id not in versions]


async def record_onward(tx: Tx, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Keep the newest status of each onward referral."""
    newest: dict[UUID, OnwardReferralChanged] = {}
    for event in events:
        known = newest.get(event.data.onward_referral_id)
        if known is None or event.data.version > known.version:
            newest[event.data.onward_referral_id] = event.data
    names = ("onward_referral_id", "referral_id", "kind", "status", "version")
    await referrals.keep_onward(tx, [{name: getattr(onward, name) for name in names} for onward in newest.values()])


async def read_status(tx: Tx, deps: Deps, referral_id: UUID, organisation: str) -> StatusView:
    """Return what became of a referral, as far as the profile lets it flow back to its source.

    Raises
    ------
    NotFoundError
        When there is none, or it came from another organisation.
    """
    row = await referrals.find_own(tx, referral_id, organisation)
    if row is None:
        raise NotFoundError
    flow_back = deps.profile_at(tx.now).flow_back
    is_decided = flow_back.decision and row.status != RECEIVED
    onward = await referrals.onward_of(tx, row.id) if flow_back.onward else []
    return StatusView(
        id=row.id,
        status=row.status if flow_back.decision else RECEIVED,
        received_at=row.received_at,
        decision=DecisionView(outcome=row.status, reason=row.decision_reason) if is_decided else None,
        onward=[OnwardView(kind=kind, status=status) for kind, status in onward],
    )


async def forget_old_keys(tx: Tx, now: datetime) -> int:
    """Forget Idempotency-Keys older than 30 days; returns how many."""
    return await referrals.forget_keys(tx, now - KEYS_KEPT)
