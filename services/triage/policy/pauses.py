"""When a contact's clock stands still, and when the contact is due after that.

Source: staff hold a contact back for a reason (`codes.PAUSE_REASONS`); the time from the pause to its end does not
count. When a contact is due after it, the kernel's deadlines say, from the same start and limit as before.
"""

from dataclasses import replace

from hubkit.contracts.profile import Within
from hubkit.deadlines import WorkingCalendar
from services.triage.model import ContactState, Pause, PlannedContact


def with_pauses(contact: PlannedContact, pauses: tuple[Pause, ...], calendar: WorkingCalendar) -> PlannedContact:
    """Return a contact, planned as if its clock had never stood still, after these pauses or in the last of them.

    When an automated contact is to happen stays as it is: what a pause held back goes out once it is over.

    Parameters
    ----------
    pauses
        In the order of time; the last may not be over.
    """
    if not pauses:
        return contact
    ended = [(pause.since, pause.until) for pause in pauses if pause.until is not None]
    if len(ended) < len(pauses):
        return replace(contact, pauses=pauses, state=ContactState.SUSPENDED, due_at=None, due_reason="paused")
    due_at = contact.due_at
    if due_at is not None and contact.clock_start is not None:
        limit = Within.model_validate({"amount": contact.clock_amount, "unit": contact.clock_unit})
        due_at = calendar.due(contact.clock_start, limit, ended)
    return replace(contact, pauses=pauses, due_at=due_at)
