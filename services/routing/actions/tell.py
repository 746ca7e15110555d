"""What routing says: to partners whom to ask and whom not any more, to triage where each pathway stands."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from hubkit.contracts import OnwardReferralRecalledV1, OnwardReferralRequestedV1, PathwayProposedV1, ReviewOpenedV1
from hubkit.contracts.case import ReviewedService
from hubkit.contracts.onward import CandidateFacts
from hubkit.contracts.profile import Profile
from hubkit.db import Tx
from hubkit.telemetry import DECISIONS
from services.routing import store
from services.routing.model import Candidate, CaseFacts, Pathway
from services.routing.policy.plan import Matched, reasons

#: Outcomes by which routing takes an onward referral back.
_TAKEN_BACK = frozenset({"no_answer", "recalled"})


def step(tx: Tx, pathways: dict[UUID, Pathway], after: Pathway) -> None:
    """Take one step of a pathway and say what it means for partners."""
    tell(tx, pathways[after.id], after)
    pathways[after.id] = after


def tell(tx: Tx, before: Pathway, after: Pathway) -> None:
    """Ask partners to refer to the candidate that is asked now, and take back what is not wanted any more."""
    stood = {c.onward_referral_id: c for c in before.candidates}
    for candidate in after.candidates:
        id = candidate.onward_referral_id
        if id is None:
            continue
        was = stood.get(id)
        if candidate.outcome == "asked" and (was is None or was.outcome != "asked"):
            tx.emit(_requested(after, candidate, id), id)
        elif candidate.outcome in _TAKEN_BACK and (was is None or _standing(was) != _standing(candidate)):
            recalled = OnwardReferralRecalledV1(
                onward_referral_id=id, pathway_id=after.id, case_id=after.case_id, reason=candidate.reasons[0]
            )
            tx.emit(recalled, id)


def _standing(candidate: Candidate) -> tuple[str | None, tuple[str, ...]]:
    return candidate.outcome, candidate.reasons


def _requested(pathway: Pathway, candidate: Candidate, onward_referral_id: UUID) -> OnwardReferralRequestedV1:
    return OnwardReferralRequestedV1(
        onward_referral_id=onward_referral_id,
        pathway_id=pathway.id,
        case_id=pathway.case_id,
        referral_id=pathway.referral_id,
        kind=pathway.need,
        partner_id=candidate.partner_id,
        service_id=candidate.service_id,
        team=candidate.team,
    )


async def save_changed(tx: Tx, profile: Profile, before: Mapping[UUID, Pathway], after: Iterable[Pathway]) -> None:
    """Store the pathways that are not as they were, and tell of those where it shows."""
    changed = [pathway for pathway in after if pathway != before[pathway.id]]
    await store.save_pathways(tx, changed)
    announce(tx, profile, [pathway for pathway in changed if pathway.version != before[pathway.id].version])


def announce(tx: Tx, profile: Profile, pathways: Iterable[Pathway]) -> None:
    """Tell triage where pathways stand."""
    for pathway in pathways:
        DECISIONS.labels("routing", "pathway", pathway.status.value, "").inc()
        current = pathway.current
        proposed = PathwayProposedV1(
            pathway_id=pathway.id,
            case_id=pathway.case_id,
            referral_id=pathway.referral_id,
            version=pathway.version,
            need=pathway.need,
            status=pathway.status.value,
            candidates=tuple(
                CandidateFacts(
                    service_id=c.service_id,
                    partner_id=c.partner_id,
                    eligible=c.eligible,
                    reasons=(*c.reasons, *((f"outcome_{c.outcome}",) if c.outcome else ())),
                )
                for c in pathway.candidates
            ),
            service_id=current.service_id if current else None,
            partner_id=current.partner_id if current else None,
            team=current.team if current else None,
            onward_referral_id=pathway.onward_referral_id,
            reasons=reasons(profile, pathway),
            changed_at=tx.now,
        )
        tx.emit(proposed, pathway.id)


def open_review(tx: Tx, case: CaseFacts, services: Sequence[Matched]) -> None:
    """Tell triage among which services one lead is to be agreed."""
    reviewed = tuple(
        ReviewedService(service_id=m.service_id, partner_id=m.partner_id, need=m.need, team=m.team) for m in services
    )
    review = ReviewOpenedV1(case_id=case.case_id, referral_id=case.referral_id, version=case.version, services=reviewed)
    tx.emit(review, case.case_id)
