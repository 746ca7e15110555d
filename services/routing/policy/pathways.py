"""How one pathway moves on: who is asked next, and what news, consent and the end of the case change."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.routing.model import PENDING, WAITING, Candidate, News, Pathway, PathwayStatus

#: Refusals that only the person can mend: asking another service of the same kind would meet the same refusal.
CONSENT_REASONS = frozenset({"consent_missing", "consent_refused", "consent_withdrawn", "consent_expired"})

#: Ends of an onward referral after which nobody else is asked.
_STOPS = CONSENT_REASONS | {"case_excluded", "case_closed", "not_needed", "sent_in_error"}

#: A service has the person.
_TAKEN_ON = frozenset({"accepted", "in_support"})

#: Where the pathway stands after other news of the onward referral that it waits for. What is not here is an end.
_STEPS = {
    "sent": PathwayStatus.REQUESTED,
    "received": PathwayStatus.REQUESTED,
    "awaiting_consent": PathwayStatus.AWAITING_CONSENT,
    "closed": PathwayStatus.CLOSED,
}

#: Outcomes that are the service's own: it has said no, did not answer in time, or was taken back for another.
_ANSWERED = frozenset({"declined", "no_answer", "recalled", "taken_back", "expired"})

#: What partners says of an onward referral that was taken back, and routing's own words for having asked for that.
_TAKEN_BACK = frozenset({"recalled", "expired"})
_OWN_RECALLS = frozenset({"recalled", "no_answer"})

#: Why a service is taken back that may be asked again: nothing stood against it but the person's choice, the agreed
#: lead, or the end of the case.
NOT_CHOSEN, LED_ELSEWHERE, CASE_CLOSED = "not_chosen", "led_elsewhere", "case_closed"
_MAY_BE_ASKED_AGAIN = frozenset({NOT_CHOSEN, LED_ELSEWHERE, CASE_CLOSED})
_ACCEPTED_ELSEWHERE = "accepted_elsewhere"


def ask_next(pathway: Pathway, onward_referral_id: UUID) -> Pathway:
    """Return the pathway with the next candidate asked under `onward_referral_id`, or at its end when none is left.

    One that is only signposted to is not asked: the person is told of it, and the pathway has come to its end.
    """
    untried = next((c for c in pathway.candidates if c.is_untried), None)
    if untried is not None:
        return _try(pathway, untried, onward_referral_id)
    ever_asked = any(candidate.outcome is not None for candidate in pathway.candidates)
    ended = pathway.moved(PathwayStatus.EXHAUSTED if ever_asked else PathwayStatus.NO_CANDIDATE)
    return replace(ended, onward_referral_id=None)


def refreshed(pathway: Pathway, fresh: Iterable[Candidate], *, afresh: bool = False) -> Pathway:
    """Return the pathway with the candidates as they are today, before anybody is asked.

    What came of asking a service stays with it, so that nobody is asked twice who has said no, did not answer or was
    taken back for another; unless staff want all of them asked `afresh`. Where only the gate had refused, it may allow
    today; and of a stopped pathway, the person or the case stood against it, not the service.
    """
    is_stopped = pathway.status is PathwayStatus.STOPPED
    old = () if afresh else pathway.candidates
    kept = {c.service_id: c for c in old if _still_holds(c, is_stopped=is_stopped)}
    listed = {c.service_id: c for c in fresh}
    today = [replace(kept[id], eligible=c.eligible) if id in kept else c for id, c in listed.items()]
    gone = [replace(c, eligible=False) for id, c in kept.items() if id not in listed]
    return replace(pathway, candidates=(*today, *gone))


def wait(pathway: Pathway, status: PathwayStatus) -> Pathway:
    """Return the pathway in a status in which nobody is asked; whoever was asked has been taken back before."""
    return replace(pathway.moved(status), onward_referral_id=None)


def let_go(pathway: Pathway, reason: str) -> Pathway:
    """Return the pathway with the service that is asked now, if there is one, taken back for `reason`."""
    return _recalled(pathway, pathway.asked, reason) if pathway.asked is not None else pathway


def close(pathway: Pathway) -> Pathway:
    """Return the pathway after the hub's work for the case has ended.

    What is pending is taken back. A service that has the person keeps them, and nobody comes after it; what had ended
    before stays as it ended.
    """
    if pathway.status in PENDING | WAITING:
        return let_go(pathway, CASE_CLOSED).moved(PathwayStatus.STOPPED)
    return _without_others(pathway) if pathway.status is PathwayStatus.ACCEPTED else pathway


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
    untried = (c for c in covered if c.is_untried)
    again = next((c for c in covered if _by_person(c)), None) or next(untried, None)
    return _try(noted, again, next_id) if again is not None else noted


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
    if news.status in _TAKEN_BACK and teller.outcome in _OWN_RECALLS:
        return heard  # routing has asked for it
    if news.status not in _STEPS:
        outcome = "taken_back" if news.status == "recalled" else news.status
        return _ended(heard, replace(teller, outcome=outcome, reasons=news.reasons), news, next_id)
    if pathway.status is PathwayStatus.STOPPED:
        return heard  # partners takes it back itself
    to = _STEPS[news.status]
    after = heard if to is heard.status else heard.moved(to)
    noted = after.with_candidate(replace(teller, reasons=news.reasons))  # why it waits, until it does not
    if news.status == "received" and (after.answer_due_at or after.chase_due_at):
        return noted  # that it was received does not start the clocks anew
    return replace(noted, answer_due_at=news.answer_due_at, chase_due_at=news.chase_due_at)


def _taken_on(heard: Pathway, teller: Candidate) -> Pathway:
    """Return the pathway after a service took the person on; every other one that may still do so is recalled."""
    if teller.outcome == "recalled":
        return _crossed(heard, teller)
    is_taken = heard.status is PathwayStatus.ACCEPTED
    if heard.status is PathwayStatus.STOPPED:
        return heard
    if is_taken and heard.onward_referral_id == teller.onward_referral_id:
        return heard  # it goes on: in support
    if is_taken:
        return _recalled(heard, teller, _ACCEPTED_ELSEWHERE).moved(PathwayStatus.ACCEPTED)
    if heard.asked is not None and heard.asked.service_id != teller.service_id:
        heard = let_go(heard, _ACCEPTED_ELSEWHERE)
    taken = heard.with_candidate(replace(teller, outcome="accepted", reasons=()))
    return replace(taken.moved(PathwayStatus.ACCEPTED), onward_referral_id=teller.onward_referral_id)


def _crossed(heard: Pathway, teller: Candidate) -> Pathway:
    """Return the pathway after an acceptance that had crossed its recall, which partners then did not obey.

    Of a closed case the service keeps the person. Where the person chose another, or another leads, it is taken back
    for the reason that holds even then.
    """
    if teller.reasons == (CASE_CLOSED,) and heard.status is PathwayStatus.STOPPED:
        kept = heard.with_candidate(replace(teller, outcome="accepted", reasons=()))
        return _without_others(kept.moved(PathwayStatus.ACCEPTED))
    if teller.reasons in {(NOT_CHOSEN,), (LED_ELSEWHERE,)}:
        return _recalled(heard, teller, _ACCEPTED_ELSEWHERE)
    return heard


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


def _try(pathway: Pathway, candidate: Candidate, onward_referral_id: UUID) -> Pathway:
    """Return the pathway with a candidate asked, or, where it is only signposted to, named to the person."""
    if candidate.only_signposted:
        named = replace(candidate, outcome="signposted", reasons=(), onward_referral_id=None, heard=0)
        return wait(pathway.with_candidate(named), PathwayStatus.SIGNPOSTED)
    return _ask(pathway, candidate, onward_referral_id)


def _ask(pathway: Pathway, candidate: Candidate, onward_referral_id: UUID) -> Pathway:
    asked = replace(candidate, outcome="asked", reasons=(), onward_referral_id=onward_referral_id, heard=0)
    after = pathway.with_candidate(asked).moved(PathwayStatus.REQUESTED)
    return replace(after, onward_referral_id=onward_referral_id)


def _recalled(pathway: Pathway, candidate: Candidate, reason: str) -> Pathway:
    return pathway.with_candidate(replace(candidate, outcome="recalled", reasons=(reason,)))


def _without_others(pathway: Pathway) -> Pathway:
    """Return the pathway with nobody left to ask: the case is closed."""
    candidates = tuple(
        replace(c, eligible=False, reasons=(*c.reasons, CASE_CLOSED)) if c.is_untried else c for c in pathway.candidates
    )
    return replace(pathway, candidates=candidates)


def _by_person(candidate: Candidate) -> bool:
    return bool(CONSENT_REASONS & set(candidate.reasons))


def _still_holds(candidate: Candidate, *, is_stopped: bool) -> bool:
    if candidate.outcome == "signposted" or _MAY_BE_ASKED_AGAIN & set(candidate.reasons):
        return False
    if is_stopped:
        return candidate.outcome in _ANSWERED
    return candidate.outcome is not None and (candidate.outcome != "refused" or _by_person(candidate))
