"""Triages received referrals: opens their cases, or decides again about those that stand."""

from collections.abc import Sequence
from uuid import UUID

from hubkit.contracts import Event, ReferralReceivedV1
from hubkit.db import Tx
from hubkit.inbox import Deferred
from services.triage.actions.decisions import decide_again, decide_new, store_changes
from services.triage.actions.deps import Deps
from services.triage.model import CaseChange, StoredCase
from services.triage.store import cases


async def triage_referrals(tx: Tx, deps: Deps, events: Sequence[Event[ReferralReceivedV1]]) -> list[Deferred]:
    """Decide about each referral's newest version and say so; older versions than the stored one change nothing."""
    newest = _newest(events)
    # Of a first version there is no case yet, unless it came before.
    looked_for = [id for id, event in newest.items() if event.data.version > 1 or not tx.hopes]
    standing = await cases.lock_by_referrals(tx, looked_for) if looked_for else {}
    changes = [
        _decide(tx, deps, event.data, standing.get(referral_id))
        for referral_id, event in sorted(newest.items())
        if referral_id not in standing or event.data.version > standing[referral_id].referral.version
    ]
    done = {change.case_id for change in await store_changes(tx, deps, changes)}
    # Another replica may have opened one of them since we looked; then this version is compared with that one later.
    lost = (change.referral.referral_id for change in changes if change.case_id not in done)
    return [Deferred(newest[referral_id].id, "the case is being opened elsewhere") for referral_id in lost]


def _newest(events: Sequence[Event[ReferralReceivedV1]]) -> dict[UUID, Event[ReferralReceivedV1]]:
    return {event.data.referral_id: event for event in sorted(events, key=lambda event: event.data.version)}


def _decide(tx: Tx, deps: Deps, referral: ReferralReceivedV1, case: StoredCase | None) -> CaseChange:
    """Decide about a new referral, or again about one that its source corrected: what was done with it stays."""
    return decide_new(tx, deps, referral) if case is None else decide_again(tx, deps, case, referral, case.progress)
