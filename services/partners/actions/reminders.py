"""Reminders: routing has heard no answer for a while, and the partner is asked for one before another is."""

from collections.abc import Sequence
from typing import Final

from hubkit.contracts import Event, OnwardReferralChasedV1
from hubkit.db import Tx
from services.partners.actions.deps import Deps
from services.partners.actions.notify import tell_allowed
from services.partners.model import REMINDER, Status
from services.partners.store import cases, onward

_UNANSWERED: Final = frozenset({Status.SENT, Status.RECEIVED})


async def remind(tx: Tx, deps: Deps, events: Sequence[Event[OnwardReferralChasedV1]]) -> None:
    """Remind partners of what they have not answered; of each onward referral once."""
    await cases.lock_cases(tx, {event.data.case_id for event in events})
    rows = await onward.lock(tx, {event.data.onward_referral_id for event in events})
    rows = [row for row in rows if row.status in _UNANSWERED]
    if rows:
        await tell_allowed(tx, deps, REMINDER, rows, {row.id: 0 for row in rows}, urgent=True)
