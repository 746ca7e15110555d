"""What routing can do; each action is one transaction, over a batch of events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from hubkit.contracts import (
    AgreementChangedV1,
    CaseAssessedV1,
    CaseExcludedV1,
    CaseOpenedV1,
    ConsentRecordedV1,
    Event,
    OnwardReferralRecalledV1,
    OnwardReferralRequestedV1,
    PathwayProposedV1,
    ServiceListedV1,
)
from hubkit.contracts.onward import CandidateFacts, OnwardReferralChanged
from hubkit.contracts.profile import Profile
from hubkit.db import Tx
from hubkit.deadlines import WorkingCalendar
from hubkit.ids import new_id
from hubkit.inbox import Deferred
from hubkit.telemetry import DECISIONS
from services.routing import policy, store
from services.routing.model import REVIVABLE, Candidate, CaseFacts, Listing, News, Pathway, PathwayStatus

_HOP = "hub_to_partner"
_REVIVE_STEP = 500
#: Pathways that begin again when their need is named again.
_BEGIN_AGAIN = REVIVABLE | {PathwayStatus.STOPPED}
#: Outcomes by which routing takes an onward referral back.
_TAKEN_BACK = frozenset({"no_answer", "recalled"})


@dataclass(frozen=True, slots=True)
class Deps:
    """What the actions need besides a transaction."""

    profile: Profile
    calendar: WorkingCalendar


async def open_pathways(tx: Tx, deps: Deps, events: Sequence[Event[CaseOpenedV1]]) -> None:
    """Open a pathway for every need of cases that were opened or triaged anew, and ask the first candidate of each."""
    newest = {event.data.case_id: event.data for event in sorted(events, key=lambda event: event.data.version)}
    cases = {id: _facts(data) for id, data in newest.items()}
    stored = await store.save_cases(tx, list(cases.values()))
    wanted = {id: newest[id].needs for id in stored if newest[id].needs}
    await _open(tx, deps, cases, wanted, is_first={id for id in stored if newest[id].version == 1})


async def add_needs(tx: Tx, deps: Deps, events: Sequence[Event[CaseAssessedV1]]) -> list[Deferred]:
    """Open pathways for the needs that an assessment found; those of cases not yet known wait."""
    cases = await store.lock_cases(tx, {event.data.case_id for event in events})
    wanted: dict[UUID, tuple[str, ...]] = {}
    deferred = []
    for event in events:
        if event.data.case_id not in cases:
            deferred.append(Deferred(event.id, "case not known yet"))
        elif cases[event.data.case_id].is_open:
            wanted[event.data.case_id] = event.data.needs
    newer = {event.data.case_id: event.data.version for event in events if event.data.case_id in wanted}
    await store.set_version(tx, {id: max(version, cases[id].version) for id, version in newer.items()})
    await _open(tx, deps, cases, wanted)
    return deferred


async def stop_pathways(tx: Tx, events: Sequence[Event[CaseExcludedV1]]) -> None:
    """Stop all pathways of excluded cases; partners hears of the exclusion itself and withdraws what it sent."""
    newest = {event.data.case_id: event.data for event in sorted(events, key=lambda event: event.data.version)}
    excluded = [CaseFacts(d.case_id, d.referral_id, d.version, "", is_open=False) for d in newest.values()]
    stored = await store.save_cases(tx, excluded)
    live = [p for p in await store.list_pathways(tx, stored) if p.status is not PathwayStatus.STOPPED]
    await _save(tx, [p.moved(PathwayStatus.STOPPED) for p in live])


async def follow_onward(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Move pathways on by news of their onward referrals; on a refusal or a decline the next candidate is asked."""
    before = await store.find_pathways(tx, {event.data.pathway_id for event in events})
    after = dict(before)
    for event in sorted(events, key=lambda event: event.data.version):
        if event.data.pathway_id in after:
            _step(tx, after, policy.after_news(after[event.data.pathway_id], _news(deps, event.data), new_id()))
    await _save_changed(tx, before, after)


