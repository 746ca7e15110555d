"""Puts cases under joint review when routing finds that they match more than one service."""

from collections.abc import Sequence
from dataclasses import replace

from hubkit.contracts import Event, ReviewOpenedV1
from hubkit.db import Tx
from services.triage.actions.decisions import Happened, decide_again, store_changes
from services.triage.actions.deps import Deps
from services.triage.model import CaseStatus, DecisionKind, Reviewed, StoredCase
from services.triage.store import cases

_AT_WORK = frozenset({CaseStatus.OPEN, CaseStatus.PENDING})


async def open_reviews(tx: Tx, deps: Deps, events: Sequence[Event[ReviewOpenedV1]]) -> None:
    """Let the newest review of each case replace what was reviewed before; cases that have a lead need none."""
    newest = {event.data.case_id: event.data for event in sorted(events, key=lambda event: event.data.version)}
    standing = await cases.lock(tx, newest)
    changes = []
    for case in standing.values():
        found = tuple(Reviewed(**service.model_dump()) for service in newest[case.id].services)
        if _needs_review(case, found):
            progress = replace(case.progress, review=found, proposed_leads=())
            happened = Happened(DecisionKind.REVIEW, details={"services": [str(each.service_id) for each in found]})
            changes.append(decide_again(tx, deps, case, case.referral, progress, happened))
    await store_changes(tx, deps, changes)


def _needs_review(case: StoredCase, found: tuple[Reviewed, ...]) -> bool:
    """Whether this is something new: the same review again would make routing look again, and so on for ever."""
    progress = case.progress
    return case.status in _AT_WORK and progress.lead_service_id is None and set(found) != set(progress.review)
