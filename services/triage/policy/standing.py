"""Where a case stands after all that was done with it, in the hub's own words too.

Source: the re-offer and lead provider parts of the hub's profile. A case under joint review waits until exactly one of
its services is agreed to lead.
"""

from dataclasses import replace
from typing import Any

from hubkit.contracts.profile import Profile
from hubkit.contracts.referral import ReferralReceivedV1
from services.triage.model import CaseStatus, Decision, Progress
from services.triage.policy.moments import as_text
from services.triage.policy.rulebook import Rulebook


def await_lead(profile: Profile, decision: Decision, progress: Progress) -> Decision:
    """Return the decision about a case that was taken on: pending while it is under review and has no lead."""
    rule = profile.lead_provider
    if rule is None or not progress.review or progress.lead_service_id is not None:
        return decision
    reason = rule.several_reason if len(progress.proposed_leads) > 1 else rule.missing_reason
    return replace(decision, outcome="pending", reason=reason)


def status_of(decision: Decision, progress: Progress) -> CaseStatus:
    """Return the status of a case that was taken on; what ended the work comes before what it waits for."""
    if progress.closed_at is not None:
        return CaseStatus.CLOSED
    if progress.offer == "declined":
        return CaseStatus.DECLINED
    return CaseStatus.OPEN if decision.is_accepted else CaseStatus.PENDING


def word_of(profile: Profile, status: CaseStatus, progress: Progress) -> str | None:
    """Return the hub's own word for where a case stands that was taken on, or None where it has none."""
    if status is CaseStatus.DECLINED:
        return profile.re_offer.case_status
    if status is not CaseStatus.CLOSED and progress.reopened_at is not None:
        return profile.re_offer.reopened_status
    return None


def review_of(rulebook: Rulebook, referral: ReferralReceivedV1, progress: Progress) -> dict[str, Any] | None:
    """Return the services under review, and the meeting of their area as far as one is known."""
    rule = rulebook.profile.lead_provider
    if rule is None or not progress.review:
        return None
    area = referral.local_authority_area
    meeting = rule.next_meeting.get(area) if area else None
    services = [
        {
            "service_id": str(service.service_id),
            "partner_id": str(service.partner_id),
            "need": service.need,
            "team": service.team,
        }
        for service in progress.review
    ]
    meeting_at = as_text(rulebook.calendar.localised(meeting)) if meeting else None
    return {"services": services, "area": area, "meeting_at": meeting_at}
