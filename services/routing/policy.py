"""Which service is asked, in which order, and when the next one is: pure decisions."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hubkit.contracts.profile import Routing
from services.routing.model import Candidate, CaseFacts, Listing, News, Pathway, PathwayStatus

#: Refusals that only the person can mend: asking another service of the same kind would meet the same refusal.
CONSENT_REASONS = frozenset({"consent_missing", "consent_refused", "consent_withdrawn", "consent_expired"})

#: Ends of an onward referral after which nobody else is asked.
_STOPS = CONSENT_REASONS | {"case_excluded", "case_closed", "not_needed"}

#: A service has the person.
_TAKEN_ON = frozenset({"accepted", "in_support"})

#: Where the pathway stands after other news of the onward referral that it waits for. What is not here is an end.
_STEPS = {
    "sent": PathwayStatus.REQUESTED,
    "awaiting_consent": PathwayStatus.AWAITING_CONSENT,
    "closed": PathwayStatus.CLOSED,
}

#: Outcomes that are the service's own: it has said no, did not answer in time, or was taken back for another.
_ANSWERED = frozenset({"declined", "no_answer", "recalled"})


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
    if untried is not None:
        return _ask(pathway, untried, onward_referral_id)
    ever_asked = any(candidate.outcome is not None for candidate in pathway.candidates)
    ended = pathway.moved(PathwayStatus.EXHAUSTED if ever_asked else PathwayStatus.NO_CANDIDATE)
    return replace(ended, onward_referral_id=None)


def begin_again(pathway: Pathway, fresh: Iterable[Candidate], onward_referral_id: UUID) -> Pathway:
    """Return the pathway with the candidates as they are today and the first that may be asked (again) asked.

    What came of asking a service stays with it, so that nobody is asked twice who has said no, did not answer or was
    taken back. Where only the gate had refused, it may allow today; and of a stopped pathway, the person or the case
    stood against it, not the service.
    """
    is_stopped = pathway.status is PathwayStatus.STOPPED
    kept = {c.service_id: c for c in pathway.candidates if _still_holds(c, is_stopped=is_stopped)}
    candidates = tuple(replace(kept[c.service_id], eligible=c.eligible) if c.service_id in kept else c for c in fresh)
    return ask_next(replace(pathway, candidates=candidates), onward_referral_id)


def pass_over(pathway: Pathway, next_id: UUID) -> Pathway:
    """Return the pathway after nobody answered in time: the next candidate is asked under `next_id`."""
    silent = pathway.asked
    if silent is None:
        return replace(pathway, answer_due_at=None)
    noted = pathway.with_candidate(replace(silent, outcome="no_answer", reasons=("no_answer",)))
    return ask_next(noted, next_id)


def after_consent(pathway: Pathway, recipients: tuple[str, ...], at: datetime, next_id: UUID) -> Pathway:
    """Return the pathway after the person agreed (at `at`) to sharing with these recipients; without any, with all.

    One that stopped because the person was against it asks the same candidate again, under `next_id`. A pathway that
    waits for consent needs nothing: partners sends what waits by itself.
    """
    covered = [c for c in pathway.candidates if not recipients or {pathway.need, str(c.partner_id)} & set(recipients)]
    if not covered:
        return pathway
    noted = replace(pathway, consented_at=max(at, pathway.consented_at or at))
    if pathway.status is not PathwayStatus.STOPPED or not any(_by_person(c) for c in pathway.candidates):
        return noted
    untried = (c for c in covered if c.eligible and c.outcome is None)
    again = next((c for c in covered if _by_person(c)), None) or next(untried, None)
    return _ask(noted, again, next_id) if again is not None else noted


def after_news(pathway: Pathway, news: News, next_id: UUID) -> Pathway:
    """Return the pathway after news of one of its onward referrals; the same when it is no news to it.

    News may be late: of an older version, or of a candidate that is not asked any more. Of those, only that one has
    accepted after all has an effect. `next_id` is the id of the next onward referral where another is asked.
    """
    teller = pathway.candidate(news.onward_referral_id)
    if teller is None or news.version <= teller.heard:
        return pathway
    teller = replace(teller, heard=news.version)
    heard = pathway.with_candidate(teller)
    if news.status in _TAKEN_ON:
        return _taken_on(heard, teller)
    if pathway.onward_referral_id != news.onward_referral_id:
        return heard
    if news.status not in _STEPS:
        return _ended(heard, replace(teller, outcome=news.status, reasons=news.reasons), news, next_id)
    if pathway.status is PathwayStatus.STOPPED:
        return heard  # partners takes it back itself
    to = _STEPS[news.status]
    after = heard if to is heard.status else heard.moved(to)
    return replace(after, answer_due_at=news.answer_due_at)


def _taken_on(heard: Pathway, teller: Candidate) -> Pathway:
    """Return the pathway after a service took the person on; every other one that may still do so is recalled."""
    is_taken = heard.status is PathwayStatus.ACCEPTED
    if heard.status is PathwayStatus.STOPPED or teller.outcome == "recalled":
        return heard
    if is_taken and heard.onward_referral_id == teller.onward_referral_id:
        return heard  # it goes on: in support
    if is_taken:
        return _recalled(heard, teller).moved(PathwayStatus.ACCEPTED)
    if heard.asked is not None and heard.asked.service_id != teller.service_id:
        heard = _recalled(heard, heard.asked)
    taken = heard.with_candidate(replace(teller, outcome="accepted", reasons=()))
    return replace(taken.moved(PathwayStatus.ACCEPTED), onward_referral_id=teller.onward_referral_id)


def _ended(heard: Pathway, teller: Candidate, news: News, next_id: UUID) -> Pathway:
    """Return the pathway after the onward referral that it waits for, or that was accepted, has come to nothing."""
    noted = heard.with_candidate(teller)
    if heard.status is PathwayStatus.STOPPED:
        return noted.moved(PathwayStatus.STOPPED)
    if _by_person(teller) and heard.consented_at is not None and news.changed_at < heard.consented_at:
        return _ask(noted, teller, next_id)  # the person has agreed since
    if _STOPS & set(news.reasons):
        return noted.moved(PathwayStatus.STOPPED)
    return ask_next(noted, next_id)


def _ask(pathway: Pathway, candidate: Candidate, onward_referral_id: UUID) -> Pathway:
    asked = replace(candidate, outcome="asked", reasons=(), onward_referral_id=onward_referral_id, heard=0)
    after = pathway.with_candidate(asked).moved(PathwayStatus.REQUESTED)
    return replace(after, onward_referral_id=onward_referral_id)


def _recalled(pathway: Pathway, candidate: Candidate) -> Pathway:
    return pathway.with_candidate(replace(candidate, outcome="recalled", reasons=("accepted_elsewhere",)))


def _by_person(candidate: Candidate) -> bool:
    return bool(CONSENT_REASONS & set(candidate.reasons))


def _still_holds(candidate: Candidate, *, is_stopped: bool) -> bool:
    if is_stopped:
        return candidate.outcome in _ANSWERED
    return candidate.outcome is not None and (candidate.outcome != "refused" or _by_person(candidate))
