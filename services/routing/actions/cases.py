"""What becomes of pathways when a case is opened, triaged anew, assessed, excluded or closed."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from hubkit.contracts import CaseAssessedV1, CaseClosedV1, CaseExcludedV1, CaseOpenedV1, Event
from hubkit.db import Tx
from hubkit.inbox import Deferred
from services.routing import store
from services.routing.actions.deps import Deps
from services.routing.actions.planning import Wanted, take_up
from services.routing.actions.tell import save_changed, step
from services.routing.model import CaseFacts, Pathway, PathwayStatus
from services.routing.policy import pathways as policy


async def open_pathways(tx: Tx, deps: Deps, events: Sequence[Event[CaseOpenedV1]]) -> None:
    """Open a pathway for every need of cases that were opened or triaged anew, and ask the first candidate of each.

    An older version of a case changes nothing, but what staff asked for in it and is heard of only now still counts.
    """
    newest = {event.data.case_id: event.data for event in sorted(events, key=lambda event: event.data.version)}
    requests = _requests(events)
    stored = await store.save_cases(tx, [_facts(data) for data in newest.values()])
    cases = {id: _facts(newest[id]) for id in stored}
    known = [id for id in stored if newest[id].version > 1]
    reread = {id for id in requests if id not in stored}
    if deps.profile_at(tx.now).lead_provider is not None:
        reread.update(known)
    if reread:
        cases |= await store.lock_cases(tx, reread)
    wanted = [
        Wanted(case, newest[id].needs if id in stored else (), requests.get(id, {}))
        for id, case in cases.items()
        if case.is_open and (id in requests or newest[id].needs)
    ]
    await take_up(tx, deps, wanted, await store.list_pathways(tx, {*known, *reread}))


async def add_needs(tx: Tx, deps: Deps, events: Sequence[Event[CaseAssessedV1]]) -> list[Deferred]:
    """Open pathways for the needs that an assessment found; those of cases not yet known wait.

    The version of the case stays that of the facts that stand here: what triage says of the case beside the assessment
    is not old for it.
    """
    cases = await store.lock_cases(tx, {event.data.case_id for event in events})
    deferred = [Deferred(event.id, "case not known yet") for event in events if event.data.case_id not in cases]
    wanted = {}
    for event in sorted(events, key=lambda event: event.data.version):
        case = cases.get(event.data.case_id)
        if case is not None and case.is_open and event.data.version >= case.version:
            wanted[case.case_id] = Wanted(case, event.data.needs)
    await take_up(tx, deps, list(wanted.values()), await store.list_pathways(tx, wanted))
    return deferred


async def stop_pathways(tx: Tx, deps: Deps, events: Sequence[Event[CaseExcludedV1]]) -> None:
    """Stop all pathways of excluded cases; partners hears of the exclusion itself and withdraws what it sent."""
    before = await _end(tx, deps, events)
    live = [pathway for pathway in before if pathway.status is not PathwayStatus.STOPPED]
    await _save(tx, deps, live, [pathway.moved(PathwayStatus.STOPPED) for pathway in live])


async def close_pathways(tx: Tx, deps: Deps, events: Sequence[Event[CaseClosedV1]]) -> None:
    """Stop what waits or is pending in closed cases, and take back what nobody has accepted."""
    before = await _end(tx, deps, events)
    await _save(tx, deps, before, [policy.close(pathway) for pathway in before])


async def _end(tx: Tx, deps: Deps, events: Sequence[Event[Any]]) -> list[Pathway]:
    """Note that cases are not open any more; return the pathways of those of which that is news."""
    newest = {event.data.case_id: event.data for event in sorted(events, key=lambda event: event.data.version)}
    ended = [CaseFacts(d.case_id, d.referral_id, d.version, "", is_open=False) for d in newest.values()]
    stored = await store.save_cases(tx, ended)
    if deps.profile_at(tx.now).lead_provider is not None:
        await store.set_reviewed(tx, dict.fromkeys(stored, ()))
    return await store.list_pathways(tx, stored)


async def _save(tx: Tx, deps: Deps, before: Collection[Pathway], after: Collection[Pathway]) -> None:
    pathways = {pathway.id: pathway for pathway in before}
    stood = dict(pathways)
    for pathway in after:
        step(tx, pathways, pathway)
    await save_changed(tx, deps.profile_at(tx.now), stood, pathways.values())


def _requests(events: Sequence[Event[CaseOpenedV1]]) -> dict[UUID, dict[str, int]]:
    """Return at which version of a case a need was asked for last, by case and need."""
    requests: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
    for event in events:
        asked = requests[event.data.case_id] if event.data.requested_needs else {}
        for need in event.data.requested_needs:
            asked[need] = max(event.data.version, asked.get(need, 0))
    return dict(requests)


def _facts(data: CaseOpenedV1) -> CaseFacts:
    return CaseFacts(
        data.case_id,
        data.referral_id,
        data.version,
        data.crime_category,
        data.age,
        data.area_code,
        data.risk_grade,
        markers=data.markers,
        choices={choice.need: choice.service_id for choice in data.choices},
        lead_service_id=data.lead_service_id,
    )
