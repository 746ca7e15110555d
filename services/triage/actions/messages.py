"""Messages of automated contacts: asks for those that are due, and notes what became of each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from hubkit.contracts import Event, MessageSettledV1
from hubkit.db import Tx
from services.triage.actions import progress as steps
from services.triage.actions.decisions import Happened, decide_again, earliest_due, store_changes
from services.triage.actions.deps import Deps
from services.triage.actions.progress import Standing
from services.triage.actions.say import ask_for_message
from services.triage.actions.timeline import note_events
from services.triage.model import Attempt, CaseStatus, ContactState, DecisionKind, StoredCase, StoredContact
from services.triage.store import cases, contacts

_AT_WORK = frozenset({CaseStatus.OPEN, CaseStatus.PENDING})


async def is_message_due(tx: Tx) -> bool:
    """Whether a message should have been asked for by now."""
    return await contacts.is_message_due(tx)


async def ask_for_due_messages(tx: Tx, limit: int = 200) -> int:
    """Ask for the messages that are due, each once, and return how many."""
    due = await contacts.take_due_messages(tx, limit)
    for message in due:
        ask_for_message(tx, message)
    return len(due)


async def settle_messages(tx: Tx, deps: Deps, events: Sequence[Event[MessageSettledV1]]) -> None:
    """Note what became of messages: a contact is done when one of its methods was sent, and has failed when none was.

    A message of no contact is a survey, with which nobody is to be reached: it only stands on the timeline.
    """
    await note_events(tx, events)
    settled = {event.data.message_id: event.data for event in events}
    standing = await cases.lock(tx, {data.case_id for data in settled.values()})
    stored = await contacts.lock_contacts(tx, standing) if standing else []
    by_message = {
        item.message_id: item for item in stored if item.message_id is not None and item.message_id in settled
    }
    known = [data for data in settled.values() if data.case_id in standing]
    await contacts.insert_attempts(tx, _attempts(known, by_message))
    done = {item.id for id, item in by_message.items() if _has(settled[id], "sent") and _waits(item)}
    await contacts.settle_contacts(tx, dict.fromkeys(done, ContactState.DONE))
    await cases.set_due(tx, _due(stored, done))
    missed = {
        item.case_id for id, item in by_message.items() if not _has(settled[id], "sent") and _has(settled[id], "failed")
    }
    await _count_failed(tx, deps, [standing[case_id] for case_id in sorted(missed)])


async def _count_failed(tx: Tx, deps: Deps, standing: Iterable[StoredCase]) -> None:
    changes = []
    for case in standing:
        if case.status in _AT_WORK:
            profile = deps.ground(case.referral.received_at).profile
            progress = steps.failed(Standing(case.progress, tx.now, profile))
            happened = Happened(DecisionKind.ATTEMPT, details={"outcome": "failed"})
            changes.append(decide_again(tx, deps, case, case.referral, progress, happened))
    await store_changes(tx, deps, changes)


def _attempts(settled: Iterable[MessageSettledV1], by_message: dict[UUID, StoredContact]) -> list[Attempt]:
    return [
        Attempt(
            case_id=data.case_id,
            method=found.method,
            outcome=found.outcome,
            at=data.settled_at,
            contact_id=by_message[data.message_id].id if data.message_id in by_message else None,
            message_id=data.message_id,
            reason=found.reason,
        )
        for data in settled
        for found in data.outcomes
    ]


def _due(stored: Iterable[StoredContact], done: set[UUID]) -> dict[UUID, datetime | None]:
    """Return the earliest deadline that is left to each case of which a contact is done."""
    left: dict[UUID, list[StoredContact]] = {}
    for item in stored:
        left.setdefault(item.case_id, []).append(item)
    return {
        case_id: earliest_due(item for item in items if item.id not in done)
        for case_id, items in left.items()
        if any(item.id in done for item in items)
    }


def _has(data: MessageSettledV1, outcome: str) -> bool:
    return any(found.outcome == outcome for found in data.outcomes)


def _waits(item: StoredContact) -> bool:
    return item.contact.state in (ContactState.PLANNED, ContactState.SUSPENDED)
