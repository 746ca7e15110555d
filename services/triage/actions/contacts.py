"""Brings the contacts that stand to what was planned anew, by the rules that planned them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from hubkit.db import Tx
from hubkit.deadlines import WorkingCalendar
from services.triage.model import CaseChange, ContactState, PlannedContact, StoredContact
from services.triage.policy.pauses import with_pauses
from services.triage.store import contacts


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What becomes of a case's contacts. `new` have the message that was asked for already, if any.

    `moved` stay, with a clock that stands still or goes on.
    """

    new: tuple[tuple[PlannedContact, UUID | None], ...]
    moved: tuple[tuple[UUID, PlannedContact], ...]
    ended: tuple[tuple[UUID, ContactState], ...]
    due_at: datetime | None


def reconcile(
    planned: Sequence[PlannedContact],
    stored: Iterable[StoredContact],
    calendar: WorkingCalendar,
    *,
    is_offer_answered: bool,
) -> Reconciled:
    """Return what becomes of stored contacts when others are planned.

    One whose plan is the same stays. One whose plan changed, or whose rule no longer applies, is replaced; only what
    was to end with the offer is done. What is done is never planned again. A message that was asked for is kept for the
    plan that follows, so that it is not asked for twice; so are pauses, since their reasons are the person's.
    """
    done = {item.contact.rule_id for item in stored if item.contact.state is ContactState.DONE}
    standing = {item.contact.rule_id: item for item in stored if item.contact.rule_id not in done}
    pauses = {rule_id: item.contact.pauses for rule_id, item in standing.items()}
    wanted = {
        contact.rule_id: with_pauses(contact, pauses.get(contact.rule_id, ()), calendar)
        for contact in planned
        if contact.rule_id not in done
    }
    stays = {
        rule_id: item
        for rule_id, item in standing.items()
        if rule_id in wanted and _is_same_plan(item.contact, wanted[rule_id])
    }
    ended = []
    for rule_id, item in standing.items():
        if rule_id not in stays:
            is_answered = rule_id not in wanted and item.contact.ends_with_offer and is_offer_answered
            ended.append((item.id, ContactState.DONE if is_answered else ContactState.REPLACED))
    messages = {rule_id: item.message_id for rule_id, item in standing.items()}
    new = [(contact, messages.get(rule_id)) for rule_id, contact in wanted.items() if rule_id not in stays]
    moved = [(item.id, wanted[rule_id]) for rule_id, item in stays.items() if wanted[rule_id] != item.contact]
    due = [contact.due_at for contact in wanted.values() if contact.due_at is not None]
    return Reconciled(tuple(new), tuple(moved), tuple(ended), min(due, default=None))


def _is_same_plan(stored: PlannedContact, planned: PlannedContact) -> bool:
    """Whether a stored contact is planned again; where its clock was paused, whatever the clock shows."""
    if not planned.pauses:
        return stored == planned
    return replace(stored, state=planned.state, due_at=planned.due_at, due_reason=planned.due_reason) == planned


async def apply_plans(tx: Tx, plans: Iterable[tuple[CaseChange, Reconciled]]) -> None:
    """Store what becomes of the contacts of changed cases."""
    ended = {id: state for _, plan in plans for id, state in plan.ended}
    await contacts.settle_contacts(tx, ended)
    moved = [(id, contact, change.versions) for change, plan in plans for id, contact in plan.moved]
    await contacts.set_clocks(tx, moved)
    new = [
        (change.case_id, contact, message_id, change.versions)
        for change, plan in plans
        for contact, message_id in plan.new
    ]
    await contacts.insert_contacts(tx, new)
