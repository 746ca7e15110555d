"""What becomes of pathways when partners or the person have answered, or nobody has."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hubkit.contracts import ConsentRecordedV1, Event, OnwardReferralChasedV1
from hubkit.contracts.codes import ONWARD_HOPS, hop_to
from hubkit.contracts.onward import OnwardReferralChanged
from hubkit.contracts.profile import Within
from hubkit.db import Tx
from hubkit.ids import new_id
from services.routing import store
from services.routing.actions.deps import Deps, Rules
from services.routing.actions.tell import save_changed, step
from services.routing.model import Candidate, News, Pathway
from services.routing.policy import pathways as policy


async def follow_onward(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Move pathways on by news of their onward referrals; on a refusal or a decline the next candidate is asked."""
    rules = deps.rules_at(tx.now)
    before = await store.find_pathways(tx, {event.data.pathway_id for event in events})
    after = dict(before)
    for event in sorted(events, key=lambda event: event.data.version):
        if event.data.pathway_id in after:
            step(tx, after, policy.after_news(after[event.data.pathway_id], _news(rules, event.data), new_id()))
    await save_changed(tx, rules.profile, before, after.values())


async def note_sent(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Start the clock for an answer, in hubs that have one, and end the wait for consent.

    What the gate let through at once is sent as its second version, with none told before it: without a clock that
    changes nothing, and costs nothing.
    """
    has_clock = _has_clock(deps.rules_at(tx.now))
    news = [event for event in events if has_clock or event.data.version > 2]
    if news:
        await follow_onward(tx, deps, news)


async def note_received(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChanged]]) -> None:
    """Keep what was received in mind while the clock for an answer runs; in hubs without one it changes nothing."""
    if _has_clock(deps.rules_at(tx.now)):
        await follow_onward(tx, deps, events)


async def note_consents(tx: Tx, deps: Deps, events: Sequence[Event[ConsentRecordedV1]]) -> None:
    """Open pathways again that had stopped because the person was against it, and is not any more."""
    given = [event for event in events if event.data.hop in ONWARD_HOPS and event.data.decision == "given"]
    if not given:
        return
    case_ids = {event.data.case_id for event in given}
    before = {p.id: p for p in await store.list_pathways(tx, case_ids)}
    cases = await store.find_cases(tx, case_ids)
    after = dict(before)
    for event in given:
        for pathway in [p for p in after.values() if p.case_id == event.data.case_id and cases[p.case_id].is_open]:
            if hop_to(pathway.need) != event.data.hop:
                continue
            step(tx, after, policy.after_consent(pathway, event.data.recipients, event.time, new_id()))
    await save_changed(tx, deps.profile_at(tx.now), before, after.values())


async def chase_unanswered(tx: Tx, deps: Deps, limit: int = 100) -> int:
    """Have partners reminded of what they have not answered for a while, and let staff see it; return how many."""
    del deps
    before = {pathway.id: pathway for pathway in await store.list_unchased(tx, tx.now, limit)}
    for pathway in before.values():
        asked = pathway.asked
        if asked is not None and asked.onward_referral_id is not None:
            tx.emit(_chased(tx, pathway, asked), asked.onward_referral_id)
    await store.save_pathways(tx, [replace(pathway, chase_due_at=None) for pathway in before.values()])
    return len(before)


def _chased(tx: Tx, pathway: Pathway, asked: Candidate) -> OnwardReferralChasedV1:
    return OnwardReferralChasedV1.model_validate({
        "onward_referral_id": asked.onward_referral_id,
        "pathway_id": pathway.id,
        "case_id": pathway.case_id,
        "partner_id": asked.partner_id,
        "chased_at": tx.now,
        "answer_due_at": pathway.answer_due_at,
    })  # fmt: skip


async def pass_over_unanswered(tx: Tx, deps: Deps, limit: int = 100) -> int:
    """Recall onward referrals that were not answered in time and ask the next candidate; return how many."""
    before = {pathway.id: pathway for pathway in await store.list_unanswered(tx, tx.now, limit)}
    after = dict(before)
    for pathway in before.values():
        step(tx, after, policy.pass_over(pathway, new_id()))
    await save_changed(tx, deps.profile_at(tx.now), before, after.values())
    return len(before)


def _news(rules: Rules, data: OnwardReferralChanged) -> News:
    routing = rules.profile.routing
    is_told = data.status in ("sent", "received")

    def due(within: Within | None) -> datetime | None:
        return rules.calendar.due(data.changed_at, within) if within is not None and is_told else None

    clocks = due(routing.answer_within), due(routing.chase_after)
    return News(data.onward_referral_id, data.version, data.status, data.changed_at, data.reasons, *clocks)


def _has_clock(rules: Rules) -> bool:
    routing = rules.profile.routing
    return routing.answer_within is not None or routing.chase_after is not None
