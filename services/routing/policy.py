"""Which service is asked, in which order, and when the next one is: pure decisions."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hubkit.contracts.profile import Routing
from services.routing.model import Candidate, CaseFacts, Listing, Pathway, PathwayStatus

#: Refusals that only the person can mend: asking another service of the same kind would meet the same refusal.
CONSENT_REASONS = frozenset({"consent_missing", "consent_refused", "consent_withdrawn", "consent_expired"})

#: Ends of an onward referral after which nobody else is asked.
_STOPS = CONSENT_REASONS | {"case_excluded", "case_closed", "not_needed"}


def order_candidates(facts: CaseFacts, listings: Iterable[Listing], rules: Routing) -> tuple[Candidate, ...]:
    """Return every listed service of one kind as a candidate: those that may take the person first, best first.

    Ineligible services follow with their reasons, so that a person can see why one was not asked.

    Source: design section 2 (pathway: the ordered candidates, and what became of each). The order is the profile's:
    commissioned services before others where the hub says so, preferred locations, then the listed preference. The id
    decides between equals, so that the same facts always give the same order.
    """
    candidates = []
    for listing in listings:
        reasons = why_not(facts, listing)
        candidate = Candidate(listing.service_id, listing.partner_id, eligible=not reasons, reasons=reasons)
        candidates.append((not candidate.eligible, *_preference(listing, rules), str(listing.service_id), candidate))
    return tuple(entry[-1] for entry in sorted(candidates, key=lambda entry: entry[:-1]))


def why_not(facts: CaseFacts, listing: Listing) -> tuple[str, ...]:
    """Return the codes of what keeps this service from taking the person; empty when nothing does.

    An unknown age, area or risk does not exclude: the service decides when it reads the referral.
    """
    reasons = []
    if listing.status != "active":
        reasons.append("service_not_active")
    if listing.areas and facts.area_code is not None and facts.area_code not in listing.areas:
        reasons.append("outside_area")
    if facts.age is not None and listing.min_age is not None and facts.age < listing.min_age:
        reasons.append("below_minimum_age")
    if facts.age is not None and listing.max_age is not None and facts.age > listing.max_age:
        reasons.append("above_maximum_age")
    if listing.crimes and not _takes_crime(facts.crime_category, listing.crimes):
        reasons.append("crime_not_taken")
    if listing.risk_grades and facts.risk_grade is not None and facts.risk_grade not in listing.risk_grades:
        reasons.append("risk_not_taken")
    return tuple(reasons)


def _takes_crime(category: str, crimes: tuple[str, ...]) -> bool:
    return category in crimes or category.split(".")[0] in crimes


def _preference(listing: Listing, rules: Routing) -> tuple[bool, int, int]:
    places = rules.prefer_locations
    place = places.index(listing.location) if listing.location in places else len(places)
    return (rules.commissioned_first and listing.commissioned is not True, place, listing.preference)


def ask_next(pathway: Pathway, onward_referral_id: UUID) -> Pathway:
    """Return the pathway with the next candidate asked under `onward_referral_id`, or at its end when none is left."""
    untried = next((c for c in pathway.candidates if c.eligible and c.outcome is None), None)
    if untried is None:
        ever_asked = any(candidate.outcome is not None for candidate in pathway.candidates)
        status = PathwayStatus.EXHAUSTED if ever_asked else PathwayStatus.NO_CANDIDATE
        return replace(pathway, status=status, version=pathway.version + 1, onward_referral_id=None, answer_due_at=None)
    asked = tuple(replace(c, outcome="asked") if c is untried else c for c in pathway.candidates)
    return replace(
        pathway,
        status=PathwayStatus.REQUESTED,
        version=pathway.version + 1,
        candidates=asked,
        onward_referral_id=onward_referral_id,
        answer_due_at=None,
    )


def after_news(
    pathway: Pathway, status: str, reasons: tuple[str, ...], *, answer_due_at: datetime | None, next_id: UUID
) -> Pathway:
    """Return the pathway after news of the onward referral that it waits for.

    Parameters
    ----------
    status
        The onward referral's new status.
    answer_due_at
        When an answer is due if this is the news that it was sent.
    next_id
        The id of the next onward referral, used when another candidate is asked.
    """
    version = pathway.version + 1
    match status:
        case "sent":
            return replace(pathway, version=version, status=PathwayStatus.REQUESTED, answer_due_at=answer_due_at)
        case "awaiting_consent":
            return replace(pathway, version=version, status=PathwayStatus.AWAITING_CONSENT, answer_due_at=None)
        case "accepted":
            noted = pathway.with_outcome("accepted")
            return replace(noted, version=version, status=PathwayStatus.ACCEPTED, answer_due_at=None)
        case "closed":
            return replace(pathway, version=version, status=PathwayStatus.CLOSED, answer_due_at=None)
        case _ if _STOPS & set(reasons):
            noted = pathway.with_outcome(status, reasons)
            return replace(noted, version=version, status=PathwayStatus.STOPPED, answer_due_at=None)
        case _:
            return ask_next(pathway.with_outcome(status, reasons), next_id)