async def note_sent(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Start the clock for an answer, in hubs that have one, and end the wait for consent.

    What the gate let through at once is sent as its second version, with none told before it: without a clock that
    changes nothing, and costs nothing.
    """
    has_clock = deps.profile.routing.answer_within is not None
    news = [event for event in events if has_clock or event.data.version > 2]
    if news:
        await follow_onward(tx, deps, news)


async def note_consents(tx: Tx, events: Sequence[Event[ConsentRecordedV1]]) -> None:
    """Open pathways again that had stopped because the person was against it, and is not any more."""
    given = [event for event in events if event.data.hop == _HOP and event.data.decision == "given"]
    if not given:
        return
    case_ids = {event.data.case_id for event in given}
    before = {p.id: p for p in await store.list_pathways(tx, case_ids)}
    cases = await store.find_cases(tx, case_ids)
    after = dict(before)
    for event in given:
        for pathway in [p for p in after.values() if p.case_id == event.data.case_id and cases[p.case_id].is_open]:
            _step(tx, after, policy.after_consent(pathway, event.data.recipients, event.time, new_id()))
    await _save_changed(tx, before, after)


async def note_listings(tx: Tx, deps: Deps, events: Sequence[Event[ServiceListedV1]]) -> None:
    """Keep the directory's replica, and give needs that nobody could meet another try."""
    await store.save_listings(tx, [(event.data.version, _listing(event.data)) for event in events])
    await _revive(tx, deps, {event.data.kind for event in events})


async def note_agreements(tx: Tx, deps: Deps, events: Sequence[Event[AgreementChangedV1]]) -> None:
    """Give needs that nobody could meet another try when a partner's agreement changes."""
    kinds = await store.kinds_of_partner(tx, {event.data.partner_id for event in events})
    await _revive(tx, deps, kinds)


async def pass_over_unanswered(tx: Tx, limit: int = 100) -> int:
    """Recall onward referrals that were not answered in time and ask the next candidate; return how many."""
    before = {pathway.id: pathway for pathway in await store.list_unanswered(tx, tx.now, limit)}
    after = dict(before)
    for pathway in before.values():
        _step(tx, after, policy.pass_over(pathway, new_id()))
    await _save_changed(tx, before, after)
    return len(before)


async def _open(
    tx: Tx,
    deps: Deps,
    cases: dict[UUID, CaseFacts],
    wanted: dict[UUID, tuple[str, ...]],
    is_first: Iterable[UUID] = (),
) -> None:
    """Make the pathways that do not stand yet, and begin those again that stopped or found nobody."""
    if not wanted:
        return
    first = set(is_first)
    standing = {(p.case_id, p.need): p for p in await store.list_pathways(tx, [id for id in wanted if id not in first])}
    services = await store.list_services(tx, {need for needs in wanted.values() for need in needs})
    new: list[Pathway] = []
    changed: list[Pathway] = []
    for case_id, needs in wanted.items():
        for need in dict.fromkeys(needs):
            before = standing.get((case_id, need))
            if before is None:
                new.append(_propose(tx, deps, cases[case_id], _blank(cases[case_id], need), services[need]))
            elif before.status in _BEGIN_AGAIN:
                after = _propose(tx, deps, cases[case_id], before, services[need])
                if after.status is not before.status:  # one that still has nobody stays as it was
                    changed.append(after)
    await store.add_pathways(tx, new)
    _announce(tx, new)
    await _save(tx, changed)


def _blank(facts: CaseFacts, need: str) -> Pathway:
    return Pathway(new_id(), facts.case_id, facts.referral_id, need, PathwayStatus.NO_CANDIDATE, 0)


def _propose(tx: Tx, deps: Deps, facts: CaseFacts, before: Pathway, services: list[Listing]) -> Pathway:
    candidates = policy.order_candidates(facts, services, deps.profile.routing)
    after = policy.begin_again(before, candidates, new_id())
    _tell(tx, before, after)
    return after


async def _revive(tx: Tx, deps: Deps, kinds: Iterable[str]) -> None:
    """Try pathways again that had nobody left, a step at a time; those that still have nobody stay as they were."""
    wanted = set(kinds)
    services = await store.list_services(tx, wanted)
    last: UUID | None = None
    while wanted and (pathways := await store.list_revivable(tx, wanted, last, _REVIVE_STEP)):
        last = pathways[-1].id
        cases = await store.find_cases(tx, {pathway.case_id for pathway in pathways})
        tried = [
            _propose(tx, deps, cases[p.case_id], p, services[p.need]) for p in pathways if cases[p.case_id].is_open
        ]
        await _save(tx, [pathway for pathway in tried if pathway.status is PathwayStatus.REQUESTED])


def _step(tx: Tx, pathways: dict[UUID, Pathway], after: Pathway) -> None:
    """Take one step of a pathway and say what it means for partners."""
    _tell(tx, pathways[after.id], after)
    pathways[after.id] = after


def _tell(tx: Tx, before: Pathway, after: Pathway) -> None:
    """Ask partners to refer to the candidate that is asked now, and take back what is not wanted any more."""
    stood = {c.onward_referral_id: c.outcome for c in before.candidates}
    for candidate in after.candidates:
        id = candidate.onward_referral_id
        if id is None or stood.get(id) == candidate.outcome:
            continue
        if candidate.outcome == "asked":
            tx.emit(_requested(after, candidate, id), id)
        elif candidate.outcome in _TAKEN_BACK:
            recalled = OnwardReferralRecalledV1(
                onward_referral_id=id, pathway_id=after.id, case_id=after.case_id, reason=candidate.reasons[0]
            )
            tx.emit(recalled, id)


def _requested(pathway: Pathway, candidate: Candidate, onward_referral_id: UUID) -> OnwardReferralRequestedV1:
    return OnwardReferralRequestedV1(
        onward_referral_id=onward_referral_id,
        pathway_id=pathway.id,
        case_id=pathway.case_id,
        referral_id=pathway.referral_id,
        kind=pathway.need,
        partner_id=candidate.partner_id,
        service_id=candidate.service_id,
    )


async def _save_changed(tx: Tx, before: dict[UUID, Pathway], after: dict[UUID, Pathway]) -> None:
    """Store the pathways that are not as they were, and tell of those where it shows."""
    changed = [pathway for pathway in after.values() if pathway != before[pathway.id]]
    await store.save_pathways(tx, changed)
    _announce(tx, [pathway for pathway in changed if pathway.version != before[pathway.id].version])


async def _save(tx: Tx, pathways: Sequence[Pathway]) -> None:
    await store.save_pathways(tx, pathways)
    _announce(tx, pathways)


def _announce(tx: Tx, pathways: Sequence[Pathway]) -> None:
    for pathway in pathways:
        DECISIONS.labels("routing", "pathway", pathway.status.value, "").inc()
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
        )
        tx.emit(proposed, pathway.id)


def _news(deps: Deps, data: OnwardReferralChanged) -> News:
    within = deps.profile.routing.answer_within
    due = deps.calendar.due(data.changed_at, within) if within is not None and data.status == "sent" else None
    return News(data.onward_referral_id, data.version, data.status, data.changed_at, data.reasons, due)


def _facts(data: CaseOpenedV1) -> CaseFacts:
    return CaseFacts(
        data.case_id, data.referral_id, data.version, data.crime_category, data.age, data.area_code, data.risk_grade
    )


def _listing(data: ServiceListedV1) -> Listing:
    return Listing(
        data.service_id, data.partner_id, data.kind, data.status, data.areas, data.crimes, data.risk_grades,
        data.min_age, data.max_age, data.location, data.commissioned, data.preference,
    )  # fmt: skip
