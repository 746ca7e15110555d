"""What routing can do; each action is one transaction, over a batch of events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from hubkit.contracts import (
    AgreementChangedV1,
    CaseAssessedV1,
    CaseExcludedV1,
    CaseOpenedV1,
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
from services.routing.model import CaseFacts, Listing, Pathway, PathwayStatus

_REVIVE_LIMIT = 500


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
    cases = await store.find_cases(tx, {event.data.case_id for event in events})
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
    await _save(tx, [replace(p, status=PathwayStatus.STOPPED, version=p.version + 1, answer_due_at=None) for p in live])


async def follow_onward(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Move pathways on by news of their onward referrals; on a refusal or a decline the next candidate is asked."""
    pathways = await store.find_pathways(tx, {event.data.pathway_id for event in events})
    changed: dict[UUID, Pathway] = {}
    for event in sorted(events, key=lambda event: event.data.version):
        pathway = pathways.get(event.data.pathway_id)
        if pathway is None or pathway.onward_referral_id != event.data.onward_referral_id:
            continue  # news of a candidate that is no longer asked
        answer_due_at = _answer_due(deps, event.data.changed_at)
        after = policy.after_news(
            pathway, event.data.status, event.data.reasons, answer_due_at=answer_due_at, next_id=new_id()
        )
        _request(tx, pathway, after)
        pathways[pathway.id] = changed[pathway.id] = after
    await _save(tx, list(changed.values()))


async def note_sent(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Start the clock for an answer, in hubs that have one; elsewhere this is no news to routing."""
    if deps.profile.routing.answer_within is not None:
        await follow_onward(tx, deps, events)


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
    overdue = await store.list_unanswered(tx, tx.now, limit)
    changed = []
    for pathway in overdue:
        if pathway.onward_referral_id is not None:
            recalled = OnwardReferralRecalledV1(
                onward_referral_id=pathway.onward_referral_id,
                pathway_id=pathway.id,
                case_id=pathway.case_id,
                reason="no_answer",
            )
            tx.emit(recalled, pathway.onward_referral_id)
        after = policy.ask_next(pathway.with_outcome("no_answer", ("no_answer",)), new_id())
        _request(tx, pathway, after)
        changed.append(after)
    await _save(tx, changed)
    return len(changed)


async def _open(
    tx: Tx,
    deps: Deps,
    cases: dict[UUID, CaseFacts],
    wanted: dict[UUID, tuple[str, ...]],
    is_first: Iterable[UUID] = (),
) -> None:
    """Make the pathways that do not stand yet, and start stopped ones again."""
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
            if before is not None and before.status is not PathwayStatus.STOPPED:
                continue
            pathway = _propose(tx, deps, cases[case_id], need, services[need], before)
            (new if before is None else changed).append(pathway)
    await store.add_pathways(tx, new)
    _announce(tx, new)
    await _save(tx, changed)


def _propose(
    tx: Tx, deps: Deps, facts: CaseFacts, need: str, services: list[Listing], before: Pathway | None
) -> Pathway:
    candidates = policy.order_candidates(facts, services, deps.profile.routing)
    blank = Pathway(
        id=before.id if before else new_id(),
        case_id=facts.case_id,
        referral_id=facts.referral_id,
        need=need,
        status=PathwayStatus.REQUESTED,
        version=before.version if before else 0,
        candidates=candidates,
    )
    pathway = policy.ask_next(blank, new_id())
    _request(tx, blank, pathway)
    return pathway


async def _revive(tx: Tx, deps: Deps, kinds: Iterable[str]) -> None:
    wanted = set(kinds)
    pathways = await store.list_revivable(tx, wanted, _REVIVE_LIMIT) if wanted else []
    if not pathways:
        return
    cases = await store.find_cases(tx, {pathway.case_id for pathway in pathways})
    services = await store.list_services(tx, wanted)
    revived = [
        _propose(tx, deps, cases[p.case_id], p.need, services[p.need], p) for p in pathways if cases[p.case_id].is_open
    ]
    # One that still has nobody stays as it was: no news is not an event.
    await _save(tx, [pathway for pathway in revived if pathway.status is PathwayStatus.REQUESTED])


def _request(tx: Tx, before: Pathway, after: Pathway) -> None:
    """Ask partners to refer to the candidate that is asked now, when that is news."""
    asked = after.asked
    if after.onward_referral_id is None or asked is None or after.onward_referral_id == before.onward_referral_id:
        return
    requested = OnwardReferralRequestedV1(
        onward_referral_id=after.onward_referral_id,
        pathway_id=after.id,
        case_id=after.case_id,
        referral_id=after.referral_id,
        kind=after.need,
        partner_id=asked.partner_id,
        service_id=asked.service_id,
    )
    tx.emit(requested, after.onward_referral_id)


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


def _answer_due(deps: Deps, sent_at: datetime) -> datetime | None:
    within = deps.profile.routing.answer_within
    return deps.calendar.due(sent_at, within) if within is not None else None


def _facts(data: CaseOpenedV1) -> CaseFacts:
    return CaseFacts(
        data.case_id, data.referral_id, data.version, data.crime_category, data.age, data.area_code, data.risk_grade
    )


def _listing(data: ServiceListedV1) -> Listing:
    return Listing(
        data.service_id, data.partner_id, data.kind, data.status, data.areas, data.crimes, data.risk_grades,
        data.min_age, data.max_age, data.location, data.commissioned, data.preference,
    )  # fmt: skip
