"""Which services may take a person, and in which order they are asked."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hubkit.contracts.codes import HUB
from hubkit.contracts.profile import Routing
from services.routing.model import CATCH_ALL, Candidate, CaseFacts, Listing


def services_for(need: str, listings: Iterable[Listing]) -> list[Listing]:
    """Return the services that a need is for: those that name it, or the catch-all ones where no active one does.

    Services that name it and are not active stay among them, so that it can be seen why they are not asked. What a
    person of another area needs is that area's hub, and no service in general.

    Source: hub facts, `partners` (kind `other`: services in general, which stand for the needs that the text gives to
    nobody else); design section 2 (the code of a need is the kind of service that meets it).
    """
    known = list(listings)
    named = [listing for listing in known if need in listing.needs]
    if any(listing.status == "active" for listing in named):
        return named
    if need == HUB:
        return named
    return named + [listing for listing in known if listing.kind == CATCH_ALL and need not in listing.needs]


def order_candidates(
    facts: CaseFacts, listings: Iterable[Listing], rules: Routing, need: str | None = None
) -> tuple[Candidate, ...]:
    """Return every service for one need as a candidate: those that may take the person first, best first.

    Ineligible services follow with their reasons, so that a person can see why one was not asked.

    Source: design section 2 (pathway: the ordered candidates, and what became of each). The order is the profile's:
    where the hub says so, services with room before those that have said nothing, a waiting list or no room, and
    commissioned services before others; then preferred locations and the listed preference. The id decides between
    equals, so that the same facts always give the same order. One without room is still asked, after the others: its
    reason says why it comes late.
    """
    candidates = []
    for listing in listings:
        reasons = why_not(facts, listing)
        candidate = Candidate(
            listing.service_id,
            listing.partner_id,
            eligible=not reasons,
            reasons=reasons + _why_late(listing, rules),
            team=listing.team_for(need) if need else None,
            only_signposted=listing.only_signposts,
        )
        candidates.append((not candidate.eligible, *_preference(listing, rules), str(listing.service_id), candidate))
    return tuple(entry[-1] for entry in sorted(candidates, key=lambda entry: entry[:-1]))


def why_not(facts: CaseFacts, listing: Listing) -> tuple[str, ...]:
    """Return the codes of what keeps this service from taking the person; empty when nothing does.

    An unknown age, area or risk does not exclude: the service decides when it reads the referral. Another hub is asked
    for people of its area alone, for the wrong one could do nothing with their data.
    """
    reasons = []
    if listing.status != "active":
        reasons.append("service_not_active")
    is_elsewhere = facts.area_code not in listing.areas and (facts.area_code is not None or HUB in listing.needs)
    if listing.areas and is_elsewhere:
        reasons.append("outside_area")
    reasons += _age_not_taken(facts.age, listing)
    if listing.crimes and not _takes_crime(facts.crime_category, listing.crimes):
        reasons.append("crime_not_taken")
    if listing.risk_grades and facts.risk_grade is not None and facts.risk_grade not in listing.risk_grades:
        reasons.append("risk_not_taken")
    if not set(listing.without_marker).isdisjoint(facts.markers):
        reasons.append("marker_not_taken")
    return tuple(reasons)


def with_fresh_capacity(listings: Iterable[Listing], rules: Routing, now: datetime) -> list[Listing]:
    """Return listings without what was said of their room so long ago that the hub counts on it no more."""
    oldest = now - timedelta(days=rules.capacity_valid_days)
    return [
        replace(listing, capacity=None) if listing.capacity is not None and listing.capacity.as_of < oldest else listing
        for listing in listings
    ]


def only(candidates: Sequence[Candidate], service_id: UUID, reason: str) -> tuple[Candidate, ...]:
    """Return the candidates with one service first and all others ineligible for `reason`."""
    kept = (candidate for candidate in candidates if candidate.service_id == service_id)
    others = (candidate for candidate in candidates if candidate.service_id != service_id)
    return (*kept, *(replace(c, eligible=False, reasons=(*c.reasons, reason)) for c in others))


def _age_not_taken(age: int | None, listing: Listing) -> list[str]:
    if age is not None and listing.min_age is not None and age < listing.min_age:
        return ["below_minimum_age"]
    if age is not None and listing.max_age is not None and age > listing.max_age:
        return ["above_maximum_age"]
    return []


def _takes_crime(category: str, crimes: tuple[str, ...]) -> bool:
    return category in crimes or category.split(".")[0] in crimes


def _why_late(listing: Listing, rules: Routing) -> tuple[str, ...]:
    reason = listing.capacity.reason if rules.prefers_capacity and listing.capacity is not None else None
    return (reason,) if reason is not None else ()


def _room(listing: Listing) -> int:
    """Return how likely a service has room: 0 it says so, 1 it says nothing, 2 one would wait, 3 it has none."""
    if listing.capacity is None:
        return 1
    return {None: 0, "waiting": 2}.get(listing.capacity.reason, 3)


def _preference(listing: Listing, rules: Routing) -> tuple[int, bool, int, int]:
    places = rules.prefer_locations
    place = places.index(listing.location) if listing.location in places else len(places)
    room = _room(listing) if rules.prefers_capacity else 0
    return (room, rules.commissioned_first and listing.commissioned is not True, place, listing.preference)
