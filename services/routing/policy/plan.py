"""What becomes of the pathways of one case when the case, the directory or an agreement has changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hubkit.contracts.profile import Profile
from services.routing.model import (
    PENDING,
    REVIVABLE,
    WAITING,
    Candidate,
    CaseFacts,
    Listing,
    Pathway,
    PathwayStatus,
)
from services.routing.policy.candidates import only, order_candidates
from services.routing.policy.pathways import LED_ELSEWHERE, NOT_CHOSEN, ask_next, let_go, refreshed, wait

#: Pathways that begin again whenever their need is named again.
_BEGIN_AGAIN = REVIVABLE | {PathwayStatus.STOPPED} | WAITING

#: Pathways that begin again only when staff ask for their need once more.
_ON_REQUEST = REVIVABLE | {PathwayStatus.STOPPED, PathwayStatus.SIGNPOSTED, PathwayStatus.CLOSED}

#: Ends that are told once: to come to the same end again is no news.
_TOLD_ONCE = frozenset({PathwayStatus.STOPPED, PathwayStatus.LED_ELSEWHERE})


@dataclass(frozen=True, slots=True)
class Matched:
    """One service (or team of it) that a case matches, and the first need that it is for."""

    service_id: UUID
    partner_id: UUID
    need: str
    team: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a case's pathways: those that change, and among which services one lead is to be agreed."""

    pathways: tuple[Pathway, ...]
    review: tuple[Matched, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """What has changed around a case.

    Attributes
    ----------
    needs
        The needs that are named (again).
    requests
        The version of the case at which staff asked for a need, by need.
    services
        The services that each need is for, by need.
    """

    needs: frozenset[str]
    services: Mapping[str, Sequence[Listing]]
    requests: Mapping[str, int]


def plan(
    profile: Profile, case: CaseFacts, pathways: Iterable[Pathway], changed: Changed, new_id: Callable[[], UUID]
) -> Plan:
    """Return what becomes of the pathways of an open case; `new_id` makes the ids of onward referrals.

    A pathway of version 0 is new. In a hub with a lead provider all pathways of the case must be given, because they
    wait for each other.

    Source: issue 3 (joint review: cases that match several services go to the meeting of their area, exactly one lead
    provider); hub facts, `lead_provider_rule`, and `informed_choice` in the hubs where the person chooses.
    """
    before = {pathway.id: pathway for pathway in pathways}
    tried = {id: again for id, p in before.items() if (again := _taken_up(profile, case, p, changed)) is not None}
    others = [pathway for id, pathway in before.items() if id not in tried]
    review: tuple[Matched, ...] = ()
    after: dict[UUID, Pathway] = {}
    if profile.lead_provider is not None:
        after, review = _led(case, tried, others)
    for id, pathway in tried.items():
        if id not in after:
            after[id] = _proceed(profile, case, pathway, new_id())
    noted = [_noted(pathway, after.get(id, pathway), changed) for id, pathway in before.items()]
    return Plan(tuple(pathway for pathway in noted if pathway != before[pathway.id]), review)


def reasons(profile: Profile, pathway: Pathway) -> tuple[str, ...]:
    """Return why a pathway waits or has ended, as far as there is more to say than its status."""
    status = pathway.status
    if status is PathwayStatus.AWAITING_CHOICE:
        return (profile.routing.choice_missing_reason,)
    if status is PathwayStatus.AWAITING_LEAD:
        return (profile.lead_provider.missing_reason,) if profile.lead_provider else ()
    if status is PathwayStatus.LED_ELSEWHERE:
        return (LED_ELSEWHERE,)
    if status is PathwayStatus.NO_CANDIDATE:
        return tuple(dict.fromkeys(reason for candidate in pathway.candidates for reason in candidate.reasons))
    last = pathway.current
    if status is PathwayStatus.EXHAUSTED:
        last = next((candidate for candidate in reversed(pathway.candidates) if candidate.outcome is not None), None)
    return last.reasons if last is not None else ()


def _taken_up(profile: Profile, case: CaseFacts, pathway: Pathway, changed: Changed) -> Pathway | None:
    """Return a pathway with today's candidates where it is to be decided (again), otherwise None."""
    is_requested = _is_requested(pathway, changed)
    if not (is_requested or pathway.need in changed.needs or pathway.status is PathwayStatus.AWAITING_LEAD):
        return None
    fresh = order_candidates(case, changed.services.get(pathway.need, ()), profile.routing, pathway.need)
    wanted = _wanted(profile, case, pathway.need, fresh)
    if wanted is not None:
        fresh = only(fresh, *wanted)
    if is_requested or pathway.version == 0 or pathway.status in _BEGIN_AGAIN:
        return refreshed(pathway, fresh, afresh=is_requested)
    if wanted is None or not _gives_way(pathway, *wanted):
        return None
    return let_go(refreshed(pathway, fresh), wanted[1])


def _wanted(profile: Profile, case: CaseFacts, need: str, candidates: Sequence[Candidate]) -> tuple[UUID, str] | None:
    """Return the one service that alone may be asked, and why the others may not: the lead, or the person's choice."""
    lead = case.lead_service_id if profile.lead_provider is not None else None
    if lead is not None and any(candidate.service_id == lead for candidate in candidates):
        return lead, LED_ELSEWHERE
    chosen = case.choices.get(need) if profile.routing.informed_choice else None
    return (chosen, NOT_CHOSEN) if chosen is not None else None


def _gives_way(pathway: Pathway, service_id: UUID, reason: str) -> bool:
    """Whether a pathway leaves where it stands for the one service that is wanted; one that is accepted never does."""
    if pathway.status is PathwayStatus.LED_ELSEWHERE:
        return reason == LED_ELSEWHERE
    is_undecided = pathway.status in PENDING or (pathway.status is PathwayStatus.SIGNPOSTED and reason == NOT_CHOSEN)
    return is_undecided and pathway.current is not None and pathway.current.service_id != service_id


def _led(
    case: CaseFacts, tried: Mapping[UUID, Pathway], others: Sequence[Pathway]
) -> tuple[dict[UUID, Pathway], tuple[Matched, ...]]:
    """Return the pathways that wait for a lead provider or are led elsewhere, and the services under review."""
    lead = case.lead_service_id
    if lead is not None and any(_knows(pathway, lead) for pathway in (*tried.values(), *others)):
        led = [p for p in tried.values() if any(map(_is_option, p.candidates))]
        led += [pathway for pathway in others if pathway.status in PENDING]
        elsewhere = [let_go(pathway, LED_ELSEWHERE) for pathway in led if not _knows(pathway, lead)]
        return {pathway.id: wait(pathway, PathwayStatus.LED_ELSEWHERE) for pathway in elsewhere}, ()
    matched = _matched(tried.values(), others)
    if len(matched) <= 1:
        return {}, ()
    waiting = [pathway for pathway in tried.values() if any(map(_is_option, pathway.candidates))]
    after = {pathway.id: wait(pathway, PathwayStatus.AWAITING_LEAD) for pathway in waiting}
    return after, matched if after else ()


def _matched(tried: Iterable[Pathway], others: Iterable[Pathway]) -> tuple[Matched, ...]:
    """Return the distinct services and teams that may lead: those that could be asked, and those that already are."""
    found = [(pathway, candidate) for pathway in tried for candidate in pathway.candidates if _is_option(candidate)]
    live = PENDING | {PathwayStatus.ACCEPTED}
    found += [(p, p.current) for p in others if p.status in live and p.current is not None]
    matched: dict[tuple[UUID, str | None], Matched] = {}
    for pathway, c in found:
        matched.setdefault(c.place, Matched(c.service_id, c.partner_id, pathway.need, c.team))
    return tuple(matched.values())


def _is_option(candidate: Candidate) -> bool:
    return candidate.is_untried and not candidate.only_signposted


def _knows(pathway: Pathway, service_id: UUID) -> bool:
    return any(candidate.service_id == service_id for candidate in pathway.candidates)


def _proceed(profile: Profile, case: CaseFacts, pathway: Pathway, next_id: UUID) -> Pathway:
    """Return the pathway with the first service asked, or waiting for the person to choose between them."""
    first = next((candidate for candidate in pathway.candidates if candidate.is_untried), None)
    is_to_choose = profile.routing.informed_choice and pathway.need not in case.choices
    if is_to_choose and first is not None and not first.only_signposted:
        return wait(pathway, PathwayStatus.AWAITING_CHOICE)
    return ask_next(pathway, next_id)


def _is_requested(pathway: Pathway, changed: Changed) -> bool:
    is_newer = changed.requests.get(pathway.need, 0) > pathway.requested_version
    return is_newer and pathway.status in _ON_REQUEST


def _shows(before: Pathway, after: Pathway) -> bool:
    if before.status in REVIVABLE and after.status in REVIVABLE:
        return False  # it still has nobody
    if after.status is not before.status:
        return True
    return after.status not in _TOLD_ONCE and after.candidates != before.candidates


def _noted(before: Pathway, after: Pathway, changed: Changed) -> Pathway:
    """Return the pathway as it is stored: as it was where its new state is no news, with what was asked for noted."""
    is_news = before.version == 0 or _is_requested(before, changed) or _shows(before, after)
    version = max(before.requested_version, changed.requests.get(before.need, 0))
    return replace(after if is_news else before, requested_version=version)
