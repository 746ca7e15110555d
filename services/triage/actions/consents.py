"""Decides again about cases whose person has decided something that a rule of the hub asks for."""

from collections.abc import Sequence
from dataclasses import replace

from hubkit.contracts import ConsentRecordedV1, Event
from hubkit.db import Tx
from services.triage.actions.decisions import Happened, decide_again, store_changes
from services.triage.actions.deps import Deps
from services.triage.actions.timeline import note_events
from services.triage.model import ConsentSaid, DecisionKind, Progress
from services.triage.store import cases


async def hear_consents(tx: Tx, deps: Deps, events: Sequence[Event[ConsentRecordedV1]]) -> None:
    """Note what the person decided; where it is about all recipients and a rule asks for it, decide again.

    What concerns single recipients is for the gate alone.
    """
    await note_events(tx, events)
    said = [event.data for event in sorted(events, key=lambda event: event.data.recorded_at)]
    said = [each for each in said if not each.recipients]
    standing = await cases.lock(tx, {each.case_id for each in said}) if said else {}
    changes = []
    for case in standing.values():
        hops = deps.ground(case.referral.received_at).rulebook.consent_hops
        about = [each for each in said if each.case_id == case.id and each.hop in hops]
        progress = case.progress
        for each in about:
            progress = _heard(progress, each)
        if progress != case.progress:
            details = {"hops": sorted({each.hop for each in about})}
            happened = Happened(DecisionKind.CONSENT, details=details)
            changes.append(decide_again(tx, deps, case, case.referral, progress, happened))
    await store_changes(tx, deps, changes)


def _heard(progress: Progress, said: ConsentRecordedV1) -> Progress:
    """Return the progress with this decision, unless a newer one on the same hop is known: news may come late."""
    known = progress.consents.get(said.hop)
    if known is not None and known.recorded_at >= said.recorded_at:
        return progress
    return replace(progress, consents={**progress.consents, said.hop: ConsentSaid(said.decision, said.recorded_at)})
